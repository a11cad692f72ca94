"""When a waiting job's time is over, and what is said of it then. Pure; ends nothing itself."""

from __future__ import annotations

from taxagent.model.job import Job, Problem
from taxagent.model.simtime import local_time
from taxagent.ports import Clock


def overdue(job: Job, clock: Clock) -> bool:
    """Return whether a waiting job's time ran out, by the job's own time (simulated where there is one)."""
    until = job.wait.until_ms if job.wait is not None else None
    now = clock.sim_ms()
    return until is not None and (now if now is not None else clock.utc_ms()) >= until


def out_of_time(job: Job) -> Problem:
    """Return why: a window that closed, or, for a job that only reads, what it waited for in vain."""
    wait, outcome = job.wait, job.outcome_so_far
    if wait is None or wait.until_ms is None:
        return Problem(fault="WINDOW_CLOSED", outcome=outcome)
    if not job.kind.irreversible:
        return Problem(fault=wait.fault, outcome=outcome, detail=wait.detail)
    closed = local_time(wait.until_ms).strftime("%Y-%m-%d %H:%M")
    return Problem(
        fault="WINDOW_CLOSED", outcome=outcome, detail={"closes_at": closed, "waited_for": wait.fault}
    )
