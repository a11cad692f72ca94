"""Clear: ticket, store it, write it, reopen, verify, confirm (decision table: rows ticket to confirm).

One clear settles every closed month of its group, so its steps carry the newest month of the job.
"""

from __future__ import annotations

import datetime as dt

from taxagent.model.bureau import Ticket
from taxagent.model.device import DeviceState, MonitorData
from taxagent.model.errors import (
    AnswerLost,
    BureauDown,
    BureauRefused,
    DeviceRefused,
    NeedsHuman,
    Refusal,
    Unavailable,
)
from taxagent.model.job import JobKind, Outcome, Step, StepId, WaitReason
from taxagent.model.period import Period, period_of, plus
from taxagent.model.period_state import PeriodState, period_state
from taxagent.procedures.backup import back_up
from taxagent.procedures.guard import baseline, last_look, same_month
from taxagent.procedures.preflight import beside_the_point
from taxagent.procedures.session import greet, open_session, read_state
from taxagent.procedures.work import Waiting, Work, groups_of, quirks_of

_NOT_FILED = frozenset({"NOT_DECLARED", "DECLARATION_MISMATCH", "MACHINE_NOT_REPORTED"})
_STALE = frozenset({"TICKET_STALE", "CLOCK_TICKET_MISSING"})  # a fresh pair of tickets is asked for, once


def reported(work: Work, state: DeviceState) -> None:
    """Make sure that every month was reported, for a job that does not report itself.

    What is still to be cleared the bureau checks itself, before it gives the ticket; what is cleared already
    is a success only where it has the report. Raises Refusal("NOT_REPORTED") with the types and the months.
    """
    missing = [
        (group, month)
        for month in work.job.scope.periods
        for group in groups_of(state, work.job.scope.types)
        if not _reported(work, state, group, month)
    ]
    if missing:
        raise Refusal(
            "NOT_REPORTED",
            types=", ".join(dict.fromkeys(group.replace("+", ", ") for group, _ in missing)),
            period=", ".join(dict.fromkeys(month for _, month in missing)),
        )


def clear(work: Work, state: DeviceState) -> DeviceState:
    """Clear every group of the job's scope; return the device's state afterwards."""
    for group in groups_of(state, work.job.scope.types):
        state = _cleared(work, state, group)
        _confirmed(work, group)
    return state


def _cleared(work: Work, state: DeviceState, group: str) -> DeviceState:
    month = work.job.scope.periods[-1]
    apply = StepId(step=Step.APPLY, group=group, period=month)
    if work.job.done(apply):
        return _verified(work, state, group)
    if _state_of(state, group, month) is PeriodState.SETTLED:
        deadline = state.of_group(group)[0].invoicing_deadline
        work.ledger.end(apply, note="already", deadline=deadline.isoformat())
        return _verified(work, state, group)
    same_month(work.job, state)
    ticket = _ticket_at_hand(work, group, month)
    for each in work.job.scope.periods:
        back_up(work, state, each, Step.TICKET)
    try:
        state = _write(work, state, group, ticket)
    except DeviceRefused as refusal:
        if refusal.fault not in _STALE or _superseded(work, group, month) not in ("", ticket.ticket_no):
            raise
        fresh = _ticket(work, group, month, supersedes=ticket.ticket_no)
        state = _write(work, state, group, fresh)
    return _verified(work, state, group)


def _reported(work: Work, state: DeviceState, group: str, month: Period) -> bool:
    match _state_of(state, group, month):
        case PeriodState.REPORT_DUE:
            return False
        case PeriodState.SETTLED:
            return beside_the_point(work, state, group, month) or _held(work, group, month)
        case _:
            return True


def _held(work: Work, group: str, month: Period) -> bool:
    return work.bureau.get_report(work.job.scope.device_no, group, month) is not None


def _state_of(state: DeviceState, group: str, month: Period) -> PeriodState:
    return period_state(month, state.clock, state.of_group(group)[0], quirks_of(state))


def _ticket_at_hand(work: Work, group: str, month: Period) -> Ticket:
    """Return the stored ticket, unless a fresh one was asked for in its place and is not here yet."""
    stored, superseded = work.job.ticket_of(group), _superseded(work, group, month)
    if stored is not None and stored.ticket_no != superseded:
        return stored
    return _ticket(work, group, month, supersedes=superseded)


def _ticket(work: Work, group: str, month: Period, supersedes: str = "") -> Ticket:
    """Get the ticket and make it durable before anything else is done with it."""
    step = StepId(step=Step.TICKET, group=group, period=month)
    device_no = work.job.scope.device_no
    try:
        ticket = _given(work, step, supersedes)
        with work.ledger.trying(step, supersedes=supersedes):
            if ticket is None:
                ticket = work.bureau.put_ticket(device_no, group, month, supersedes=supersedes)
            _settles(ticket, month)
            work.ledger.ticketed(step, ticket)
    except BureauRefused as refusal:
        if refusal.fault in _NOT_FILED and work.job.kind is JobKind.SETTLE:
            raise Waiting(WaitReason.DECLARATION, refusal.problem()) from None
        raise
    return ticket


def _given(work: Work, step: StepId, supersedes: str) -> Ticket | None:
    """Return the ticket that the bureau gave before, to us or others; None where it is to be asked for.

    Asked before a new try is announced: unless it is answered, what an earlier try did stays unknown.
    """
    if supersedes and supersedes != _superseded(work, step.group, Period(step.period)):
        return None  # the device found it stale just now
    ticket = work.bureau.get_ticket(work.job.scope.device_no, step.group, Period(step.period))
    return None if ticket is None or ticket.ticket_no == supersedes else ticket


def _settles(ticket: Ticket, month: Period) -> None:
    """Refuse a ticket that would leave the month unsettled: written, it could only be called a success."""
    if period_of(ticket.deadline) <= plus(month, 1):
        raise Refusal(
            "TICKET_REJECTED",
            ticket_no=ticket.ticket_no,
            deadline=ticket.deadline.isoformat(),
            what="deadline_does_not_settle",
            period=month,
        )


def _superseded(work: Work, group: str, month: Period) -> str:
    """Return the number of the ticket in whose place a fresh one was asked for, "" where none was."""
    run = work.job.run_of(StepId(step=Step.TICKET, group=group, period=month))
    return run.facts.get("supersedes", "") if run is not None else ""


def _write(work: Work, state: DeviceState, group: str, ticket: Ticket) -> DeviceState:
    if ticket.clock_ticket is not None and quirks_of(state).clock_ticket_first:
        _write_clock(work, state, group, ticket, ticket.clock_ticket)
    state = last_look(work, group, Step.APPLY, state)
    row = state.of_group(group)[0]
    deadline = row.invoicing_deadline
    sha256 = work.device.ticket_sha256(ticket.clear_ticket, deadline)
    step = StepId(step=Step.APPLY, group=group, period=work.job.scope.periods[-1])
    work.ledger.begin_irreversible(
        step,
        baseline(work, row, sha256),
        ticket_no=ticket.ticket_no,
        deadline=ticket.deadline.isoformat(),
    )
    try:
        work.device.apply_ticket(ticket.clear_ticket, deadline)
    except Unavailable:
        work.ledger.end(step, Outcome.NOT_EXECUTED, note="not_sent")
        raise
    except DeviceRefused as refusal:
        return _apply_refused(work, state, step, ticket, refusal)
    work.ledger.end(step)
    return state


def _write_clock(work: Work, state: DeviceState, group: str, ticket: Ticket, clock_ticket: bytes) -> None:
    step = StepId(step=Step.CLOCK_TICKET, group=group, period=work.job.scope.periods[-1])
    run = work.job.run_of(step)
    if run is not None and work.job.done(step) and run.facts.get("ticket_no") == ticket.ticket_no:
        return
    state = last_look(work, group, Step.CLOCK_TICKET, state)
    row = state.of_group(group)[0]
    sha256 = work.device.clock_ticket_sha256(clock_ticket)
    facts = {"ticket_no": ticket.ticket_no}
    if run is not None and run.wrote:  # a stale ticket's: what was done is not forgotten over this one
        facts["written_before"] = run.facts.get("written_before") or run.facts["ticket_no"]
    work.ledger.begin_irreversible(step, baseline(work, row, sha256), **facts)
    try:
        work.device.apply_clock_ticket(clock_ticket)
    except Unavailable:
        work.ledger.end(step, Outcome.NOT_EXECUTED, note="not_sent")
        raise
    except DeviceRefused as refusal:
        if refusal.fault != "CLOCK_TICKET_ALREADY":
            work.ledger.end(step, Outcome.NOT_EXECUTED, note="refused")
            raise
        work.ledger.end(step, note="already")
        return
    work.ledger.end(step)


def _apply_refused(
    work: Work, state: DeviceState, step: StepId, ticket: Ticket, refusal: DeviceRefused
) -> DeviceState:
    """ "Already cleared" is a success once the device shows the ticket's deadline, or a later one."""
    if refusal.fault in {"ALREADY_CLEARED", "CAS_FAILED"}:
        now = read_state(work.device, state.hello)
        if now.of_group(step.group)[0].invoicing_deadline >= ticket.deadline:
            work.ledger.end(step, note="already")
            return now
    work.ledger.end(step, Outcome.NOT_EXECUTED, note="refused")
    raise refusal


def _verified(work: Work, state: DeviceState, group: str) -> DeviceState:
    """Reopen the device and hold what it shows against the ticket, never against the clock."""
    step = StepId(step=Step.VERIFY, group=group, period=work.job.scope.periods[-1])
    if work.job.done(step):
        return state
    with work.ledger.trying(step):
        work.device.close()
        hello = greet(work.device, work.job.scope.device_no, simulation=work.simulation)
        open_session(work.device, hello, work.secrets, work.latch)
        now = read_state(work.device, hello)
        ticket = work.job.ticket_of(group)
        for row in now.of_group(group):
            if ticket is not None and row.invoicing_deadline < ticket.deadline:
                raise _disagrees(row, ticket.deadline)
        work.ledger.end(step, deadline=now.of_group(group)[0].invoicing_deadline.isoformat())
    return now


def _disagrees(row: MonitorData, wanted: dt.date) -> NeedsHuman:
    return NeedsHuman(
        "STATE_DISAGREES",
        what="deadline_not_taken",
        invoice_type=row.invoice_type,
        expected=wanted.isoformat(),
        found=row.invoicing_deadline.isoformat(),
    )


def _confirmed(work: Work, group: str) -> None:
    """Tell the bureau, best effort: the record says "not confirmed" where that did not work."""
    month = work.job.scope.periods[-1]
    step = StepId(step=Step.CONFIRM, group=group, period=month)
    ticket = work.job.ticket_of(group)
    if ticket is None or work.job.done(step):
        return
    before = work.job.run_of(step)
    work.ledger.begin(step)
    try:
        work.bureau.confirm(work.job.scope.device_no, group, month, ticket.ticket_no)
    except (BureauDown, BureauRefused, AnswerLost) as error:
        tried = before is not None and before.outcome is Outcome.UNKNOWN  # and it may have been heard then
        outcome = Outcome.UNKNOWN if tried else error.outcome
        work.ledger.end(step, outcome, note="not_confirmed", fault=error.fault)
        return
    work.ledger.end(step)
