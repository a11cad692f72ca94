"""A period is a calendar month written "2026-10"; such texts sort as the months do. Knows no device."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import NewType

Period = NewType("Period", str)

_SHAPE = re.compile(r"(?a:\d{4}-(0[1-9]|1[0-2]))")


def period(text: str) -> Period:
    """Return `text` as a period; ValueError if it is not of the form yyyy-mm."""
    if not _SHAPE.fullmatch(text):
        msg = f"{text!r} is not a month: write it as yyyy-mm, for example 2026-10"
        raise ValueError(msg)
    return Period(text)


def period_of(day: dt.date) -> Period:
    """Return the month that `day` lies in."""
    return Period(f"{day.year:04d}-{day.month:02d}")


def first_day(month: Period) -> dt.date:
    """Return the first day of the month."""
    return dt.date(int(month[:4]), int(month[5:]), 1)


def last_day(month: Period) -> dt.date:
    """Return the last day of the month."""
    year, number = int(month[:4]), int(month[5:])
    return dt.date(year, number, calendar.monthrange(year, number)[1])


def plus(month: Period, months: int) -> Period:
    """Return the month that lies `months` later (earlier where negative)."""
    index = int(month[:4]) * 12 + int(month[5:]) - 1 + months
    return Period(f"{index // 12:04d}-{index % 12 + 1:02d}")
