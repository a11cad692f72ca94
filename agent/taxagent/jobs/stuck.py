"""The two ways out for a job that needs a person: go on, or close. Decided inside the journal's writer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from taxagent.jobs.asks import Principal
from taxagent.model.errors import Refusal
from taxagent.model.events import JobEnded, JobResumed
from taxagent.model.job import Job, JobState, Outcome, Problem
from taxagent.ports import Clock, JournalTx

Recorder = Callable[[Job, JobState, Outcome, Problem | None], bytes]
"""Makes the record of a job that is about to end, as JSON."""


def resumed(tx: JournalTx, principal: Principal, job_id: str, clock: Clock) -> Job:
    """Let the job go on now: its next run reads everything anew and may find the same.

    Also a job that waits looks at once, where a person knows that the cause is gone. Raises Refusal with
    JOB_UNKNOWN, JOB_ENDED or JOB_NOT_STUCK.
    """
    _stuck(tx, job_id, frozenset({JobState.NEEDS_HUMAN, JobState.WAITING}))
    tx.append(
        JobResumed(job_id=job_id, principal=principal.name, at_ms=clock.utc_ms(), sim_ms=clock.sim_ms())
    )
    return _now(tx, job_id)


def closed(
    tx: JournalTx,
    principal: Principal,
    job_id: str,
    reason: str,
    clock: Clock,
    record: Recorder,
    *,
    away: bool,
) -> Job:
    """End the job as it stands, with its record; a step of which nothing is known stays unknown.

    `away` says that its device is not plugged: then a job that waits to be read can be closed as well.
    Raises Refusal as `resumed`.
    """
    states = {JobState.NEEDS_HUMAN, JobState.UNKNOWN} if away else {JobState.NEEDS_HUMAN}
    job = _stuck(tx, job_id, frozenset(states))
    cause = job.problem.fault if job.problem is not None else ""
    problem = Problem(
        fault="CLOSED",
        outcome=job.outcome_so_far,
        detail={"holder": principal.name, "what": reason, "cause": cause},
    )
    written = record(job, JobState.CLOSED, job.outcome_so_far, problem)
    tx.append(
        JobEnded(
            job_id=job_id,
            state=JobState.CLOSED,
            outcome=job.outcome_so_far,
            problem=problem,
            record=msgspec.Raw(written),
            record_sha256=hashlib.sha256(written).hexdigest(),
            at_ms=clock.utc_ms(),
            sim_ms=clock.sim_ms(),
        )
    )
    return _now(tx, job_id)


def _stuck(tx: JournalTx, job_id: str, states: frozenset[JobState]) -> Job:
    job = _now(tx, job_id)
    if job.state.ended:
        raise Refusal("JOB_ENDED", job_id=job_id)
    if job.state not in states:
        raise Refusal("JOB_NOT_STUCK", job_id=job_id, found=job.state.value)
    return job


def _now(tx: JournalTx, job_id: str) -> Job:
    job = tx.job(job_id)
    if job is None:
        raise Refusal("JOB_UNKNOWN", job_id=job_id)
    return job
