"""Following a job: a line for each step as it begins and ends, until there is nothing more to see for now."""

from __future__ import annotations

import time

from taxclient.cli import show
from taxclient.cli.screen import Screen
from taxclient.protocol import messages as m
from taxclient.protocol.errors import AgentUnavailable, Timeout
from taxclient.sync import Client

_ASK_S = 20.0  # of one job.wait
_TICK_S = 1.0  # between two looks at the time that a running step has taken, at a terminal
_GONE_S = 30.0  # how long an agent may be away (a restart) before it is given up


def follow(
    client: Client,
    job: m.JobView,
    screen: Screen,
    *,
    patience_s: float,
    limit_s: float | None = None,
    waits: bool = False,
) -> m.JobView:
    """Return the job once it ended, needs a person, or waits for longer than `patience_s`; or at `limit_s`.

    With `waits` what it waits for is shown, at the beginning and at each change.
    Or as soon as nobody reads what is shown.

    Raises ClientError where the agent does not come back within 30 s: the job is accepted all the same.
    """
    started = waits_since = time.monotonic()
    gone_since: float | None = None
    shown = _show_steps((), job, screen)
    told = _show_wait(None, job, screen) if waits else None
    while not job.ended and job.state != "needs_human" and not screen.broken:
        now = time.monotonic()
        if job.state != "waiting":
            waits_since = now
        left = min(
            started + limit_s - now if limit_s is not None else _ASK_S,
            waits_since + patience_s - now if job.state == "waiting" else _ASK_S,
            _ASK_S,
        )
        if left <= 0:
            break
        if screen.terminal and shown and shown[-1].ended_ms is None:
            left = min(left, _TICK_S)
        try:
            job = client.wait(job.job_id, rev=job.rev, timeout_ms=max(round(left * 1000), 1)).job
            gone_since = None
        except (AgentUnavailable, Timeout):
            gone_since = gone_since or now
            if time.monotonic() - gone_since > _GONE_S:
                screen.note(screen.speech.say("left"))
                raise
            continue
        shown = _show_steps(shown, job, screen)
        told = _show_wait(told, job, screen) if waits else None
    return job


def now_ms() -> int:
    """Return our UTC in ms: steps have real times."""
    return time.time_ns() // 1_000_000


def _show_wait(told: m.WaitView | None, job: m.JobView, screen: Screen) -> m.WaitView | None:
    if job.wait is not None and job.wait != told and not job.ended:
        for line in show.wait(job.wait, screen.speech):
            screen.line(line)
    return job.wait


def _show_steps(shown: tuple[m.StepView, ...], job: m.JobView, screen: Screen) -> tuple[m.StepView, ...]:
    for step in job.steps:
        if step.ended_ms is None:
            screen.passing(show.running_line(step, now_ms(), screen.speech))
        elif step not in shown:
            screen.line(show.step_line(step, screen.speech))
    return job.steps
