"""Until which day of a month returns are filed (征期): the official rows, overrides, and the law's rule.

The rule (实施细则 art. 109): three or more days off in a row for a holiday inside the 1st to the 15th move
the last day by as many working days; a last day that is off moves to the next working day.
"""

from __future__ import annotations

import datetime as dt
import functools
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files

from taxagent.model.period import Period, first_day, period, period_of, plus
from taxagent.model.value import Value
from taxagent.model.workdays import day, nth_workday_after, workday

_DAY = dt.timedelta(days=1)
_SHORTEST_RUN = 3


class Source(StrEnum):
    """Where a deadline comes from."""

    OFFICIAL = "official"  # the yearly notice
    RULE = "rule"  # computed from the calendar of holidays
    OVERRIDE = "override"  # a region's postponement, or a person's word


class FilingDeadline(Value, frozen=True, kw_only=True):
    """The last day on which returns are filed in `month` (for the month before it)."""

    month: Period
    deadline: dt.date
    source: Source
    provisional: bool  # the holidays of that month are not published yet: only weekends were counted


def filing_deadline(
    month: Period,
    *,
    overrides: Mapping[Period, dt.date] | None = None,
    regional: Mapping[Period, dt.date] | None = None,
) -> FilingDeadline:
    """Return the filing deadline of `month`.

    `overrides` are a person's (configuration), `regional` the bureau's own calendar; the later of the two
    counts. It wins over the rule in any case, over an official row only where it is later: a region can
    postpone the country's day and never advances it, so an earlier override is a slip or an old one.
    Raises ValueError for an override that lies neither in `month` nor in the one after it.
    """
    rows = [rows[month] for rows in (overrides, regional) if rows and month in rows]
    override = max((_reached(month, row) for row in rows), default=None)
    official = official_deadline(month)
    if override is not None and (official is None or override > official):
        return FilingDeadline(month=month, deadline=override, source=Source.OVERRIDE, provisional=False)
    if official is not None:
        return FilingDeadline(month=month, deadline=official, source=Source.OFFICIAL, provisional=False)
    return deadline_by_rule(month)


def official_deadline(month: Period) -> dt.date | None:
    """Return the day that the yearly notice names, or None for a year whose notice is not in the data."""
    return _official().get(month)


def deadline_by_rule(month: Period) -> FilingDeadline:
    """Return what the rule alone gives; provisional where a day that it looks at is not in the calendar."""
    first, fifteenth = first_day(month), first_day(month) + 14 * _DAY
    moved_by = sum(_holiday_runs(first, fifteenth))
    if moved_by:
        last = nth_workday_after(fifteenth, moved_by)
    elif workday(fifteenth):
        last = fifteenth
    else:
        last = nth_workday_after(fifteenth, 1)
    days = (first + n * _DAY for n in range((last - first).days + 1))
    known = all(day(each).known for each in days)
    return FilingDeadline(month=month, deadline=last, source=Source.RULE, provisional=not known)


def _holiday_runs(first: dt.date, last: dt.date) -> list[int]:
    """The lengths of the runs of days off in [first, last] that move the deadline."""
    lengths, run = [], list[dt.date]()
    for n in range((last - first).days + 2):
        date = first + n * _DAY
        if date <= last and day(date).off:
            run.append(date)
        elif run:
            if len(run) >= _SHORTEST_RUN and _in_a_holiday(run):
                lengths.append(len(run))
            run = []
    return lengths


def _in_a_holiday(run: list[dt.date]) -> bool:
    """Whether the whole break around `run` (which may begin earlier or end later) has a statutory holiday."""
    first, last = run[0], run[-1]
    while day(first - _DAY).off:
        first -= _DAY
    while day(last + _DAY).off:
        last += _DAY
    return any(day(first + n * _DAY).holiday for n in range((last - first).days + 1))


def in_reach(month: Period, deadline: dt.date) -> bool:
    """Return whether `deadline` can end the filing window of `month`: it lies in it or in the next one."""
    return period_of(deadline) in (month, plus(month, 1))


def _reached(month: Period, deadline: dt.date) -> dt.date:
    if not in_reach(month, deadline):
        msg = (
            f"{deadline} cannot end the filing window of {month}: name a day of that month or the next,"
            f' for example "{month}" = "{month}-16"'
        )
        raise ValueError(msg)
    return deadline


@functools.cache
def _official() -> dict[Period, dt.date]:
    source = files("taxagent.model").joinpath("filing-deadlines.toml").read_text(encoding="utf-8")
    return {
        period(f"{year}-{number:02d}"): dt.date(int(year), number, last)
        for year, rows in tomllib.loads(source).items()
        for number, last in enumerate(rows["days"], start=1)
    }
