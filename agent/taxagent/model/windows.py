"""When a device may be reported and cleared: each window, whether it is open, why, and when it opens.

Pure: the facts come in as a `Moment`. All times here are naive wall-clock times in Asia/Shanghai.
"""

from __future__ import annotations

import datetime as dt
import functools
import tomllib
from collections.abc import Callable
from enum import StrEnum
from importlib.resources import files
from typing import Literal

import msgspec

from taxagent.model.bureau import Maintenance
from taxagent.model.device import MonitorData, Quirks
from taxagent.model.filing import FilingDeadline
from taxagent.model.period import Period, first_day, period_of, plus
from taxagent.model.period_state import locked, overdue
from taxagent.model.simtime import SHANGHAI, local_time
from taxagent.model.value import Value
from taxagent.model.workdays import workday

DAY_BEGINS = dt.time(0, 5)
CLOCKS_APART = dt.timedelta(hours=12)
PEAKS = ((dt.time(9), dt.time(11)), (dt.time(14), dt.time(16)))
_DAY = dt.timedelta(days=1)


class Act(StrEnum):
    """What is about to be done."""

    REPORT = "report"
    CLEAR = "clear"


class WindowRule(StrEnum):
    """The windows; windows.toml says of each how hard it is."""

    PERIOD_ENDED = "period_ended"
    DAY_BEGUN = "day_begun"
    CLOCKS_AGREE = "clocks_agree"
    NOT_OVERDUE = "not_overdue"
    UPLOADS_DONE = "uploads_done"
    BUREAU_OPEN = "bureau_open"
    FILING_WINDOW = "filing_window"
    FILING_DAY_KNOWN = "filing_day_known"
    NOT_LOCKED = "not_locked"
    OFF_PEAK = "off_peak"


class Rules(Value, frozen=True, kw_only=True):
    """What the configuration says about the filing window."""

    overrides: dict[Period, dt.date] = {}  # by the month in which is filed
    report_until_hour: int = 24  # of the filing window's last day


class Window(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of windows.toml."""

    hard: bool  # outside it nothing is done; a soft one only warns
    clock: Literal["device", "host"]  # whose time decides
    acts: tuple[Act, ...]
    late: bool  # a technician may take it upon himself
    fault: str


class Moment(Value, frozen=True, kw_only=True):
    """All that the windows depend on."""

    host_now: dt.datetime  # aware
    device_clock: dt.datetime  # naive, Asia/Shanghai
    rows: tuple[MonitorData, ...]  # of the invoice types that the work is about
    periods: tuple[Period, ...]  # the months that the work is about; empty where none is meant
    quirks: Quirks
    filing: FilingDeadline  # of the device's month
    maintenance: Maintenance | None = None
    report_until_hour: int = 24  # of the filing window's last day
    late: bool = False  # a technician takes the filing window upon himself


class Finding(Value, frozen=True, kw_only=True):
    """One window at one moment. `fault` and `facts` are for the catalogue's words where it is not open."""

    rule: WindowRule
    hard: bool
    open: bool
    fault: str
    facts: dict[str, str] = {}
    opens_at: dt.datetime | None = None  # None: open, or not a matter of time
    closes_at: dt.datetime | None = None  # None: not a matter of time, or unknown


def window(rule: WindowRule) -> Window:
    """Return what windows.toml says of a window."""
    return _table()[rule]


def findings(act: Act, at: Moment) -> tuple[Finding, ...]:
    """Return every window that counts for `act`, open or not, in the table's order."""
    return tuple(
        msgspec.structs.replace(
            _RULES[rule](at), hard=row.hard and not (row.late and at.late), fault=row.fault
        )
        for rule, row in _table().items()
        if act in row.acts
    )


def blocking(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the hard windows that are not open: while there is one, nothing may be done."""
    return tuple(finding for finding in found if finding.hard and not finding.open)


def warnings(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the soft windows that are not open."""
    return tuple(finding for finding in found if not finding.hard and not finding.open)


def opens_at(found: tuple[Finding, ...]) -> dt.datetime | None:
    """Return when all that blocks will have opened, or None where waiting alone does not help."""
    moments = [finding.opens_at for finding in blocking(found)]
    times = [moment for moment in moments if moment is not None]
    return max(times) if times and len(times) == len(moments) else None


def _period_ended(at: Moment) -> Finding:
    newest = max(at.periods, default=None)
    ended = newest is None or newest < period_of(at.device_clock)
    if ended or newest is None:
        return _found(WindowRule.PERIOD_ENDED, open=True)
    opens = dt.datetime.combine(first_day(plus(newest, 1)), DAY_BEGINS)
    facts = {"period": newest, "device_clock": _text(at.device_clock)}
    return _found(WindowRule.PERIOD_ENDED, open=False, facts=facts, opens_at=opens)


def _day_begun(at: Moment) -> Finding:
    midnight = dt.datetime.combine(at.device_clock.date(), dt.time())
    begun = at.device_clock.time() >= DAY_BEGINS
    return _found(
        WindowRule.DAY_BEGUN,
        open=begun,
        facts={"device_clock": _text(at.device_clock)},
        opens_at=None if begun else dt.datetime.combine(midnight, DAY_BEGINS),
        closes_at=midnight + _DAY if begun else None,
    )


def _clocks_agree(at: Moment) -> Finding:
    host = _host(at)
    facts = {"device_clock": _text(at.device_clock), "host_clock": _text(host)}
    return _found(WindowRule.CLOCKS_AGREE, open=abs(host - at.device_clock) <= CLOCKS_APART, facts=facts)


def _not_overdue(at: Moment) -> Finding:
    late = [row for row in at.rows if overdue(at.device_clock, row, at.quirks)]
    facts = {
        "types": _types(late),
        "last_report": min((row.last_report.isoformat() for row in late), default=""),
    }
    return _found(WindowRule.NOT_OVERDUE, open=not late, facts=facts)


def _uploads_done(at: Moment) -> Finding:
    pending = [row for row in at.rows if row.pending_uploads > 0]
    until = min((row.upload_deadline for row in pending if row.upload_deadline), default=None)
    facts = {
        "pending": str(sum(row.pending_uploads for row in pending)),
        "types": _types(pending),
        "deadline": until.isoformat() if until else "",
    }
    return _found(WindowRule.UPLOADS_DONE, open=not pending, facts=facts)


def _bureau_open(at: Moment) -> Finding:
    pause = at.maintenance
    if pause is None:
        return _found(WindowRule.BUREAU_OPEN, open=True)
    begins, ends = (local_time(ms).replace(tzinfo=None) for ms in (pause.from_ms, pause.until_ms))
    now = _host(at)
    return _found(
        WindowRule.BUREAU_OPEN,
        open=not begins <= now < ends,
        facts={"bureau_text": pause.text},
        opens_at=ends if begins <= now < ends else None,
        closes_at=begins if now < begins else None,
    )


def _filing_window(at: Moment) -> Finding:
    this_month = period_of(at.device_clock)
    closes = dt.datetime.combine(at.filing.deadline, dt.time()) + dt.timedelta(hours=at.report_until_hour)
    inside = at.device_clock < closes
    return _found(
        WindowRule.FILING_WINDOW,
        open=inside,
        facts={"deadline": at.filing.deadline.isoformat(), "source": at.filing.source.value},
        opens_at=None if inside else dt.datetime.combine(first_day(plus(this_month, 1)), DAY_BEGINS),
        closes_at=closes,
    )


def _filing_day_known(at: Moment) -> Finding:
    facts = {"period": at.filing.month, "deadline": at.filing.deadline.isoformat()}
    return _found(WindowRule.FILING_DAY_KNOWN, open=not at.filing.provisional, facts=facts)


def _not_locked(at: Moment) -> Finding:
    shut = [row for row in at.rows if locked(at.device_clock, row, at.quirks)]
    first = min((row.invoicing_deadline for row in shut or at.rows), default=None)
    facts = {"types": _types(shut), "deadline": first.isoformat() if first else ""}
    closes = dt.datetime.combine(first, dt.time()) + _DAY if first and first < dt.date.max else None
    return _found(WindowRule.NOT_LOCKED, open=not shut, facts=facts, closes_at=closes)


def _off_peak(at: Moment) -> Finding:
    now = _host(at)
    if not workday(now.date()):
        return _found(WindowRule.OFF_PEAK, open=True)
    ends = next((end for start, end in PEAKS if start <= now.time() < end), None)
    starts = next((start for start, _ in PEAKS if now.time() < start), None)
    return _found(
        WindowRule.OFF_PEAK,
        open=ends is None,
        opens_at=dt.datetime.combine(now.date(), ends) if ends else None,
        closes_at=dt.datetime.combine(now.date(), starts) if starts and ends is None else None,
    )


_RULES: dict[WindowRule, Callable[[Moment], Finding]] = {
    WindowRule.PERIOD_ENDED: _period_ended,
    WindowRule.DAY_BEGUN: _day_begun,
    WindowRule.CLOCKS_AGREE: _clocks_agree,
    WindowRule.NOT_OVERDUE: _not_overdue,
    WindowRule.UPLOADS_DONE: _uploads_done,
    WindowRule.BUREAU_OPEN: _bureau_open,
    WindowRule.FILING_WINDOW: _filing_window,
    WindowRule.FILING_DAY_KNOWN: _filing_day_known,
    WindowRule.NOT_LOCKED: _not_locked,
    WindowRule.OFF_PEAK: _off_peak,
}


def _found(
    rule: WindowRule,
    *,
    open: bool,
    facts: dict[str, str] | None = None,
    opens_at: dt.datetime | None = None,
    closes_at: dt.datetime | None = None,
) -> Finding:
    moments = {
        name: _text(moment) for name, moment in (("opens_at", opens_at), ("closes_at", closes_at)) if moment
    }
    known = {name: fact for name, fact in (facts or {}).items() if fact}
    return Finding(
        rule=rule,
        hard=True,
        open=open,
        fault="",
        facts={**known, **moments},
        opens_at=opens_at,
        closes_at=closes_at,
    )


def _host(at: Moment) -> dt.datetime:
    return at.host_now.astimezone(SHANGHAI).replace(tzinfo=None)


def _types(rows: list[MonitorData]) -> str:
    return ", ".join(row.invoice_type for row in rows)


def _text(moment: dt.datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")


@functools.cache
def _table() -> dict[WindowRule, Window]:
    source = files("taxagent.model").joinpath("windows.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source), dict[WindowRule, Window])
