"""What became of a step that was begun and of which no end is known? The device and the baseline tell.

The decision table is data (model/decisions); this reads what it wants and writes its verdict down.
"""

from __future__ import annotations

import datetime as dt

from taxagent.model.decisions import Observed, Ruling, verdict
from taxagent.model.device import DeviceState
from taxagent.model.errors import NeedsHuman
from taxagent.model.job import Outcome, Step, StepRun
from taxagent.model.period import Period
from taxagent.procedures.work import Work, quirks_of, sealed_until


def reconcile(work: Work, state: DeviceState) -> None:
    """Settle every irreversible step that is open in the job's journal, by reading.

    Raises NeedsHuman("STATE_DISAGREES") with the facts where reading does not settle it.
    """
    for run in work.job.open_steps:
        _settle_step(work, state, run)


def _settle_step(work: Work, state: DeviceState, run: StepRun) -> None:
    baseline, rows = run.baseline, state.of_group(run.id.group)
    if baseline is None or not rows:
        raise NeedsHuman("STATE_DISAGREES", step=str(run.id), what="group_gone")
    observed = Observed(
        last_report=rows[0].last_report,
        invoicing_deadline=rows[0].invoicing_deadline,
        writes=work.device.last_writes(),
    )
    ruled = verdict(run.id.step, baseline, observed, _expected(state, run))
    facts = {
        "why": ruled.why,
        "last_report": observed.last_report.isoformat(),
        "invoicing_deadline": observed.invoicing_deadline.isoformat(),
    }
    match ruled.ruling:
        case Ruling.EXECUTED:
            work.ledger.end(run.id, Outcome.EXECUTED, "reconciled", **facts)
        case Ruling.PROVED_NOT_EXECUTED:
            work.ledger.end(run.id, Outcome.NOT_EXECUTED, "reconciled", **facts)
        case Ruling.SOMEONE_ELSES:
            work.ledger.end(run.id, Outcome.EXECUTED, "already", **facts)
        case Ruling.NEEDS_HUMAN:
            raise NeedsHuman("STATE_DISAGREES", step=str(run.id), **facts)


def _expected(state: DeviceState, run: StepRun) -> dt.date | None:
    """What the step makes of the date that it moves; the clock ticket moves none."""
    if run.id.step is Step.SEAL:
        return sealed_until(Period(run.id.period), quirks_of(state))
    deadline = run.facts.get("deadline")
    return dt.date.fromisoformat(deadline) if deadline else None
