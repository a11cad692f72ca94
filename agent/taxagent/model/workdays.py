"""Which days are worked in China, public holidays and make-up days included. Knows no tax.

The data (PyPI `chinesecalendar`) end with the last year that was published; beyond it only weekends are
known, and each day says so.
"""

from __future__ import annotations

import datetime as dt
import functools

from taxagent.model.value import Value


class Day(Value, frozen=True, kw_only=True):
    """What is known of a day."""

    off: bool  # not worked: a weekend or a holiday
    holiday: bool  # a day off for a statutory holiday, the swapped days included
    known: bool  # False beyond the published calendar: then only weekends count


@functools.lru_cache(maxsize=1024)
def day(date: dt.date) -> Day:
    """Return what is known of `date`; never raises."""
    from chinese_calendar import get_holiday_detail  # noqa: PLC0415 - most commands need no calendar

    try:
        off, name = get_holiday_detail(date)
    except NotImplementedError:
        return Day(off=date.weekday() >= 5, holiday=False, known=False)
    return Day(off=off, holiday=off and name is not None, known=True)


def workday(date: dt.date) -> bool:
    """Return whether `date` is worked (make-up days at weekends are)."""
    return not day(date).off


def nth_workday_after(date: dt.date, count: int) -> dt.date:
    """Return the `count`-th worked day after `date`; `count` >= 1."""
    while count > 0:
        date += dt.timedelta(days=1)
        count -= workday(date)
    return date
