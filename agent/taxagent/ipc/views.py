"""Jobs, problems and records as the wire shows them. Pure; words come from the fault catalogue."""

from __future__ import annotations

import hashlib
from typing import get_args

from taxagent.jobs.asks import Picture
from taxagent.model import checks, faults
from taxagent.model.errors import AgentError
from taxagent.model.evidence import RecordProof
from taxagent.model.faults import Lang
from taxagent.model.job import Confirmed, Job, Problem, Scope, StepRun, Wait, WaitReason
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.value import to_json
from taxclient.protocol import messages as m

_LATER_MS = 1000
_LANGS: tuple[Lang, ...] = get_args(Lang)


def lang_of(text: str, default: Lang) -> Lang:
    """Return the language that `text` ("zh", "en-GB", "") asks for, else `default`."""
    for lang in _LANGS if text else ():
        if text.lower().startswith(lang):
            return lang
    return default


def error_body(error: AgentError, lang: Lang, *, retry_after_ms: int | None = None) -> m.ErrorBody:
    """Return the reply's error for `error`; where too much waits, with a time even if nobody gave one."""
    problem = error.problem()
    if problem.fault == "RATE_LIMITED":
        retry_after_ms = retry_after_ms or _LATER_MS
    entry, words = faults.fault(problem.fault), faults.text(problem, lang)
    return m.ErrorBody(
        code=problem.fault,
        title=words.title,
        message=words.cause,
        outcome=problem.outcome,
        retry=entry.retry,
        retry_after_ms=retry_after_ms,
        who=entry.who,
        remedy=words.remedy,
        detail=problem.detail,
        device_code=problem.device_code,
    )


def problem_view(problem: Problem, lang: Lang) -> m.ProblemView:
    """Return the fault in words."""
    words = faults.text(problem, lang)
    return m.ProblemView(
        code=problem.fault,
        title=words.title,
        message=words.cause,
        outcome=problem.outcome,
        who=faults.fault(problem.fault).who,
        remedy=words.remedy,
        detail=problem.detail,
        device_code=problem.device_code,
    )


def line_view(line: CheckLine, lang: Lang) -> m.CheckLineView:
    """Return a line of a check, or of the doctor, in words."""
    words = checks.text(line, lang)
    return m.CheckLineView(
        line=line.line,
        subject=line.subject,
        name=checks.name(line, lang),
        state=line.state,
        code=line.code,
        fact=words.fact,
        who=checks.who_mends(line),
        remedy=words.remedy if line.state is not CheckState.OK else "",
        opens=line.opens.isoformat() if line.opens is not None else "",
        detail=line.facts,
        device_code=line.device_code,
    )


def short_view(job: Job, lang: Lang) -> m.JobView:
    """Return the job for a list, without the lines of a check."""
    return _view(job, lang, None, ())


def revision(job: Job) -> str:
    """Return a text that differs for any two states of a job."""
    return hashlib.sha256(to_json(job)).hexdigest()[:16]


def scope_view(scope: Scope) -> m.ScopeView:
    """Return the scope."""
    return m.ScopeView(
        device_no=scope.device_no,
        taxpayer_id=scope.taxpayer_id,
        types=scope.types,
        periods=scope.periods,
    )


def job_view(job: Job, lang: Lang, picture: Picture | None = None) -> m.JobView:
    """Return the job without the bytes of its tickets; `picture` is of the question that it waits with."""
    return _view(job, lang, picture, tuple(line_view(line, lang) for line in job.lines))


def _view(job: Job, lang: Lang, picture: Picture | None, lines: tuple[m.CheckLineView, ...]) -> m.JobView:
    return m.JobView(
        job_id=job.job_id,
        rev=revision(job),
        kind=job.kind,
        state=job.state,
        ended=job.state.ended,
        outcome=job.outcome,
        scope=scope_view(job.scope),
        principal=job.principal,
        key=job.key,
        ref=job.ref,
        accepted_ms=job.accepted_ms,
        ended_ms=job.ended_ms,
        late=job.late,
        cancel_requested=job.cancel_requested,
        confirmed=_confirmed(job.confirmed) if job.confirmed else None,
        wait=_wait(job.wait, lang, picture) if job.wait else None,
        problem=problem_view(job.problem, lang) if job.problem else None,
        steps=tuple(_step(run) for run in job.steps),
        tickets=tuple(
            m.TicketView(
                group=stored.group,
                ticket_no=stored.ticket.ticket_no,
                period=stored.ticket.period,
                deadline=stored.ticket.deadline.isoformat(),
            )
            for stored in job.tickets
        ),
        backups=tuple(
            m.BackupView(period=kept.period, path=kept.path, sha256=kept.sha256, before=kept.before)
            for kept in job.backups
        ),
        record_sha256=job.record_sha256,
        findings=tuple(problem_view(found, lang) for found in job.before.findings) if job.before else (),
        lines=lines,
    )


def record_row(job: Job) -> m.RecordRow:
    """Return the line of record.list for an ended job."""
    return m.RecordRow(
        job_id=job.job_id,
        kind=job.kind,
        device_no=job.scope.device_no,
        taxpayer_id=job.scope.taxpayer_id,
        types=job.scope.types,
        periods=job.scope.periods,
        state=job.state,
        outcome=job.outcome,
        ended_ms=job.ended_ms or 0,
        sha256=job.record_sha256,
    )


def proof_result(proof: RecordProof) -> m.RecordVerifyResult:
    """Return what was found of a record."""
    checks = tuple(
        m.CheckView(
            what=each.proof,
            verdict=each.verdict,
            subject=each.subject,
            expected=each.expected,
            found=each.found,
        )
        for each in proof.evidence
    )
    return m.RecordVerifyResult(job_id=proof.job_id, sha256=proof.sha256, holds=proof.holds, checks=checks)


def _confirmed(confirmed: Confirmed) -> m.ConfirmedView:
    return m.ConfirmedView(by=confirmed.by, how=confirmed.how, at_ms=confirmed.at_ms)


def _wait(wait: Wait, lang: Lang, picture: Picture | None) -> m.WaitView:
    words = faults.text(Problem(fault=wait.fault, outcome=_NOTHING, detail=wait.detail), lang)
    return m.WaitView(
        reason=wait.reason,
        code=wait.fault,
        title=words.title,
        message=words.cause,
        remedy=words.remedy,
        who=faults.fault(wait.fault).who,
        since_ms=wait.since_ms,
        next_ms=wait.next_ms,
        until_ms=wait.until_ms,
        detail=wait.detail,
        challenge=_challenge(wait.detail, picture) if wait.reason is WaitReason.CHALLENGE else None,
    )


def _challenge(detail: dict[str, str], picture: Picture | None) -> m.ChallengeView:
    return m.ChallengeView(
        challenge_id=detail.get("challenge_id", ""),
        question=detail.get("question") or detail.get("bureau_text", ""),
        image=picture.image if picture else b"",
        image_type=picture.image_type if picture else "",
    )


_NOTHING = AgentError.outcome  # a wait says nothing of an outcome; the words do not show it


def _step(run: StepRun) -> m.StepView:
    return m.StepView(
        step=run.id.step,
        group=run.id.group,
        period=run.id.period,
        outcome=run.outcome,
        begun_ms=run.begun_ms,
        ended_ms=run.ended_ms,
        note=run.note,
        facts=run.facts,
    )
