"""What stands in the way of invoicing: a small function for each reason, over one reading. Pure.

Each returns the case that holds (cases.py has its words), or nothing. All times are naive wall-clock times of
Asia/Shanghai.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec

from taxagent.model.cases import Cause
from taxagent.model.device import QUIRKS, DeviceState, MonitorData
from taxagent.model.job import Job, JobState, Problem
from taxagent.model.money import yuan
from taxagent.model.period_state import due_periods, locked, overdue
from taxagent.model.value import Value
from taxagent.model.windows import CLOCKS_APART

LOCK_NEAR = dt.timedelta(days=5)
UPLOAD_NEAR = dt.timedelta(days=3)
OFFLINE_NEAR_HOURS = 24
STOCK_LOW = 10
MEMORY_LOW = 100
CERTIFICATE_DAYS = {1: "CERTIFICATE_1_DAY", 7: "CERTIFICATE_7_DAYS", 30: "CERTIFICATE_30_DAYS"}
_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)
_PASSWORD = {
    "PASSWORD_BLOCKED": "PASSWORD_BLOCKED",
    "PASSWORD_LAST_TRY": "PASSWORD_LAST_TRY",
    "PASSWORD_WRONG": "PASSWORD_REFUSED",
    "PASSWORD_LATCHED": "PASSWORD_REFUSED",
    "PASSWORD_MISSING": "PASSWORD_MISSING",
}
_BROKEN = frozenset({"DEVICE_FAULTY", "DEVICE_FULL"})  # the device itself says that it can do nothing
_UNREGISTERED = "DEVICE_UNREGISTERED"
_TOLD_OTHERWISE = frozenset({"DEVICE_ABSENT", "DEVICE_IN_USE", _UNREGISTERED, *_PASSWORD})


class Situation(Value, frozen=True, kw_only=True):
    """All that the answer depends on."""

    now: dt.datetime  # the host's wall clock
    device_no: str  # "" where no device was ever identified
    plugged: bool
    known: bool = True  # it was seen since the agent started
    read_at: dt.datetime | None = None  # the host's wall clock at the newest reading
    state: DeviceState | None = None
    held_by: str = ""  # another program; "" = none, or not known
    held_since: dt.datetime | None = None
    problem: Problem | None = None  # why the device cannot be read
    trouble: Problem | None = None  # why nothing can be seen on the bus
    vendor_devices: tuple[str, ...] = ()  # names of what is plugged and not ours to drive
    job: Job | None = None  # the live job on this device
    filing_until: dt.date | None = None  # last day of this month's filing window, where it is known

    @property
    def device_now(self) -> dt.datetime | None:
        """The device's clock by now: as read, plus what passed since."""
        if self.state is None or self.read_at is None:
            return None
        return self.state.clock + (self.now - self.read_at)


# ---- what is particular to a type


def of_type(at: Situation, row: MonitorData, now: dt.datetime) -> Iterator[Cause]:
    """Yield the cases that hold for one invoice type; `now` is the device's clock."""
    for found in (
        _lock(at, row, now),
        _offline(at, row),
        _upload(at, row, now),
        _stock(at, row),
        _memory(at, row),
        _limit(at, row),
    ):
        if found is not None:
            yield found


def _lock(at: Situation, row: MonitorData, now: dt.datetime) -> Cause | None:
    quirks = QUIRKS.get(at.state.hello.kind) if at.state is not None else None
    if quirks is None:  # a kind of a later version: its own deadline is all that is certain
        past = now.date() > row.invoicing_deadline
        return cause(at, "LOCKED", deadline=str(row.invoicing_deadline)) if past else None
    facts = {
        "deadline": row.invoicing_deadline.isoformat(),
        "last_report": row.last_report.isoformat(),
        "periods": ", ".join(due_periods(now, row, quirks)),
        **_work(at, now, row),
    }
    if locked(now, row, quirks):
        late = overdue(now, row, quirks) and _clock(at) is None  # by a wrong clock nobody is sent to the hall
        return cause(at, "LOCKED_OVERDUE" if late else "LOCKED", **facts)
    left = hours_left(row, now)
    if left is None or not facts["periods"]:
        return None
    return cause(at, "LOCK_NEAR", hours_left=str(left), **facts)


def _offline(at: Situation, row: MonitorData) -> Cause | None:
    if not row.pending_uploads:
        return None
    facts = {
        "pending": str(row.pending_uploads),
        "hours": str(row.offline_hours),
        "amount": yuan(row.offline_amount),
    }
    if row.offline_hours > 0 and row.offline_hours_left <= 0:
        return cause(at, "OFFLINE_HOURS", **facts)
    if row.offline_amount > 0 and row.offline_amount_left <= 0:
        return cause(at, "OFFLINE_AMOUNT", **facts)
    if 0 < row.offline_hours_left <= OFFLINE_NEAR_HOURS:
        facts["hours_left"] = str(row.offline_hours_left)
    if row.offline_amount_left * 10 < row.offline_amount:
        facts["left"] = yuan(row.offline_amount_left)
    return cause(at, "OFFLINE_NEAR", **facts) if facts.keys() & {"hours_left", "left"} else None


def _upload(at: Situation, row: MonitorData, now: dt.datetime) -> Cause | None:
    if row.upload_deadline is None or not row.pending_uploads:
        return None
    facts = {"pending": str(row.pending_uploads), "until": row.upload_deadline.isoformat()}
    left = _end_of(row.upload_deadline) - now
    if left <= dt.timedelta(0):
        return cause(at, "UPLOAD_DEADLINE", **facts)
    return cause(at, "UPLOAD_NEAR", hours_left=str(left // _HOUR), **facts) if left <= UPLOAD_NEAR else None


def _stock(at: Situation, row: MonitorData) -> Cause | None:
    stocks = at.state.stock or () if at.state is not None else ()
    of_type = [stock for stock in stocks if stock.invoice_type == row.invoice_type]
    if not of_type:
        return None
    left = sum(numbers.count for stock in of_type for numbers in stock.ranges)
    if left <= 0:
        return cause(at, "STOCK_EMPTY")
    return cause(at, "STOCK_LOW", left=str(left)) if left <= STOCK_LOW else None


def _memory(at: Situation, row: MonitorData) -> Cause | None:
    if row.capacity_left <= 0:
        return cause(at, "MEMORY_FULL", settle=at.device_no)
    low = row.capacity_left <= MEMORY_LOW
    return cause(at, "MEMORY_LOW", left=str(row.capacity_left)) if low else None


def _limit(at: Situation, row: MonitorData) -> Cause | None:
    if row.month_limit <= 0:  # no limit is set
        return None
    if row.month_limit_left <= 0:
        return cause(at, "MONTH_LIMIT", limit=yuan(row.month_limit))
    if row.month_limit_left >= row.single_limit:
        return None
    return cause(at, "MONTH_LIMIT_NEAR", left=yuan(row.month_limit_left), single=yuan(row.single_limit))


# ---- what is about the whole device


def of_device(at: Situation) -> Iterator[Cause]:
    """Yield the cases that hold for the whole device."""
    for found in (_certificate(at), _held(at), _clock(at), _password(at), _registered(at), *_presence(at)):
        if found is not None:
            yield found


def _certificate(at: Situation) -> Cause | None:
    if at.state is None or at.device_now is None or _clock(at) is not None:
        return None  # by a wrong clock no day can be judged
    info, today = at.state.info, at.device_now.date()
    if today < info.certificate_from:
        return cause(at, "CERTIFICATE_NOT_YET", since=info.certificate_from.isoformat())
    left = (info.certificate_to - today).days
    facts = {"until": info.certificate_to.isoformat(), "days_left": str(left)}
    if left < 0:
        return cause(at, "CERTIFICATE_EXPIRED", **facts)
    return next((cause(at, case, **facts) for days, case in CERTIFICATE_DAYS.items() if left <= days), None)


def _held(at: Situation) -> Cause | None:
    if at.job is not None and at.job.state is JobState.RUNNING:
        return cause(at, "HELD_BY_AGENT", job_id=at.job.job_id)
    if not at.held_by or at.held_by == "agent":
        return None
    facts = {"holder": at.held_by, "since": _minute(at.held_since) if at.held_since else ""}
    return cause(at, "HELD_BY_OTHER" if at.state is not None else "HELD_UNREAD", **facts)


def _clock(at: Situation) -> Cause | None:
    if at.state is None or at.read_at is None:
        return None
    device, host = at.state.clock, at.read_at
    facts = {"device_clock": _minute(device), "host_clock": _minute(host)}
    newest = max((row.last_report for row in at.state.monitor), default=dt.date.min)
    if device.date() < newest:
        return cause(at, "CLOCK_WENT_BACK", last_report=newest.isoformat(), **facts)
    apart = abs(device - host)
    return cause(at, "CLOCK_WRONG", apart=str(apart // _HOUR), **facts) if apart > CLOCKS_APART else None


def _password(at: Situation) -> Cause | None:
    case = _PASSWORD.get(at.problem.fault) if at.problem is not None else None
    return _of_fault(at, case, at.problem) if case is not None and at.problem else None


def _registered(at: Situation) -> Cause | None:
    refused = at.problem is not None and at.problem.fault == _UNREGISTERED
    unissued = at.state is not None and not at.state.info.registered
    return cause(at, "UNREGISTERED") if refused or unissued else None


def _presence(at: Situation) -> Iterator[Cause]:
    if at.trouble is not None:
        yield _of_fault(at, "BUS_TROUBLE", at.trouble)
    elif not at.known:
        yield cause(at, "NEVER_SEEN")
    elif not at.plugged:
        yield cause(at, "NOT_PLUGGED", since=_minute(at.read_at) if at.read_at else "")
    if at.vendor_devices and at.state is None:
        yield cause(at, "VENDOR_DEVICE", seen=", ".join(at.vendor_devices))
    problem = at.problem
    if problem is not None and at.plugged and problem.fault not in _TOLD_OTHERWISE:
        yield _unread(at, problem)


def _unread(at: Situation, problem: Problem) -> Cause:
    """Why the device is not read: it is broken, hangs, or is left to others."""
    if problem.fault == "DEVICE_RELEASED":
        facts = {name: problem.detail[name] for name in ("holder", "until") if name in problem.detail}
        return cause(at, "RELEASED", **facts)
    case = {"DEVICE_SILENT": "HUNG", "DEVICE_HUNG": "HUNG", "DEVICE_QUARANTINED": "QUARANTINED"}.get(
        problem.fault
    )
    broken = "DEVICE_BROKEN" if problem.fault in _BROKEN else "DEVICE_UNREADABLE"
    return _of_fault(at, case or broken, problem)


# ---- facts


def _work(at: Situation, now: dt.datetime, row: MonitorData) -> dict[str, str]:
    """The command that mends a lock: the job that is at it already, else settle, late after the window."""
    if at.job is not None and at.job.kind.irreversible:
        return {"job_id": at.job.job_id}
    last_day = at.filing_until or row.invoicing_deadline
    return {"settle": f"{at.device_no} --late" if now.date() > last_day else at.device_no}


def hours_left(row: MonitorData, now: dt.datetime) -> int | None:
    """Return the whole hours until the type locks, in the last days before that; 0 afterwards."""
    left = _end_of(row.invoicing_deadline) - now
    return max(0, left // _HOUR) if left <= LOCK_NEAR else None


def _end_of(day: dt.date) -> dt.datetime:
    """The midnight that ends `day`; a date at the end of time is garbage, and ends at its beginning."""
    return dt.datetime.combine(min(day, dt.date.max - _DAY), dt.time()) + _DAY


def _minute(moment: dt.datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")


def cause(at: Situation, case: str, **facts: str) -> Cause:
    """Return a case with its facts, those that are empty left out."""
    known = {name: fact for name, fact in {"device_no": at.device_no, **facts}.items() if fact}
    return Cause(case=case, facts=known)


def _of_fault(at: Situation, case: str, problem: Problem) -> Cause:
    return msgspec.structs.replace(cause(at, case), problem=problem)
