"""The procedure of each job kind: one function, run anew after each wait and each crash."""

from __future__ import annotations

from taxagent.model.bureau import Declaration, DeclarationState
from taxagent.model.device import DeviceState
from taxagent.model.errors import Interrupted, Refusal
from taxagent.model.job import JobKind, Outcome, Problem, Reading, Step, StepId, WaitReason
from taxagent.model.period import Period
from taxagent.model.period_state import PeriodState, period_state
from taxagent.procedures.backup import back_up
from taxagent.procedures.checks import check
from taxagent.procedures.checks_device import wrong_taxpayer
from taxagent.procedures.clear import clear, reported
from taxagent.procedures.ledger import whole
from taxagent.procedures.preflight import moment_of, needed, preflight, warned
from taxagent.procedures.reconcile import reconcile
from taxagent.procedures.report import report, settle_reports
from taxagent.procedures.session import greet, open_session, read_state, unregistered
from taxagent.procedures.work import Waiting, Work, quirks_of


def run_procedure(work: Work) -> None:
    """Do what is left of the job. Returns when all of it is done.

    Raises Waiting where the job must wait, and AgentError for every other end of the run.
    """
    work.check_stop()
    try:
        _run(work)
    except Exception:
        work.device.close()  # however the run ends: nobody else may find its session open
        raise
    work.device.close()


def _run(work: Work) -> None:
    if work.job.kind is JobKind.CHECK:
        _check(work)
        return
    state = _identified(work)
    reconcile(work, state)
    _unless_cancelled(work, state)
    preflight(work, state)
    match work.job.kind:
        case JobKind.BACKUP:
            for month in work.job.scope.periods:
                back_up(work, state, month, Step.BACKUP)
        case JobKind.REPORT:
            state = report(work, state)
        case JobKind.CLEAR:
            reported(work, state)
            declared(work, state)
            state = clear(work, state)
        case JobKind.SETTLE:
            state = report(work, state)
            declared(work, state)
            state = clear(work, state)
    _left(work, state)


def _check(work: Work) -> None:
    if work.job.cancel_requested:
        raise Interrupted("CANCELLED")
    check(work)


def _identified(work: Work) -> DeviceState:
    """Open the device, make sure that it is the job's, and keep its first state."""
    step, scope = whole(Step.IDENTIFY), work.job.scope
    hello = greet(work.device, scope.device_no, simulation=work.simulation)
    open_session(work.device, hello, work.secrets, work.latch)
    state = read_state(work.device, hello)
    if wrong := wrong_taxpayer(work, state.info):
        raise wrong
    if what := unregistered(state.info):
        raise Refusal("DEVICE_UNREGISTERED", device_no=scope.device_no, what=what)
    if work.job.before is None:
        work.ledger.state("before", _reading(work, state, _warned(work, state)))
    if not work.job.done(step):
        work.ledger.end(step, device_no=hello.device_no, firmware=hello.firmware)
    return state


def _unless_cancelled(work: Work, state: DeviceState) -> None:
    """End a job that someone stopped while it waited, unless all that cannot be undone is done."""
    job = work.job
    if job.cancel_requested and (not job.kind.irreversible or needed(job.kind, job.scope, state)):
        settle_reports(work.ledger, work.bureau)
        raise Interrupted("CANCELLED")


def declared(work: Work, state: DeviceState) -> None:
    """Make sure that the bureau has each period's return; `settle` waits for it, `clear` refuses.

    A month that the device shows as settled needs none: it was cleared, and not by guessing.
    """
    for month in work.job.scope.periods:
        step = StepId(step=Step.DECLARATION, period=month)
        if work.job.done(step) or _settled(work, state, month):
            continue
        answer = work.bureau.get_declaration(work.job.scope.taxpayer_id, month)
        if answer.state in (DeclarationState.ACCEPTED, DeclarationState.NOT_DUE):
            work.ledger.end(step, note=answer.state.value, text=answer.text)
            continue
        undeclared = _undeclared(answer)
        if work.job.kind is not JobKind.SETTLE:
            raise Refusal(undeclared.fault, **undeclared.detail)
        raise Waiting(WaitReason.DECLARATION, undeclared)


def _undeclared(answer: Declaration) -> Problem:
    """Return why there is no return: not filed, not matching, or other machines have to report before."""
    detail: dict[str, str] = {"period": answer.period, "bureau_text": answer.text}
    if answer.state is not DeclarationState.MISSING:
        fault = "DECLARATION_MISMATCH"
    elif answer.unreported:
        fault = "MACHINE_NOT_REPORTED"
        detail["machines"] = ", ".join(map(str, answer.unreported))
    else:
        fault = "NOT_DECLARED"
    return Problem(fault=fault, outcome=Outcome.NOT_EXECUTED, detail=detail)


def _settled(work: Work, state: DeviceState, month: Period) -> bool:
    rows = [row for row in state.monitor if row.invoice_type in work.job.scope.types]
    states = {period_state(month, state.clock, row, quirks_of(state)) for row in rows}
    return states == {PeriodState.SETTLED}


def _left(work: Work, state: DeviceState) -> None:
    """Keep the last state of a job that may have changed the device."""
    if work.job.kind.irreversible:
        work.ledger.state("after", _reading(work, state))


def _reading(work: Work, state: DeviceState, found: tuple[Problem, ...] = ()) -> Reading:
    scope = work.job.scope
    return Reading(state=state, totals=work.totals(scope.types, scope.periods), findings=found)


def _warned(work: Work, state: DeviceState) -> tuple[Problem, ...]:
    acts = needed(work.job.kind, work.job.scope, state)
    return warned(acts, moment_of(work, state))
