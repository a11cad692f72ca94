"""The last look before an irreversible step: right month, right hour, and the state that was confirmed."""

from __future__ import annotations

import datetime as dt

from taxagent.model.device import DeviceState, MonitorData, Quirks, Statistics
from taxagent.model.errors import NeedsHuman, Refusal
from taxagent.model.job import Baseline, ConfirmedType, Job, Step, StepId
from taxagent.model.period import period_of
from taxagent.model.period_state import due_periods
from taxagent.model.stock import totals_sha256
from taxagent.procedures.preflight import hard_stop
from taxagent.procedures.session import read_state
from taxagent.procedures.work import Work, quirks_of, sealed_until


def last_look(work: Work, group: str, step: Step, state: DeviceState) -> DeviceState:
    """Read the device again and return its state if `step` may be taken now on `group`.

    Raises Interrupted (the agent stops), Refusal (a hard window, MONTH_TURNED), or
    NeedsHuman("DEVICE_CHANGED") where the device is not as confirmed plus exactly what this job did, and
    NeedsHuman("STATE_DISAGREES") where it shows a group whose types do not stand alike.
    """
    work.check_stop()
    state = read_state(work.device, state.hello)
    same_month(work.job, state)
    hard_stop(work, state, step)
    types = [confirmed for confirmed in confirmed_types(work.job) if confirmed.group == group]
    _whole(group, [confirmed.invoice_type for confirmed in types], state)
    for confirmed in types:
        _unchanged(work, confirmed, state)
        _same_totals(work, confirmed)
    return state


def same_month(job: Job, state: DeviceState) -> None:
    """Raise Refusal("MONTH_TURNED") with the months now due, where the job began in another month."""
    seen = job.confirmed.device_clock if job.confirmed is not None else None
    began = period_of(seen or (job.before.state.clock if job.before is not None else state.clock))
    if period_of(state.clock) != began:
        rows = [row for row in state.monitor if row.invoice_type in job.scope.types]
        due = {month for row in rows for month in due_periods(state.clock, row, quirks_of(state))}
        raise Refusal("MONTH_TURNED", began=began, now=period_of(state.clock), due=", ".join(sorted(due)))


def baseline(work: Work, row: MonitorData, payload_sha256: str) -> Baseline:
    """Return what tells afterwards whether the write that sends `payload_sha256` happened."""
    return Baseline(
        last_report=row.last_report,
        invoicing_deadline=row.invoicing_deadline,
        write_no=max((write.write_no for write in work.device.last_writes()), default=0),
        payload_sha256=payload_sha256,
    )


def confirmed_types(job: Job) -> tuple[ConfirmedType, ...]:
    """Return what was confirmed: by a person where there was a token, else what the job's first run read."""
    if job.confirmed is not None and job.confirmed.how == "token":
        return job.confirmed.types
    if job.before is None:
        return ()
    return confirmed_by(job.before.state, job.scope.types, job.before.totals)


def confirmed_by(
    state: DeviceState, types: tuple[str, ...], totals: tuple[Statistics, ...]
) -> tuple[ConfirmedType, ...]:
    """Return the values that a confirmation of this state binds, one a type."""
    return tuple(
        ConfirmedType(
            invoice_type=row.invoice_type,
            group=row.group,
            last_report=row.last_report,
            invoicing_deadline=row.invoicing_deadline,
            totals_sha256=totals_sha256(
                tuple(sums for sums in totals if sums.invoice_type == row.invoice_type)
            ),
        )
        for row in state.monitor
        if row.invoice_type in types
    )


def _whole(group: str, confirmed: list[str], state: DeviceState) -> None:
    """The group must have the types that were confirmed, and its types one last_report and one deadline."""
    rows = state.of_group(group)
    found = [row.invoice_type for row in rows]
    if sorted(found) != sorted(confirmed):
        expected = ", ".join(confirmed)
        raise NeedsHuman(
            "DEVICE_CHANGED", what="types_changed", group=group, expected=expected, found=", ".join(found)
        )
    if len({(row.last_report, row.invoicing_deadline) for row in rows}) > 1:
        dates = (f"{row.invoice_type} {row.last_report} {row.invoicing_deadline}" for row in rows)
        raise NeedsHuman("STATE_DISAGREES", what="group_differs", group=group, found="; ".join(dates))


def _unchanged(work: Work, confirmed: ConfirmedType, state: DeviceState) -> None:
    kind = confirmed.invoice_type
    row = next((row for row in state.monitor if row.invoice_type == kind), None)
    expected = _expected(work.job, confirmed, quirks_of(state))
    found = (row.last_report, row.invoicing_deadline) if row is not None else None
    if found != expected:
        raise NeedsHuman(
            "DEVICE_CHANGED",
            invoice_type=kind,
            what="dates" if found else "type_gone",
            expected=f"{expected[0]}, {expected[1]}",
            found=f"{found[0]}, {found[1]}" if found else "",
        )


def _expected(job: Job, confirmed: ConfirmedType, quirks: Quirks) -> tuple[dt.date, dt.date]:
    """The confirmed dates, moved by exactly the steps that the journal says were done."""
    last_report, deadline = confirmed.last_report, confirmed.invoicing_deadline
    for month in job.scope.periods:
        if job.done(StepId(step=Step.SEAL, group=confirmed.group, period=month)):
            last_report = max(last_report, sealed_until(month, quirks))
    ticket = job.ticket_of(confirmed.group)
    newest = job.scope.periods[-1]
    if ticket is not None and job.done(StepId(step=Step.APPLY, group=confirmed.group, period=newest)):
        deadline = max(deadline, ticket.deadline)
    return last_report, deadline


def _same_totals(work: Work, confirmed: ConfirmedType) -> None:
    totals = work.totals([confirmed.invoice_type], work.job.scope.periods)
    if totals_sha256(totals) != confirmed.totals_sha256:
        raise NeedsHuman(
            "DEVICE_CHANGED",
            invoice_type=confirmed.invoice_type,
            what="totals",
            expected=confirmed.totals_sha256[:12],
            found=totals_sha256(totals)[:12],
        )
