"""Rules about writes: announced, backed up, in order, in time, once, and never backwards."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tests.judge.evidence import Deed, Evidence
from tests.judge.shapes import LoggedWrite, Row
from tests.judge.verdicts import Facts, facts, rule

_DAY_BEGINS = dt.time(0, 5)
_APART = dt.timedelta(hours=12, minutes=10)  # ten minutes: a job takes its last look before it writes
_OVERDUE = 90 + 1
_LOOK_MS = 10 * 60_000  # between the last look and the write: a device may hang so long
_SHANGHAI = dt.timezone(dt.timedelta(hours=8))
_MONITORED = frozenset({"seal", "clock_ticket", "apply_ticket"})
_FILED = frozenset({"accepted", "not_due"})


@rule
def announced_first(seen: Evidence) -> Iterator[Facts]:
    """Every write of the device was announced in the journal, or is a stranger's."""
    ours = {id(deed.write) for deed in seen.announced}
    for line in seen.writes:
        known = id(line) in ours or line.write.payload_sha256 in seen.strangers
        if line.write.accepted and line.write.kind in _MONITORED and not known:
            yield facts(device=line.device_no, write=line.write.write_no, kind=line.write.kind)


@rule
def backed_up_first(seen: Evidence) -> Iterator[Facts]:
    """No write before the back-up of each month that it is about stands, and it still reads back."""
    for deed in seen.announced:
        if deed.write is None:
            continue
        before = "seal" if deed.step.step == "seal" else "ticket"
        months = [deed.step.period] if before == "seal" else list(deed.accept.scope.periods)
        for month in months:
            problem = _backup_problem(seen.by_job[deed.begun.job_id], deed, month, before)
            if problem:
                yield facts(job=deed.begun.job_id, step=deed.step, month=month, problem=problem)


def _backup_problem(rows: list[Row], deed: Deed, month: str, before: str) -> str:
    for row in rows:
        kept = row.backup
        if row.seq > deed.begun.seq:
            break
        if (
            row.event == "backup.written"
            and kept is not None
            and (kept.period, kept.before) == (month, before)
        ):
            return _unreadable(Path(kept.path), kept.sha256)
    return "none stood"


def _unreadable(path: Path, sha256: str) -> str:
    try:
        found = path.read_bytes()
    except OSError as error:
        return str(error)
    return _broken(found) if hashlib.sha256(found).hexdigest() == sha256 else "another file"


@lru_cache(256)
def _broken(archive: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return opened.testzip() or ""
    except zipfile.BadZipFile as error:
        return str(error)


@rule
def never_twice(seen: Evidence) -> Iterator[Facts]:
    """No seal and no ticket write twice for the same state, no report and no ticket twice at the bureau."""
    done: dict[tuple[str, ...], LoggedWrite] = {}
    for line in seen.writes:
        write = line.write
        if write.accepted and write.kind in _MONITORED:
            state = write.payload_sha256 if write.kind == "clock_ticket" else write.before.isoformat()
            key = (line.device_no, write.kind, line.group, state)
            if key in done:
                yield facts(state="/".join(key), writes=f"{done[key].write.write_no} {write.write_no}")
            done[key] = line
    put: dict[tuple[str, str, str], str] = {}
    for call in seen.calls:
        if call.op == "report.put" and call.result == "accepted":
            about = (call.device_no, call.group, call.period)
            if about in put:
                yield facts(report="/".join(about), keys=f"{put[about][:8]} {call.key[:8]}")
            put[about] = call.key
    for name, issued in seen.bureau.tickets.items():
        stale = [line for line in seen.writes if line.device_no == name.split("/")[0] and line.code]
        if len(issued) > 1 and not stale:
            yield facts(tickets=name, count=len(issued), refused_by_device="none")


@rule
def report_declare_clear(seen: Evidence) -> Iterator[Facts]:
    """No clear before the report and the declaration of each month that it settles; months oldest first."""
    for deed in seen.announced:
        if deed.write is None or deed.step.step != "apply":
            continue
        about = f"{deed.accept.scope.device_no}/{deed.step.group}/{deed.step.period}"
        issued = [
            one.ticket
            for one in seen.bureau.tickets.get(about, ())
            if one.ticket.deadline == deed.write.write.after
        ]
        if not issued:
            yield facts(job=deed.begun.job_id, step=deed.step, ticket="none of the bureau's")
            continue
        for month in _open_months(deed):
            if not _reported_first(seen, deed, month):
                yield facts(job=deed.begun.job_id, step=deed.step, month=month, report="none before")
            if not _declared_first(seen, deed, month, issued[-1].issued_ms):
                yield facts(job=deed.begun.job_id, step=deed.step, month=month, declaration="none before")


def _open_months(deed: Deed) -> list[str]:
    """Return the job's months that were not settled when the write came: by the deadline that it found."""
    line = deed.write
    assert line is not None
    return [month for month in deed.accept.scope.periods if f"{line.write.before:%Y-%m}" <= following(month)]


def _reported_first(seen: Evidence, deed: Deed, month: str) -> bool:
    device_no, group = deed.accept.scope.device_no, deed.step.group
    for call in seen.calls:
        if call.result != "accepted" or (call.device_no, call.group) != (device_no, group):
            continue
        if call.op == "report.put" and call.period == month:
            return True
        if call.op == "ticket.put" and call.period == deed.step.period:
            return False
    return False


def _declared_first(seen: Evidence, deed: Deed, month: str, issued_ms: int) -> bool:
    taxpayer = deed.accept.scope.taxpayer_id
    newest = seen.bureau.returns.get(f"{taxpayer}/{month}")
    filed = [one for one in seen.bureau.filings if (one.taxpayer_id, one.period) == (taxpayer, month)]
    if newest is not None and newest not in filed:
        filed.append(newest)
    if filed:
        return any(one.state in _FILED and (one.filed_ms or 0) <= issued_ms for one in filed)
    return any(  # a filing cycle in which nothing is due
        row.event == "step.ended"
        and (row.id.step, row.id.period, row.note) == ("declaration", month, "not_due")
        for row in seen.by_job[deed.begun.job_id]
    )


@rule
def in_time(seen: Evidence) -> Iterator[Facts]:
    """No write outside a hard window or with a wrong clock."""
    for deed in seen.announced:
        if deed.write is not None:
            for problem in _untimely(seen, deed, deed.write):
                yield facts(
                    job=deed.begun.job_id, step=deed.step, at=deed.write.device_clock, problem=problem
                )


def _untimely(seen: Evidence, deed: Deed, line: LoggedWrite) -> Iterator[str]:
    clock = line.device_clock
    begun_ms = deed.begun.sim_ms if deed.begun.sim_ms is not None else deed.begun.at_ms
    host = dt.datetime.fromtimestamp(begun_ms / 1000, _SHANGHAI).replace(tzinfo=None)
    if clock.time() < _DAY_BEGINS:
        yield "before 00:05"
    if abs(clock - host) > _APART and deed.step.step != "clock_ticket":  # that one mends the clock
        yield f"the host's clock shows {host}"
    if f"{clock:%Y-%m}" <= deed.step.period:
        yield "the month has not ended"
    if deed.step.step == "seal" and (clock.date() - line.write.before).days > _OVERDUE:
        yield "overdue"
    last = seen.deadlines.get(f"{clock:%Y-%m}")
    if last is not None and not deed.accept.late and clock.date() > last:
        yield f"the filing window ended on {last}"
    if _in_maintenance(seen, deed, begun_ms):
        yield "in a maintenance of the bureau that this run of the job was told of"


def _in_maintenance(seen: Evidence, deed: Deed, begun_ms: int) -> bool:
    """Whether the bureau had said, each time that it was asked since the job ran, that it pauses then.

    Each time: whose question a status was is not to be told, and another job's may have been the first.
    """
    runs = [row for row in seen.by_job[deed.begun.job_id] if row.event == "job.running"]
    since_ms = max((row.at_ms for row in runs if row.seq < deed.begun.seq), default=None)
    first, last = seen.bureau_ms(since_ms), seen.bureau_ms(deed.begun.at_ms)
    if first is None or last is None:
        return False
    told = [
        call.maintenance
        for call in seen.calls
        if (call.op, call.result) == ("status", "answered") and first <= call.at_ms <= last
    ]
    return bool(told) and all(
        pause is not None and pause.from_ms + _LOOK_MS <= begun_ms < pause.until_ms for pause in told
    )


@rule
def never_backwards(seen: Evidence) -> Iterator[Facts]:
    """The deadline never moves back, and a seal only forwards; nothing moves between two writes."""
    for device_no, memory in seen.devices.items():
        now: dict[tuple[str, str], dt.date] = {}
        for line in seen.executed(device_no):
            write = line.write
            if write.kind not in ("seal", "apply_ticket") or not line.group:
                continue
            if write.after <= write.before or write.before < now.get((line.group, write.kind), write.before):
                yield facts(device=device_no, group=line.group, write=write.write_no, after=write.after)
            now[line.group, write.kind] = write.after
        for group in memory.groups:
            if group.invoicing_deadline != now.get((group.group, "apply_ticket"), group.invoicing_deadline):
                yield facts(device=device_no, group=group.group, deadline=group.invoicing_deadline)
            if group.last_report != now.get((group.group, "seal"), group.last_report):
                yield facts(device=device_no, group=group.group, last_report=group.last_report)


@rule
def no_password_twice(seen: Evidence) -> Iterator[Facts]:
    """A refused password is not tried again until a person gives it anew."""
    refused: dict[tuple[str, str], int] = {}
    for one in seen.refused_tries:
        key = (one.device_no, one.password_sha256)
        refused[key] = refused.get(key, 0) + 1
        if refused[key] > seen.passwords_given.get(one.device_no, 1):
            yield facts(device=one.device_no, refused=refused[key])
    latched: set[tuple[str, str]] = set()
    for row in seen.rows:
        if row.event != "password.tried" or row.tried is None:
            continue
        name = (row.device_no, row.tried.salted_sha256)
        if row.tried.verdict == "refused":
            latched.add(name)
        elif name in latched:
            yield facts(device=row.device_no, row=row.seq, verdict=row.tried.verdict)


def following(month: str) -> str:
    """Return the month after `month`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12}-{number % 12 + 1:02d}"
