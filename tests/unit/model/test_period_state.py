"""The state of a month on a device, by vectors and by the laws that hold for all of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.device import QUIRKS, DeviceKind, MonitorData, Quirks
from taxagent.model.period import period, period_of, plus
from taxagent.model.period_state import (
    PeriodState,
    due_periods,
    locked,
    overdue,
    period_state,
    reported_until,
)
from tests.builders.model import monitor
from tests.builders.vectors import case, rows

INCLUSIVE = QUIRKS[DeviceKind.CONTROL_DISK]
EXCLUSIVE = Quirks(last_report_inclusive=False, clock_ticket_first=False)
DATES = st.dates(dt.date(2020, 1, 1), dt.date(2027, 12, 31))
CLOCKS = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2027, 12, 31))


@pytest.mark.parametrize("row", rows("model/period_state.toml", "state"), ids=case)
def test_vector(row: dict[str, Any]) -> None:
    quirks = EXCLUSIVE if row["kind"] == "golden_disk" else INCLUSIVE
    data = monitor(last_report=row["last_report"], invoicing_deadline=row["deadline"])
    assert period_state(period(row["month"]), row["clock"], data, quirks) == row["state"]
    assert list(due_periods(row["clock"], data, quirks)) == row["due"]
    assert locked(row["clock"], data, quirks) is row["locked"]
    assert overdue(row["clock"], data, quirks) is row["overdue"]


@given(CLOCKS, DATES, DATES)
def test_the_due_months_are_exactly_the_closed_ones_that_are_not_settled(
    clock: dt.datetime, last_report: dt.date, deadline: dt.date
) -> None:
    data = monitor(last_report=last_report, invoicing_deadline=deadline)
    this_month = period_of(clock)
    closed = [plus(this_month, -n) for n in range(120, 0, -1)]
    not_settled = [
        month for month in closed if period_state(month, clock, data, INCLUSIVE) is not PeriodState.SETTLED
    ]
    assert list(due_periods(clock, data, INCLUSIVE)) == not_settled


@given(CLOCKS, DATES, DATES)
def test_months_to_be_reported_come_after_the_ones_to_be_cleared(
    clock: dt.datetime, last_report: dt.date, deadline: dt.date
) -> None:
    data = monitor(last_report=last_report, invoicing_deadline=deadline)
    states = [period_state(m, clock, data, INCLUSIVE) for m in due_periods(clock, data, INCLUSIVE)]
    assert states == sorted(states, key=[PeriodState.CLEAR_DUE, PeriodState.REPORT_DUE].index)


@given(CLOCKS, DATES, DATES)
def test_a_kind_that_stores_the_next_day_is_in_the_same_state(
    clock: dt.datetime, last_report: dt.date, deadline: dt.date
) -> None:
    inclusive = monitor(last_report=last_report, invoicing_deadline=deadline)
    exclusive = monitor(last_report=last_report + dt.timedelta(days=1), invoicing_deadline=deadline)
    month = plus(period_of(clock), -1)
    assert period_state(month, clock, inclusive, INCLUSIVE) is period_state(
        month, clock, exclusive, EXCLUSIVE
    )
    assert overdue(clock, inclusive, INCLUSIVE) is overdue(clock, exclusive, EXCLUSIVE)
    assert reported_until(inclusive, INCLUSIVE) == reported_until(exclusive, EXCLUSIVE)


@given(CLOCKS, DATES, DATES)
def test_a_device_is_locked_only_while_something_is_due(
    clock: dt.datetime, last_report: dt.date, deadline: dt.date
) -> None:
    data = monitor(last_report=last_report, invoicing_deadline=deadline)
    if locked(clock, data, INCLUSIVE):
        assert clock.date() > deadline
        assert due_periods(clock, data, INCLUSIVE)


def test_a_garbage_date_does_not_make_a_thousand_years_of_work() -> None:
    ancient: MonitorData = monitor(invoicing_deadline=dt.date(1, 1, 1), last_report=dt.date(1, 1, 1))
    assert len(due_periods(dt.datetime(2026, 11, 3, 9, 0), ancient, INCLUSIVE)) == 120
