"""Rules about words: each outcome in journal, reply and record is what device and bureau say."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator

import msgspec

from tests.judge.evidence import IRREVERSIBLE, Evidence
from tests.judge.shapes import Call, Issued, JobRecord, JobView, Row, Shape, StepId, Told
from tests.judge.truth import bureau_took, group_of, is_done, last_begun
from tests.judge.verdicts import Facts, facts, rule

_STEPS = {"report": ("seal", "submit"), "clear": ("apply",), "settle": ("seal", "submit", "apply")}
_ACTS = (*IRREVERSIBLE, "submit")  # what only reading tells of, once an answer is lost


@rule
def steps_are_true(seen: Evidence) -> Iterator[Facts]:
    """What the journal calls executed was done; what it calls not executed was not."""
    tries: dict[tuple[str, str], Try] = {}
    for row in seen.rows:
        name, accept = (row.job_id, str(row.id)), seen.accepts.get(row.job_id)
        if row.event == "step.begun":
            tries[name] = _begun_again(tries.get(name), row)
        if row.event != "step.ended" or accept is None:
            continue
        by_ms = row.at_ms if seen.comparable else None
        if row.outcome == "executed" and not is_done(seen, accept, row.id, by_ms):
            yield facts(job=row.job_id, step=row.id, said="executed", row=row.seq)
        made = tries.get(name)
        if made is not None and row.outcome == "not_executed":
            for truth in _was_done(seen, accept, made, row):
                yield facts(job=row.job_id, step=row.id, said="not_executed", row=row.seq, truth=truth)
        if made is not None and row.outcome in ("executed", "not_executed"):
            tries[name] = msgspec.structs.replace(made, ended=True)


class Try(Shape, frozen=True, kw_only=True):
    """The tries of a step of which nothing was known in between: the first and the newest announcement."""

    first: Row
    newest: Row
    ended: bool = False


def _begun_again(before: Try | None, row: Row) -> Try:
    """Return the try that `row` announces: with those before it whose answer was lost."""
    return Try(first=row if before is None or before.ended else before.first, newest=row)


def _was_done(seen: Evidence, accept: Row, made: Try, row: Row) -> Iterator[str]:
    """Yield what was done in a try that `row` calls not executed; of the last one also what came later."""
    for deed in seen.deeds_of(row.job_id):
        if deed.begun is made.newest and deed.write is not None:
            yield f"write {deed.write.write.write_no}"
    last, fault = made.newest is last_begun(seen, row.job_id, row.id), row.facts.get("fault", "")
    by_ms = None if last else row.at_ms
    if (last or seen.comparable) and bureau_took(
        seen, accept, row.id, since=made.first, by_ms=by_ms, fault=fault
    ):
        yield "the bureau took it"


@rule
def outcomes_are_true(seen: Evidence) -> Iterator[Facts]:
    """The outcome of each ended job is what was done for it."""
    for job_id, end in seen.ends.items():
        problem = _untrue(seen, seen.accepts.get(job_id), end.outcome) or _unread(seen, job_id, end.outcome)
        if problem:
            yield facts(job=job_id, said=end.outcome, truth=problem)


@rule
def told_is_true(seen: Evidence) -> Iterator[Facts]:
    """No client was ever shown an outcome, of a job or a step, that was not so when it asked."""
    for told, view in seen.jobs_told():
        accept = seen.accepts.get(view.job_id)
        if accept is None:
            continue
        end = seen.ends.get(view.job_id)
        by_ms = told.told_ms if seen.comparable else None
        if view.ended and (end is None or (end.state, end.outcome) != (view.state, view.outcome)):
            yield facts(job=view.job_id, told=f"{view.state} {view.outcome}", journal=end and end.outcome)
        if view.outcome == "not_executed" and _wrote_before(seen, told, view.job_id):
            yield facts(job=view.job_id, told="not_executed", truth="a write was done")
        if view.outcome == "executed" and _untrue(seen, accept, "executed", by_ms):
            yield facts(job=view.job_id, told="executed", truth=_untrue(seen, accept, "executed", by_ms))
        open_steps = [step.step for step in view.steps if step.outcome == "unknown" and step.step in _ACTS]
        if open_steps and view.outcome in ("not_executed", "partly_executed"):
            yield facts(job=view.job_id, told=view.outcome, truth=f"not known: {', '.join(open_steps)}")
        yield from _false_steps(seen, told, view, accept)


def _false_steps(seen: Evidence, told: Told, view: JobView, accept: Row) -> Iterator[Facts]:
    by_ms = told.told_ms if seen.comparable else None
    for step in view.steps:
        name = StepId(step=step.step, group=step.group, period=step.period)
        if step.outcome == "executed" and not is_done(seen, accept, name, by_ms):
            yield facts(job=view.job_id, step=name, told="executed")
        if step.outcome == "not_executed" and _wrote_before(seen, told, view.job_id, name):
            yield facts(job=view.job_id, step=name, told="not_executed")
        if step.outcome == "not_executed" and seen.comparable and _took_before(seen, told, accept, name):
            yield facts(job=view.job_id, step=name, told="not_executed", truth="the bureau took it")


def _took_before(seen: Evidence, told: Told, accept: Row, step: StepId) -> bool:
    """Whether the bureau did what was tried before the question was asked, or does it later by that try."""
    made: Try | None = None
    fault = ""
    for row in seen.by_job[accept.job_id]:
        if row.id != step or row.at_ms >= told.sent_ms:
            continue
        if row.event == "step.begun":
            made = _begun_again(made, row)
        elif row.event == "step.ended" and made is not None:
            made, fault = msgspec.structs.replace(made, ended=True), row.facts.get("fault", "")
    if made is None:
        return False
    by_ms = None if made.newest is last_begun(seen, accept.job_id, step) else told.sent_ms
    return bureau_took(seen, accept, step, since=made.first, by_ms=by_ms, fault=fault)


def _wrote_before(seen: Evidence, told: Told, job_id: str, step: StepId | None = None) -> bool:
    """Whether a write of the job was done before the question was asked."""
    return any(
        deed.write is not None and deed.write.at_ms < told.sent_ms
        for deed in seen.deeds_of(job_id)
        if step is None or deed.step == step
    )


def _untrue(seen: Evidence, accept: Row | None, outcome: str, by_ms: int | None = None) -> str:
    """Return what the truth about a job is where `outcome` is not it, else ""."""
    if accept is None:
        return "the job was never accepted"
    wrote = bool(seen.wrote(accept.job_id))
    acted = wrote or bool(_submitted(seen, accept))
    sent = _tried_to_submit(seen, accept.job_id)  # a report whose answer was lost looks like a stranger's
    may_have = wrote or any(
        is_done(seen, accept, StepId(step="submit", group=group, period=month)) for group, month in sent
    )
    missing = [str(step) for step in _wanted(accept) if not is_done(seen, accept, step, by_ms)]
    if outcome == "not_executed" and acted:
        return "something was done"
    if outcome == "partly_executed" and not may_have:
        return "nothing was done"
    if outcome == "executed" and missing:
        return f"not done: {', '.join(missing)}"
    return ""


def _unread(seen: Evidence, job_id: str, outcome: str) -> str:
    """Return which steps nobody has read again where `outcome` claims to know what they did, else ""."""
    if outcome not in ("not_executed", "partly_executed"):
        return ""
    last = {
        str(row.id): row.event
        for row in seen.by_job[job_id]
        if row.event in ("step.begun", "step.ended") and row.id.step in _ACTS
    }
    unread = [step for step, event in last.items() if event == "step.begun"]
    return f"not known: {', '.join(unread)}" if unread else ""


def _submitted(seen: Evidence, accept: Row) -> list[Call]:
    """Return the reports that the bureau took and that no other job can have given it."""
    tried = _tried_to_submit(seen, accept.job_id)
    others = {
        about
        for job_id, other in seen.accepts.items()
        if other.scope.device_no == accept.scope.device_no and job_id != accept.job_id
        for about in _tried_to_submit(seen, job_id)
    }
    return _took(seen, accept, tried - others)


def _took(seen: Evidence, accept: Row, about: set[tuple[str, str]]) -> list[Call]:
    """Return the reports of these groups and periods that the bureau took from this agent."""
    return [
        call
        for call in seen.calls
        if (call.op, call.result, call.device_no) == ("report.put", "accepted", accept.scope.device_no)
        and (call.group, call.period) in about
        and call.reference not in seen.strangers
    ]


def _tried_to_submit(seen: Evidence, job_id: str) -> set[tuple[str, str]]:
    return {
        (row.id.group, row.id.period)
        for row in seen.by_job[job_id]
        if (row.event, row.id.step) == ("step.begun", "submit")
    }


def _wanted(accept: Row) -> Iterator[StepId]:
    for step in _STEPS.get(accept.kind, ()):
        for group, period in accept.claims:
            if step != "apply" or period == accept.scope.periods[-1]:
                yield StepId(step=step, group=group, period=period)


@rule
def records_are_true(seen: Evidence) -> Iterator[Facts]:
    """The record of a job says what the journal, the device and the bureau say."""
    for job_id, end in seen.ends.items():
        written = bytes(end.record)
        if hashlib.sha256(written).hexdigest() != end.record_sha256:
            yield facts(job=job_id, record="does not have its hash")
            continue
        record = msgspec.json.decode(written, type=JobRecord)
        said = (record.job_id, record.state, record.outcome)
        if said != (job_id, end.state, end.outcome):
            yield facts(job=job_id, record=" ".join(said), journal=f"{end.state} {end.outcome}")
        accept = seen.accepts.get(job_id)
        if accept is not None:
            for problem in _false_lines(seen, accept, record):
                yield facts(job=job_id, record=problem)


def _false_lines(seen: Evidence, accept: Row, record: JobRecord) -> Iterator[str]:
    device_no = accept.scope.device_no
    for line in record.types:
        dates = _dates(seen, device_no, line.group)
        for date in (line.last_report_after, line.invoicing_deadline_after):
            if date is not None and dates and date not in dates:
                yield f"{line.invoice_type} stands at {date}, the device never did"
    for ticket in record.tickets:
        issued = _issued(seen, device_no, ticket.ticket_no)
        if issued is None or issued.ticket.deadline != ticket.deadline:
            yield f"ticket {ticket.ticket_no} to {ticket.deadline} is none of the bureau's"
    for step in record.steps:
        about = f"{device_no}/{step.id.group}/{step.id.period}"
        said, held = step.facts.get("receipt_no", ""), seen.bureau.reports.get(about)
        given = {call.reference for call in seen.calls if call.op == "report.put"}
        if said and said not in given and (held is None or held.receipt.receipt_no != said):
            yield f"receipt {said} is none of the bureau's"
        if step.id.step in IRREVERSIBLE and step.outcome == "executed" and not is_done(seen, accept, step.id):
            yield f"{step.id} executed"
    if record.bureau_confirmed and not _all_confirmed(seen, device_no, record):
        yield "bureau_confirmed"


def _all_confirmed(seen: Evidence, device_no: str, record: JobRecord) -> bool:
    applied = {
        step.id.group for step in record.steps if step.id.step == "apply" and step.outcome == "executed"
    }
    named = [ticket for ticket in record.tickets if ticket.group in applied]
    issued = [_issued(seen, device_no, ticket.ticket_no) for ticket in named]
    return all(one is not None and one.confirmed_ms is not None for one in issued)


def _issued(seen: Evidence, device_no: str, ticket_no: str) -> Issued | None:
    for about, tickets in seen.bureau.tickets.items():
        if about.startswith(f"{device_no}/"):
            for one in tickets:
                if one.ticket.ticket_no == ticket_no:
                    return one
    return None


def _dates(seen: Evidence, device_no: str, group: str) -> set[dt.date]:
    """Return every date at which a group of a device ever stood."""
    now = group_of(seen, device_no, group)
    dates = {now.last_report, now.invoicing_deadline} if now is not None else set()
    for line in seen.executed(device_no):
        if line.group == group:
            dates |= {line.write.before, line.write.after}
    return dates
