"""Report = seal + submit, month by month, oldest first (decision table: rows seal, summary, submit)."""

from __future__ import annotations

import hashlib

from taxagent.model.bureau import Receipt, Report
from taxagent.model.device import DeviceState, SealOrder
from taxagent.model.errors import DeviceRefused, NeedsHuman, Refusal, Unavailable
from taxagent.model.job import Outcome, Step, StepId
from taxagent.model.period import Period, first_day, last_day
from taxagent.model.period_state import PeriodState, period_state
from taxagent.ports import Bureau
from taxagent.procedures.backup import back_up
from taxagent.procedures.guard import baseline, last_look, same_month
from taxagent.procedures.ledger import Ledger
from taxagent.procedures.preflight import beside_the_point
from taxagent.procedures.session import read_state
from taxagent.procedures.work import Work, groups_of, quirks_of


def report(work: Work, state: DeviceState) -> DeviceState:
    """Seal what is due in the job's scope and make sure that the bureau has each report.

    Returns the device's state afterwards.
    """
    for month in work.job.scope.periods:
        for group in groups_of(state, work.job.scope.types):
            state = _sealed(work, state, group, month)
            _submitted(work, state, group, month)
    return state


def settle_reports(ledger: Ledger, bureau: Bureau) -> None:
    """Ask the bureau what became of reports whose answer was lost, for a job that will not go on.

    Raises what `bureau` raises; those of which it did not tell stay unknown.
    """
    device_no = ledger.job.scope.device_no
    for run in ledger.job.unread:
        if run.id.step is not Step.SUBMIT:
            continue
        receipt = bureau.get_report(device_no, run.id.group, Period(run.id.period))
        ours = run.facts.get("summary_sha256", "")
        if receipt is None or (ours and receipt.summary_sha256 != ours):  # none, or another program's
            ledger.end(run.id, Outcome.NOT_EXECUTED, "reconciled")
        else:
            ledger.end(run.id, note="reconciled", receipt_no=receipt.receipt_no)


def _sealed(work: Work, state: DeviceState, group: str, month: Period) -> DeviceState:
    step = StepId(step=Step.SEAL, group=group, period=month)
    row = state.of_group(group)[0]
    match period_state(month, state.clock, row, quirks_of(state)):
        case PeriodState.OPEN:
            raise Refusal("PERIOD_NOT_ENDED", period=month)
        case PeriodState.REPORT_DUE:
            same_month(work.job, state)
            back_up(work, state, month, Step.SEAL)
            return _seal(work, state, step, month)
        case _:
            if not work.job.done(step):
                work.ledger.end(step, note="already")
            return state


def _seal(work: Work, state: DeviceState, step: StepId, month: Period) -> DeviceState:
    state = last_look(work, step.group, Step.SEAL, state)
    row = state.of_group(step.group)[0]
    order = SealOrder(
        group=step.group,
        period_from=first_day(month),
        period_to=last_day(month),
        expected_last_report=row.last_report,
    )
    work.ledger.begin_irreversible(step, baseline(work, row, work.device.seal_sha256(order)))
    try:
        work.device.seal(order)
    except Unavailable:
        work.ledger.end(step, Outcome.NOT_EXECUTED, note="not_sent")
        raise
    except DeviceRefused as refusal:
        return _seal_refused(work, state, step, refusal)
    work.ledger.end(step)
    return read_state(work.device, state.hello)


def _seal_refused(work: Work, state: DeviceState, step: StepId, refusal: DeviceRefused) -> DeviceState:
    """ "Already sealed" is a success once the device shows it; every other no ends the job."""
    if refusal.fault not in {"ALREADY_SEALED", "CAS_FAILED"}:
        work.ledger.end(step, Outcome.NOT_EXECUTED, note="refused")
        raise refusal
    now = read_state(work.device, state.hello)
    quirks = quirks_of(now)
    month = Period(step.period)
    if period_state(month, now.clock, now.of_group(step.group)[0], quirks) is PeriodState.REPORT_DUE:
        work.ledger.end(step, Outcome.NOT_EXECUTED, note="refused")
        raise NeedsHuman("STATE_DISAGREES", what="seal_refused_though_due", period=month)
    work.ledger.end(step, note="already")
    return now


def _submitted(work: Work, state: DeviceState, group: str, month: Period) -> None:
    step = StepId(step=Step.SUBMIT, group=group, period=month)
    if work.job.done(step):
        return
    summary = _summary(work, group, month)
    if summary is None and beside_the_point(work, state, group, month):
        return
    digest = hashlib.sha256(summary).hexdigest() if summary is not None else ""
    receipt = work.bureau.get_report(work.job.scope.device_no, group, month)
    if receipt is not None:
        sent_before = step in {run.id for run in work.job.unread}
        _same_report(work, step, receipt, digest)
        note = "reconciled" if sent_before else "already"
        work.ledger.end(step, note=note, receipt_no=receipt.receipt_no)
        return
    with work.ledger.trying(step, summary_sha256=digest):  # begun: it is about to be sent
        receipt = work.bureau.put_report(_report(work, state, group, month, summary))
        _same_report(work, step, receipt, digest)
        work.ledger.end(step, receipt_no=receipt.receipt_no)


def _same_report(work: Work, step: StepId, receipt: Receipt, digest: str) -> None:
    """Raise NeedsHuman where the bureau has another report than the device, whose summary has `digest`."""
    if digest and receipt.summary_sha256 != digest:
        work.ledger.end(step, Outcome.NOT_EXECUTED, note="refused")
        raise NeedsHuman(
            "STATE_DISAGREES",
            what="bureau_has_another_report",
            device=digest[:16],
            bureau=receipt.summary_sha256[:16],
            period=step.period,
        )


def _summary(work: Work, group: str, month: Period) -> bytes | None:
    """Return the sealed summary, or None where the device has it no more: it keeps the last ones."""
    try:
        return work.device.read_summary(group, month)
    except DeviceRefused as refusal:
        if refusal.fault != "NO_SUCH_DATA":
            raise
        return None


def _report(work: Work, state: DeviceState, group: str, month: Period, summary: bytes | None) -> Report:
    if summary is None:
        raise Refusal("NO_SUCH_DATA", what="report_nowhere", group=group, period=month)
    scope = work.job.scope
    return Report(
        device_no=scope.device_no,
        taxpayer_id=scope.taxpayer_id,
        group=group,
        period=month,
        summary=summary,
        terminal_no=state.info.terminal_no,
        device_kind=state.hello.kind.value,
    )
