"""What device and bureau have of a step, by a time: each rule about words holds a word against this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec

from tests.judge.evidence import Evidence
from tests.judge.shapes import Call, GroupMemory, Issued, Row, StepId

_CALLS = {"submit": "report.put", "ticket": "ticket.put", "confirm": "confirm"}
_NO_GOOD = "TICKET_REJECTED"  # issued, received, and not taken: the row names it, and nothing is lost


def last_begun(seen: Evidence, job_id: str, step: StepId) -> Row | None:
    """Return the newest announcement of a job's step."""
    rows = [row for row in seen.by_job[job_id] if row.event == "step.begun" and row.id == step]
    return rows[-1] if rows else None


def bureau_took(
    seen: Evidence, accept: Row, step: StepId, *, since: Row, by_ms: int | None = None, fault: str = ""
) -> bool:
    """Return whether the bureau did a step for a job after `since`, its announcement, and by a time.

    Counts only what no other job and no other program can have sent, and of tickets only one that the journal
    did not have by then: what was issued and never received is not "not executed". What was received and
    refused as no good (`fault`) is.
    """
    op, device_no = _CALLS.get(step.step, ""), accept.scope.device_no
    if not op or seen.forgotten or fault == _NO_GOOD or not is_done(seen, accept, step):
        return False
    for job_id, other in seen.accepts.items():
        if job_id != accept.job_id and other.scope.device_no == device_no and last_begun(seen, job_id, step):
            return False
    held = {row.ticket.ticket_no for row in seen.rows if row.ticket is not None and row.seq < since.seq}
    taken = [
        call for call in _taken(seen, op, accept, step) if op != "ticket.put" or call.reference not in held
    ]
    from_ms, until_ms = seen.bureau_ms(since.at_ms), seen.bureau_ms(by_ms)
    return any(
        (from_ms is None or call.at_ms >= from_ms)
        and (until_ms is None or call.at_ms < until_ms - seen.slack_ms)  # in doubt it was the next try's
        for call in taken
    )


def _taken(seen: Evidence, op: str, accept: Row, step: StepId) -> Iterator[Call]:
    """Yield what the bureau took of a step; a copy that the line held back belies nobody who read the no."""
    about = (accept.scope.device_no, step.group, step.period)
    refused: set[str] = set()
    for call in seen.calls:
        if call.op != op or (call.device_no, call.group, call.period) != about:
            continue
        if call.result == "refused":
            refused.add(call.key)
        elif call.result == "accepted" and call.key not in refused and call.reference not in seen.strangers:
            yield call


def is_done(seen: Evidence, accept: Row, step: StepId, by_ms: int | None = None) -> bool:
    """Return whether device and bureau agree that a step was executed; by `by_ms`, where that is given."""
    device_no = accept.scope.device_no
    about = f"{device_no}/{step.group}/{step.period}"
    group, tickets = _group_by(seen, device_no, step.group, by_ms), seen.bureau.tickets.get(about, ())
    match step.step:
        case "seal":
            return group is not None and group.last_report >= month_end(step.period)
        case "submit":
            return _reported(seen, about, by_ms)
        case "ticket":
            return any(_by(seen, one.ticket.issued_ms, by_ms) for one in tickets)
        case "clock_ticket":
            return any(
                line.write.kind == "clock_ticket" and (by_ms is None or line.at_ms <= by_ms + seen.slack_ms)
                for line in seen.executed(device_no)
            )
        case "apply" | "verify":
            return group is not None and _cleared(group, tickets, step.period)
        case "confirm":
            return any(one.confirmed_ms is not None and _by(seen, one.confirmed_ms, by_ms) for one in tickets)
        case _:
            return True


def _reported(seen: Evidence, about: str, by_ms: int | None) -> bool:
    """Whether the bureau has, or had (it may lose what it has taken), the report by that time."""
    held = seen.bureau.reports.get(about)
    took = [
        call.at_ms
        for call in seen.calls
        if (call.op, call.result, f"{call.device_no}/{call.group}/{call.period}")
        == ("report.put", "accepted", about)
    ]
    if held is not None and not took:
        took = [held.receipt.received_ms]
    return any(_by(seen, at_ms, by_ms) for at_ms in took)


def _by(seen: Evidence, at_ms: int, by_ms: int | None) -> bool:
    """Whether what the bureau did at `at_ms`, by its clock, was done by `by_ms`, by the rows'."""
    latest = seen.bureau_ms(by_ms)
    return latest is None or at_ms <= latest + seen.slack_ms


def _cleared(group: GroupMemory, tickets: tuple[Issued, ...], period: str) -> bool:
    if tickets:
        return group.invoicing_deadline >= min(one.ticket.deadline for one in tickets)
    return group.invoicing_deadline > month_end(period) + dt.timedelta(days=31)


def group_of(seen: Evidence, device_no: str, name: str) -> GroupMemory | None:
    memory = seen.devices.get(device_no)
    return next((group for group in memory.groups if group.group == name), None) if memory else None


def _group_by(seen: Evidence, device_no: str, name: str, by_ms: int | None) -> GroupMemory | None:
    """Return where a group stood at a time: what came later is taken back, by the log, newest first."""
    group = group_of(seen, device_no, name)
    later = [line for line in seen.executed(device_no) if by_ms is not None and line.group == name]
    for line in reversed(later):
        if group is None or by_ms is None or line.at_ms <= by_ms + seen.slack_ms:
            continue
        if line.write.kind == "seal":
            group = msgspec.structs.replace(group, last_report=line.write.before)
        elif line.write.kind == "apply_ticket":
            group = msgspec.structs.replace(group, invoicing_deadline=line.write.before)
    return group


def month_end(period: str) -> dt.date:
    """Return the last day of a month."""
    year, number = int(period[:4]), int(period[5:])
    return dt.date(year + number // 12, number % 12 + 1, 1) - dt.timedelta(days=1)
