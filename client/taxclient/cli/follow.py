"""Following a job: a line for each step as it begins and ends, until there is nothing more to see for now."""

from __future__ import annotations

import time

from taxclient.cli import show
from taxclient.cli.screen import Screen
from taxclient.protocol import messages as m
from taxclient.protocol.errors import AgentUnavailable, Timeout
from taxclient.sync import Client

_ASK_MS = 20_000  # of one job.wait
_GONE_S = 30.0  # how long an agent may be away (a restart) before it is given up


def follow(
    client: Client, job: m.JobView, screen: Screen, *, patience_s: float, limit_s: float | None = None
) -> m.JobView:
    """Return the job once it ended, needs a person, or waits for longer than `patience_s`; or at `limit_s`.

    Raises ClientError where the agent does not come back within 30 s: the job is accepted all the same.
    """
    started = waits_since = heard = time.monotonic()
    shown = _show_steps((), job, screen)
    while not job.ended and job.state != "needs_human":
        now = time.monotonic()
        if job.state != "waiting":
            waits_since = now
        left = [] if limit_s is None else [limit_s - (now - started)]
        if job.state == "waiting":
            left.append(patience_s - (now - waits_since))
        if left and min(left) <= 0:
            break
        timeout_ms = min(_ASK_MS, *(round(s * 1000) for s in left)) if left else _ASK_MS
        try:
            job = client.wait(job.job_id, rev=job.rev, timeout_ms=max(timeout_ms, 1)).job
            heard = time.monotonic()
        except (AgentUnavailable, Timeout):
            if time.monotonic() - heard > _GONE_S:
                screen.note(screen.speech.say("left"))
                raise
            continue
        shown = _show_steps(shown, job, screen)
    return job


def _show_steps(shown: tuple[m.StepView, ...], job: m.JobView, screen: Screen) -> tuple[m.StepView, ...]:
    for step in job.steps:
        if step not in shown and step.ended_ms is None:
            screen.passing(show.step_line(step, screen.speech))
        elif step not in shown:
            screen.line(show.step_line(step, screen.speech))
    return job.steps
