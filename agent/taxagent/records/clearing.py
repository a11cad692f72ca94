"""The record of an ended job: what was before and after, who asked and confirmed, each step's outcome."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator

from taxagent.model.device import Statistics
from taxagent.model.job import (
    Backup,
    Confirmed,
    Job,
    JobKind,
    JobState,
    Outcome,
    Problem,
    Scope,
    Step,
    StepRun,
)
from taxagent.model.lines import CheckLine
from taxagent.model.value import Value, to_json

RECORD_VERSION = 1


class TypeRecord(Value, frozen=True, kw_only=True):
    """One invoice type before and after; the latter is None where the job read nothing at its end."""

    invoice_type: str
    group: str
    last_report_before: dt.date
    last_report_after: dt.date | None
    invoicing_deadline_before: dt.date
    invoicing_deadline_after: dt.date | None
    totals: tuple[Statistics, ...]  # per period in scope


class TicketRecord(Value, frozen=True, kw_only=True):
    """A ticket by its number and what it set; never the ticket itself."""

    group: str
    ticket_no: str
    deadline: dt.date
    clear_ticket_sha256: str


class FilingRecord(Value, frozen=True, kw_only=True):
    """The filing window that counted: its last day, and where that day is from (model.filing.Source)."""

    deadline: dt.date
    source: str


class ClearingRecord(Value, frozen=True, kw_only=True):
    """A job's record. Times are ms UTC; `simulated` is true where device or clock was simulated.

    `simulated_time_ms` is the simulated clock's time at the end, None where the clock is real.
    """

    record_version: int
    job_id: str
    kind: JobKind
    ref: str
    scope: Scope
    taxpayer_name: str
    device_kind: str
    firmware: str
    terminal_no: int
    simulated: bool
    simulated_time_ms: int | None
    principal: str
    confirmed: Confirmed | None
    late: bool
    accepted_ms: int
    ended_ms: int
    state: JobState
    outcome: Outcome
    problem: Problem | None
    bureau_confirmed: bool
    types: tuple[TypeRecord, ...]
    findings: tuple[Problem, ...]
    backups: tuple[Backup, ...]
    tickets: tuple[TicketRecord, ...]
    steps: tuple[StepRun, ...]
    agent_version: str
    device_clock: dt.datetime | None = None  # the device's own, naive, Asia/Shanghai, as the job found it
    filing: FilingRecord | None = None  # None where the job came to no window
    lines: tuple[CheckLine, ...] = ()  # of a check: what it found


def clearing_record(
    job: Job,
    state: JobState,
    outcome: Outcome,
    problem: Problem | None,
    *,
    ended_ms: int,
    sim_ms: int | None,
    version: str,
) -> ClearingRecord:
    """Return the record of `job`, which is about to end as `state`."""
    before = job.before
    return ClearingRecord(
        record_version=RECORD_VERSION,
        job_id=job.job_id,
        kind=job.kind,
        ref=job.ref,
        scope=job.scope,
        taxpayer_name=before.state.info.taxpayer_name if before else "",
        device_kind=before.state.hello.kind.value if before else "",
        firmware=before.state.hello.firmware if before else "",
        terminal_no=before.state.info.terminal_no if before else 0,
        simulated=sim_ms is not None or (before is not None and before.state.hello.simulated),
        simulated_time_ms=sim_ms,
        principal=job.principal,
        confirmed=job.confirmed,
        late=job.late,
        accepted_ms=job.accepted_ms,
        ended_ms=ended_ms,
        state=state,
        outcome=outcome,
        problem=problem,
        bureau_confirmed=_bureau_confirmed(job),
        types=tuple(_types(job)),
        findings=before.findings if before else (),
        backups=job.backups,
        tickets=tuple(_tickets(job)),
        steps=job.steps,
        agent_version=version,
        device_clock=before.state.clock if before else None,
        filing=_filing(job),
        lines=job.lines,
    )


def encoded(record: ClearingRecord) -> bytes:
    """Return the record's canonical JSON; its SHA-256 stands in the journal's last row of the job."""
    return to_json(record)


def _bureau_confirmed(job: Job) -> bool:
    """Whether the bureau was told of every group that this job cleared."""
    cleared = {run.id.group for run in job.steps if run.id.step is Step.APPLY and run.wrote}
    told = {run.id.group for run in job.steps if run.id.step is Step.CONFIRM and job.done(run.id)}
    return bool(cleared) and cleared <= told


def _filing(job: Job) -> FilingRecord | None:
    run = next((run for run in job.steps if run.id.step is Step.PREFLIGHT), None)
    if run is None or "deadline" not in run.facts:
        return None
    return FilingRecord(
        deadline=dt.date.fromisoformat(run.facts["deadline"]), source=run.facts.get("source", "")
    )


def _types(job: Job) -> Iterator[TypeRecord]:
    if job.before is None:
        return
    after = {row.invoice_type: row for row in job.after.state.monitor} if job.after else {}
    for row in job.before.state.monitor:
        if row.invoice_type in job.scope.types:
            now = after.get(row.invoice_type)
            yield TypeRecord(
                invoice_type=row.invoice_type,
                group=row.group,
                last_report_before=row.last_report,
                last_report_after=now.last_report if now else None,
                invoicing_deadline_before=row.invoicing_deadline,
                invoicing_deadline_after=now.invoicing_deadline if now else None,
                totals=tuple(t for t in job.before.totals if t.invoice_type == row.invoice_type),
            )


def _tickets(job: Job) -> Iterator[TicketRecord]:
    for stored in job.tickets:
        yield TicketRecord(
            group=stored.group,
            ticket_no=stored.ticket.ticket_no,
            deadline=stored.ticket.deadline,
            clear_ticket_sha256=hashlib.sha256(stored.ticket.clear_ticket).hexdigest(),
        )
