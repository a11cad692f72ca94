"""The filing deadline: the law's rule, the official rows, and who may postpone them."""

from __future__ import annotations

import datetime as dt

import pytest

from taxagent.model.filing import Source, deadline_by_rule, filing_deadline, official_deadline
from taxagent.model.period import Period, period

OFFICIAL = {
    2025: [15, 20, 17, 18, 22, 16, 15, 15, 15, 27, 17, 15],
    2026: [20, 24, 16, 20, 22, 15, 15, 17, 15, 26, 16, 15],
}
MONTHS = [
    (period(f"{y}-{m:02d}"), dt.date(y, m, d)) for y, days in OFFICIAL.items() for m, d in enumerate(days, 1)
]
NOVEMBER = period("2026-11")


@pytest.mark.parametrize(("month", "deadline"), MONTHS)
def test_the_rule_alone_gives_every_official_row(month: Period, deadline: dt.date) -> None:
    found = deadline_by_rule(month)
    assert (found.deadline, found.source, found.provisional) == (deadline, Source.RULE, False)


@pytest.mark.parametrize(("month", "deadline"), MONTHS)
def test_a_month_with_an_official_row_says_so(month: Period, deadline: dt.date) -> None:
    assert official_deadline(month) == deadline
    found = filing_deadline(month)
    assert (found.deadline, found.source, found.provisional) == (deadline, Source.OFFICIAL, False)


@pytest.mark.parametrize(
    ("month", "day"),
    [("2024-02", 23), ("2024-04", 18), ("2024-05", 22), ("2024-10", 24), ("2023-01", 16), ("2023-10", 23)],
)
def test_the_rule_holds_for_years_before_the_rows(month: str, day: int) -> None:
    found = filing_deadline(period(month))
    assert (found.deadline.day, found.source, found.provisional) == (day, Source.RULE, False)


def test_beyond_the_published_holidays_the_deadline_is_provisional() -> None:
    may = filing_deadline(period("2027-05"))
    assert may.deadline == dt.date(2027, 5, 17)  # the 15th is a Saturday; the holidays are not known
    assert may.source is Source.RULE
    assert may.provisional


def test_an_override_is_not_provisional() -> None:
    found = filing_deadline(period("2027-05"), overrides={period("2027-05"): dt.date(2027, 5, 20)})
    assert (found.deadline, found.source, found.provisional) == (dt.date(2027, 5, 20), Source.OVERRIDE, False)


@pytest.mark.parametrize("day", [12, 28])
def test_an_override_wins_over_the_rule_in_both_directions(day: int) -> None:
    found = filing_deadline(period("2024-05"), overrides={period("2024-05"): dt.date(2024, 5, day)})
    assert (found.deadline.day, found.source) == (day, Source.OVERRIDE)


def test_a_region_postpones_an_official_row() -> None:
    found = filing_deadline(NOVEMBER, regional={NOVEMBER: dt.date(2026, 11, 20)})
    assert (found.deadline, found.source) == (dt.date(2026, 11, 20), Source.OVERRIDE)


@pytest.mark.parametrize("day", [10, 16])
def test_nobody_advances_an_official_row(day: int) -> None:
    found = filing_deadline(NOVEMBER, overrides={NOVEMBER: dt.date(2026, 11, day)})
    assert (found.deadline, found.source) == (dt.date(2026, 11, 16), Source.OFFICIAL)


def test_the_later_of_a_persons_word_and_the_bureaus_counts() -> None:
    person, bureau = {NOVEMBER: dt.date(2026, 11, 18)}, {NOVEMBER: dt.date(2026, 11, 20)}
    assert filing_deadline(NOVEMBER, overrides=person, regional=bureau).deadline.day == 20
    assert filing_deadline(NOVEMBER, overrides=bureau, regional=person).deadline.day == 20


def test_an_override_of_another_month_changes_nothing() -> None:
    found = filing_deadline(NOVEMBER, overrides={period("2026-10"): dt.date(2026, 10, 30)})
    assert found.source is Source.OFFICIAL


def test_an_override_may_reach_into_the_next_month_and_no_farther() -> None:
    assert filing_deadline(NOVEMBER, overrides={NOVEMBER: dt.date(2026, 12, 1)}).deadline.month == 12
    for wrong in (dt.date(2026, 10, 31), dt.date(2027, 1, 1)):
        with pytest.raises(ValueError, match="cannot end the filing window of 2026-11"):
            filing_deadline(NOVEMBER, overrides={NOVEMBER: wrong})
