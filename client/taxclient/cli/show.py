"""Values of the protocol as lines for people. Pure: values and a language in, lines out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby

from taxclient.cli import words as w
from taxclient.cli.columns import Shown, Table
from taxclient.cli.lines import listed
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m

_LONGER = 2  # times the usual time: longer than usual
_GRACE_MS = 2_000  # a step of milliseconds is not late at once


def moment(ms: int) -> str:
    """Return a UTC time in ms as China's wall clock."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000 + 8 * 3600))


def yuan(fen: int) -> str:
    """Return fen as yuan with two decimals."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def status(result: m.StatusResult, speech: Speech) -> Iterator[str]:
    """The agent, its devices, what else is plugged, and the live jobs."""
    yield f"taxagent {result.version}{speech.say('simulated') if result.simulated else ''}"
    for flag in ("verifying", "draining"):
        if getattr(result, flag):
            yield f"! {speech.say(flag)}"
    if not result.devices:
        yield speech.say("no_devices")
    if result.trouble:
        yield f"! {result.trouble.title} [{result.trouble.code}]"
        yield f"  {result.trouble.message}"
        yield from (f"  {line}" for line in mends(result.trouble, speech))
    for device_view in result.devices:
        yield from device(device_view, speech)
    vendors = [thing for thing in result.seen if thing.recognised == "vendor"]
    if vendors:
        yield f"{speech.say('seen')}{speech.colon}".rstrip()
        yield from (f"  {thing.usb_id} {thing.name} ({thing.location})" for thing in vendors)
    if result.live_jobs:
        yield f"{speech.say('live_jobs')}{speech.colon}".rstrip()
        yield from (f"  {live_line(job, speech)}" for job in result.live_jobs)
    if result.live_count > len(result.live_jobs):
        yield "  " + speech.say("more_live", result.live_count - len(result.live_jobs))


def device(view: m.DeviceView, speech: Speech) -> Iterator[str]:
    """A device and the state of its types."""
    marks = [speech.word(w.DEVICE, view.kind), view.location or speech.say("not_plugged")]
    if view.held_by:
        by_us = view.held_by == "agent"
        marks.append(speech.say("held_by_agent") if by_us else speech.say("held_by", view.held_by))
    if view.stale and view.as_of_ms:
        marks.append(f"{moment(view.as_of_ms)}{speech.comma}{speech.say('stale')}")
    simulated = speech.say("simulated") if view.simulated else ""
    yield f"{view.device_no}  {speech.comma.join(mark for mark in marks if mark)}{simulated}"
    if view.taxpayer_id:
        yield "  " + speech.say("taxpayer", view.taxpayer_id, view.taxpayer_name, view.terminal_no)
    if view.problem:
        yield f"  ! {view.problem.title} [{view.problem.code}]"
        yield from (f"    {line}" for line in mends(view.problem, speech))
    for view_of_type in view.types:
        yield f"  {type_line(view_of_type, speech)}"


def type_line(view: m.TypeView, speech: Speech) -> str:
    """One invoice type in a line, with its group where it reports together with others."""
    due = [f"{p.period} {speech.word(w.PERIOD, p.state)}" for p in view.periods]
    parts = [
        speech.say("deadline", view.invoicing_deadline, view.last_report),
        speech.comma.join(due) or speech.say("all_settled"),
    ]
    if view.pending_uploads:
        parts.append(speech.say("pending", view.pending_uploads))
    parts += [speech.say(flag) for flag in ("locked", "overdue") if getattr(view, flag)]
    group = "" if view.group == view.invoice_type else f" ({view.group})"
    return f"{view.invoice_type}{group}  {speech.semicolon.join(parts)}"


def mends(words: m.ProblemView | m.WaitView | m.ErrorBody, speech: Speech) -> Iterator[str]:
    """Who can mend it and what to do; nothing where nothing is to be done."""
    if not words.remedy:
        return
    if words.who:
        yield speech.say("who_mends", speech.word(w.WHO, words.who))
    yield speech.say("remedy", words.remedy)


def live_line(job: m.JobView, speech: Speech) -> str:
    """A live job in a line, with what it waits for."""
    line = job_line(job, speech)
    return f"{line}{speech.colon}{job.wait.title}" if job.wait is not None and not job.ended else line


def job_line(job: m.JobView, speech: Speech, *, simulated: bool = False) -> str:
    """A job in a line; `simulated` where its device is."""
    return "  ".join(part for part in job_row(job, speech, simulated=simulated) if part)


def job_row(job: m.JobView, speech: Speech, *, simulated: bool = False) -> tuple[str, ...]:
    """A job as a row under the headings words.JOBS; `simulated` where its device is."""
    state, outcome = speech.word(w.STATE, job.state), speech.word(w.OUTCOME, job.outcome)
    return (
        job.job_id,
        moment(job.accepted_ms),
        speech.word(w.KIND, job.kind),
        job.scope.device_no,
        ",".join(job.scope.periods),
        state + (speech.aside(outcome) if job.ended else "") + (speech.say("simulated") if simulated else ""),
    )


def step_name(step: m.StepView, speech: Speech, *, month: bool = True) -> str:
    """What a step is and what it is about."""
    name, group = speech.word(w.STEP, step.step), step.group
    if step.step == "backup":  # its group is the step that it protects; a back-up job's own protects none
        protects = speech.word(w.STEP, group)
        name, group = (name if group in ("", "backup") else speech.say("before", name, protects)), ""
    return " ".join(part for part in (name, group, step.period if month else "") if part)


def step_line(step: m.StepView, speech: Speech) -> str:
    """A step in a line."""
    text = step_name(step, speech)
    if step.ended_ms is None:
        return f"  ... {text}"
    note = speech.aside(speech.word(w.NOTE, step.note)) if step.note else ""
    return f"  {text}{speech.colon}{speech.word(w.OUTCOME, step.outcome)}{note}"


def running_line(step: m.StepView, now_ms: int, speech: Speech) -> str:
    """A running step: for how long by now, what it usually takes, and whether that is still normal."""
    line, taken = step_line(step, speech), max(now_ms - step.begun_ms, 0)
    if step.expected_ms is None:
        return line + speech.aside(speech.say("taken", taken // 1000))
    usual = step.expected_ms
    late = taken > max(_LONGER * usual, usual + _GRACE_MS)
    pace = speech.say("longer" if late else "normal")
    return line + speech.aside(speech.say("pace", taken // 1000, max(round(usual / 1000), 1), pace))


def job(view: m.JobView, now_ms: int, speech: Speech, *, simulated: bool = False) -> Iterator[str]:
    """A job with its steps and how it stands."""
    yield job_line(view, speech, simulated=simulated)
    for step in view.steps:
        running = step.ended_ms is None and view.state == "running"
        yield running_line(step, now_ms, speech) if running else step_line(step, speech)
    yield from job_end(view, speech)


def wait(view: m.WaitView, speech: Speech) -> Iterator[str]:
    """What a job waits for, what to do, and when it looks again."""
    yield speech.say("waits", view.title, view.message)
    if view.challenge is not None and view.challenge.question not in view.message:
        yield speech.say("question", view.challenge.question)
    yield from mends(view, speech)
    if view.next_ms:
        yield speech.say("retry_at", moment(view.next_ms))


def job_end(view: m.JobView, speech: Speech) -> Iterator[str]:
    """How a job stands or ended, and what to do."""
    if view.wait:
        yield from wait(view.wait, speech)
    if view.problem:
        yield f"{view.problem.title} [{view.problem.code}]"
        yield view.problem.message
        yield from mends(view.problem, speech)
    yield from listed(view.lines, speech) if view.lines else _findings(view, speech)
    yield from (speech.say("kept_at", kept.period, kept.path) for kept in view.backups if view.ended)
    if view.ended:
        yield f"{speech.word(w.STATE, view.state)}{speech.colon}{speech.word(w.OUTCOME, view.outcome)}"
        yield speech.say("record", view.job_id)
    elif view.wait is not None and view.wait.challenge is not None:
        yield speech.say("answer_it", view.job_id)
    elif view.state != "needs_human":
        yield speech.say("goes_on", view.job_id)


def _findings(view: m.JobView, speech: Speech) -> Iterator[str]:
    """What stood in the way when the job began; of a check, its result. Work that is done has got past it."""
    for found in view.findings if view.ended and (view.state != "done" or view.kind == "check") else ():
        yield f"! {speech.say('warning')}{speech.colon}{found.title} [{found.code}]"
        yield from (f"  {line}" for line in mends(found, speech))


def prepared(result: m.PreparedResult, speech: Speech) -> Iterator[Shown]:
    """What is to be confirmed."""
    yield f"{speech.word(w.KIND, result.kind)}  {', '.join(result.scope.periods)}"
    yield from device(result.device, speech)
    for month, of_month in groupby(result.totals, key=lambda row: row.date_from[:7]):
        yield from totals(month, list(of_month), speech)
    for warning in result.warnings:
        yield f"! {speech.say('warning')}{speech.colon}{warning.title}{speech.stop}{warning.message}"
        yield from (f"  {line}" for line in mends(warning, speech))
    yield f"{speech.say('will')}{speech.colon}".rstrip()
    yield from (f"  - {consequence(code, speech)}" for code in result.consequences)
    if not result.consequences:
        yield f"  - {speech.say('nothing_left')}"


def totals(month: str, rows: list[m.TotalsView], speech: Speech) -> Iterator[Shown]:
    """A month's invoices by type, and all of them together."""
    yield "  " + speech.say("totals_of", month)
    lines = [
        (f"{row.invoice_type} {speech.word(w.INVOICE, row.invoice_type)}", *_sums([row])) for row in rows
    ]
    if len(rows) > 1:
        lines.append((speech.say("total"), *_sums(rows)))
    headings = tuple(speech.word(w.TOTALS, name) for name in w.TOTALS)
    yield Table(lines, headings, right=range(1, len(headings)), indent="    ")


def _sums(rows: list[m.TotalsView]) -> tuple[str, ...]:
    """Positive and negative invoices, each with count, amount and tax; then those that were voided."""
    figures: list[str] = []
    for mark in ("positive", "negative"):
        figures.append(str(sum(getattr(row, mark) for row in rows)))
        figures += [yuan(sum(getattr(row, f"{mark}_{sort}") for row in rows)) for sort in ("amount", "tax")]
    voided = sum(row.positive_voided + row.negative_voided + row.blank_voided for row in rows)
    return (*figures, str(voided))


def consequence(code: str, speech: Speech) -> str:
    """A consequence code in words: VERB:group:month; of a clear the new deadline, where it is known."""
    verb, _, rest = code.partition(":")
    group, _, about = rest.partition(":")
    if verb == "CLEAR" and about:
        verb = "CLEAR_TO"
    return speech.word(w.CONSEQUENCE, verb).format(group, about) if verb in w.CONSEQUENCE else code


def record_row(row: m.RecordRow, speech: Speech) -> tuple[str, ...]:
    """A record as a row under the headings words.RECORDS."""
    return (
        row.job_id,
        moment(row.ended_ms),
        speech.word(w.KIND, row.kind),
        row.device_no,
        ",".join(row.periods),
        speech.word(w.OUTCOME, row.outcome),
    )
