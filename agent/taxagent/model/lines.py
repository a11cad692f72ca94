"""A line of a look: what was looked at, and how it is. The words are another's affair (checks.py)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum

from taxagent.model.value import Value


class CheckState(StrEnum):
    """How it is, from good to bad."""

    OK = "ok"
    WARN = "warn"  # works, and should be looked at
    NOT_ASKED = "not_asked"  # something before it stood in the way
    UNKNOWN = "unknown"  # it could not be read
    FAIL = "fail"  # work is refused, or would be


class CheckLine(Value, frozen=True, kw_only=True):
    """One line of a check, or one finding of a probe."""

    line: str  # what was looked at: a name of checks.toml's [_lines]
    code: str  # what was found: a case of checks.toml, or a code of the fault catalogue
    state: CheckState
    subject: str = ""  # which one of several: an invoice type, a window, a clock, a file
    facts: dict[str, str] = {}
    device_code: str = ""  # the vendor's own, beside ours
    opens: dt.datetime | None = None  # of a window: wall clock of Asia/Shanghai; None = no matter of time


def worst(lines: Iterable[CheckLine]) -> CheckState:
    """Return the worst state of the lines; OK where there is none."""
    order = list(CheckState)
    return max((each.state for each in lines), key=order.index, default=CheckState.OK)
