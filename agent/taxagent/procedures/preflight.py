"""May the work be done now? Which windows are shut, for whom they open, and what only warns."""

from __future__ import annotations

import datetime as dt

from taxagent import __version__
from taxagent.model.bureau import BureauStatus, is_older
from taxagent.model.device import DeviceState
from taxagent.model.errors import BureauDown, Refusal
from taxagent.model.filing import filing_deadline
from taxagent.model.job import Job, JobKind, Outcome, Problem, Scope, Step
from taxagent.model.period import Period, period_of
from taxagent.model.period_state import PeriodState, period_state
from taxagent.model.simtime import SHANGHAI
from taxagent.model.windows import Act, Finding, Moment, Rules, WindowRule, blocking, findings
from taxagent.model.windows import warnings as soft
from taxagent.procedures.ledger import whole
from taxagent.procedures.work import Work, quirks_of

_ACT_OF = {Step.SEAL: Act.REPORT, Step.CLOCK_TICKET: Act.CLEAR, Step.APPLY: Act.CLEAR}


def preflight(work: Work, state: DeviceState) -> None:
    """Refuse what may not be done now, before anything is done; what is done already needs no window.

    Raises Refusal for a hard window or an agent that the bureau will not serve, BureauDown for maintenance
    (the job waits) or an unreachable bureau.
    """
    acts = needed(work.job.kind, work.job.scope, state)
    if not acts:
        if not any(run.wrote for run in work.job.steps):
            _believable(work.job.kind, moment_of(work, state))
        return
    work.bureau_status = work.bureau.status()
    _new_enough(work.bureau_status)
    moment = moment_of(work, state)
    for act in acts:
        _stop_at(blocking(findings(act, moment)))
    step = whole(Step.PREFLIGHT)
    if not work.job.done(step):
        work.ledger.end(step, deadline=moment.filing.deadline.isoformat(), source=moment.filing.source.value)


def _believable(kind: JobKind, at: Moment) -> None:
    """Refuse where only a wrong clock may be the reason that nothing is due: a dead one shows a year ago."""
    if kind.irreversible:
        clocks = (each for each in findings(Act.REPORT, at) if each.rule is WindowRule.CLOCKS_AGREE)
        _stop_at(blocking(tuple(clocks)))


def _new_enough(bureau: BureauStatus) -> None:
    """Refuse before anything is written what the bureau would refuse afterwards (426)."""
    least = bureau.minimum_agent_version
    if is_older(__version__, least):
        raise Refusal("BUREAU_VERSION", expected=least, found=__version__)


def hard_stop(work: Work, state: DeviceState, step: Step) -> None:
    """Look at the hard windows once more, right before an irreversible step. Raises as `preflight`."""
    _stop_at(blocking(findings(_ACT_OF[step], moment_of(work, state))))


def needed(kind: JobKind, scope: Scope, state: DeviceState) -> tuple[Act, ...]:
    """Return what of the job is still to be done on the device, and so needs open windows."""
    quirks = quirks_of(state)
    states = {
        period_state(month, state.clock, row, quirks)
        for row in state.monitor
        if row.invoice_type in scope.types
        for month in scope.periods
    }
    acts = []
    if kind in (JobKind.REPORT, JobKind.SETTLE) and states & {PeriodState.OPEN, PeriodState.REPORT_DUE}:
        acts.append(Act.REPORT)
    if kind in (JobKind.CLEAR, JobKind.SETTLE) and states != {PeriodState.SETTLED}:
        acts.append(Act.CLEAR)
    return tuple(acts)


def unsettled(scope: Scope, month: Period, state: DeviceState) -> bool:
    """Return whether a type in scope has not settled the month."""
    quirks = quirks_of(state)
    rows = [row for row in state.monitor if row.invoice_type in scope.types]
    return any(period_state(month, state.clock, row, quirks) is not PeriodState.SETTLED for row in rows)


def beside_the_point(work: Work, state: DeviceState, group: str, month: Period) -> bool:
    """Return whether the month is settled for `group` in a job that was asked for because of others.

    A job's months are those of all its types: one that was new on the device later never reported the older.
    """
    job, row = work.job, state.of_group(group)[0]
    if period_state(month, state.clock, row, quirks_of(state)) is not PeriodState.SETTLED:
        return False
    return job.before is not None and bool(needed(job.kind, job.scope, job.before.state))


def moment_of(work: Work, state: DeviceState) -> Moment:
    """Return all that the windows of this job depend on."""
    job = work.job
    return moment(job.scope, state, work.clock.local(), work.rules, work.bureau_status, late=job.late)


def moment(
    scope: Scope,
    state: DeviceState,
    host_now: dt.datetime,
    rules: Rules,
    bureau: BureauStatus | None,
    *,
    late: bool,
) -> Moment:
    """Return the facts of the windows; the bureau's filing calendar counts as the region's."""
    regional = {row.month: row.deadline for row in bureau.filing_calendar} if bureau else {}
    month = period_of(state.clock)
    return Moment(
        host_now=host_now,
        device_clock=state.clock,
        rows=tuple(row for row in state.monitor if row.invoice_type in scope.types),
        periods=scope.periods,
        quirks=quirks_of(state),
        filing=filing_deadline(month, overrides=rules.overrides, regional=regional),
        maintenance=bureau.maintenance if bureau else None,
        report_until_hour=rules.report_until_hour,
        late=late,
    )


def foreseen(kind: JobKind, scope: Scope, at: Moment, state: DeviceState) -> tuple[Problem, ...]:
    """Return what would only warn; raises Refusal for what would be refused anyway (domain part 4)."""
    acts = needed(kind, scope, state)
    if not acts:
        _believable(kind, at)
    for act in acts:
        _stop_at(blocking(findings(act, at)))
    if kind is JobKind.CLEAR:
        _sealed(scope, state)
    return warned(acts, at)


def _sealed(scope: Scope, state: DeviceState) -> None:
    """Refuse a clear of what the device itself shows as not reported."""
    quirks = quirks_of(state)
    due = [
        (row.invoice_type, month)
        for row in state.monitor
        if row.invoice_type in scope.types
        for month in scope.periods
        if period_state(month, state.clock, row, quirks) is PeriodState.REPORT_DUE
    ]
    if due:
        raise Refusal(
            "NOT_REPORTED",
            types=", ".join(dict.fromkeys(invoice_type for invoice_type, _ in due)),
            period=", ".join(dict.fromkeys(month for _, month in due)),
        )


def warned(acts: tuple[Act, ...], at: Moment) -> tuple[Problem, ...]:
    """Return the soft windows that are not open, each once."""
    found = {each.rule: each for act in acts for each in soft(findings(act, at))}
    return tuple(problem_of(each) for each in found.values())


def window_end_ms(job: Job, now: dt.datetime, rules: Rules) -> int | None:
    """Return when a waiting job gives up, in the job's own time (ms UTC): at the filing window's end.

    A job that only reads waits a day; one that a technician submitted as late waits without end.
    """
    if not job.kind.irreversible:
        return round((now + dt.timedelta(days=1)).timestamp() * 1000)
    if job.late:
        return None
    deadline = (
        _found_before(job)
        or filing_deadline(Period(period_of(now.date())), overrides=rules.overrides).deadline
    )
    end = dt.datetime.combine(deadline, dt.time(), SHANGHAI) + dt.timedelta(hours=rules.report_until_hour)
    return round(end.timestamp() * 1000)


def _found_before(job: Job) -> dt.date | None:
    """The deadline that the job's own preflight found: it knew the bureau's calendar, too."""
    run = job.run_of(whole(Step.PREFLIGHT))
    found = run.facts.get("deadline") if run is not None else None
    return dt.date.fromisoformat(found) if found else None


def _stop_at(shut: tuple[Finding, ...]) -> None:
    for finding in shut:
        if finding.fault == "BUREAU_MAINTENANCE":
            raise BureauDown(finding.fault, retry_after_s=None, **finding.facts)
        raise Refusal(finding.fault, **finding.facts)


def problem_of(finding: Finding) -> Problem:
    """Return a window that is not open as the fault that it is."""
    return Problem(fault=finding.fault, outcome=Outcome.NOT_EXECUTED, detail=finding.facts)
