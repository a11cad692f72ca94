"""Months and the simulated clock."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.period import first_day, last_day, period, period_of, plus
from taxagent.model.simtime import SimulatedTime, local_time, simulated_time

DATES = st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))
MS = st.integers(0, 4_102_444_800_000)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026-1", "26-01", "2026-10-01", "", "2026\uff0d10", "x"]
)
def test_a_month_is_written_yyyy_mm(text: str) -> None:
    assert period("2026-10") == "2026-10"
    with pytest.raises(ValueError, match="yyyy-mm"):
        period(text)


@given(DATES)
def test_a_day_lies_between_the_first_and_the_last_of_its_month(day: dt.date) -> None:
    month = period_of(day)
    assert period(month) == month
    assert first_day(month) <= day <= last_day(month)
    assert period_of(last_day(month) + dt.timedelta(days=1)) == plus(month, 1)


@given(DATES, DATES)
def test_months_sort_as_their_days_do(one: dt.date, other: dt.date) -> None:
    if period_of(one) < period_of(other):
        assert one < other


@given(DATES, st.integers(-240, 240))
def test_going_forth_and_back_ends_where_it_began(day: dt.date, months: int) -> None:
    assert plus(plus(period_of(day), months), -months) == period_of(day)


def test_the_year_turns_and_leap_years_have_29_days() -> None:
    assert plus(period("2026-12"), 1) == "2027-01"
    assert plus(period("2027-01"), -1) == "2026-12"
    assert last_day(period("2024-02")) == dt.date(2024, 2, 29)
    assert last_day(period("2026-02")) == dt.date(2026, 2, 28)


def test_a_simulated_clock_runs_from_its_start_at_its_rate() -> None:
    clock = simulated_time("2026-11-03T09:30:00+08:00@1795561200000x60")
    assert local_time(clock.at(1795561200000)).isoformat() == "2026-11-03T09:30:00+08:00"
    assert local_time(clock.at(1795561201000)).isoformat() == "2026-11-03T09:31:00+08:00"


@given(MS, MS, st.integers(1, 9_999_999))
def test_a_simulated_clock_reads_back_from_its_text(start_ms: int, origin_ms: int, rate: int) -> None:
    clock = SimulatedTime(start_ms=start_ms, origin_ms=origin_ms, rate=rate)
    assert simulated_time(str(clock)) == clock


def test_without_a_rate_it_runs_as_time_does() -> None:
    assert simulated_time("2026-11-03T09:30:00+08:00@0").rate == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-03T09:30:00+08:00",
        "2026-11-03T09:30:00@0x1",
        "@0x1",
        "2026-11-03T09:30:00+08:00@-1x1",
        "yesterday@1x1",
        "x@1x1",
    ],
)
def test_a_clock_in_another_form_is_refused_with_the_form_wanted(text: str) -> None:
    with pytest.raises(ValueError, match="START@ORIGIN_MS"):
        simulated_time(text)
