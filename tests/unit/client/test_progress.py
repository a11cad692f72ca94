"""What a person sees at a terminal before a month is settled, and while it is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from taxagent.model.job import JobState, Outcome, Problem, Step, StepId, StepRun
from tests.builders.ipc import house, job
from tests.builders.terminals import read_until, terminal


def step(begun_ms: int, ended_ms: int | None) -> StepRun:
    outcome = Outcome.UNKNOWN if ended_ms is None else Outcome.EXECUTED
    return StepRun(
        id=StepId(step=Step.SEAL, group="007", period="2026-10"),
        outcome=outcome,
        begun_ms=begun_ms,
        ended_ms=ended_ms,
    )


@pytest.mark.parametrize("begun_s_ago, pace", [(1, "still normal"), (60, "longer than usual")])
def test_a_running_step_shows_its_time_and_whether_it_is_normal(
    tmp_path: Path, begun_s_ago: int, pace: str
) -> None:
    now = time.time_ns() // 1_000_000
    before = job(1, state=JobState.DONE, steps=(step(now - 90_000, now - 60_000 - 26_000),))
    live = job(2, state=JobState.RUNNING, steps=(step(now - begun_s_ago * 1000, None),))
    with house(tmp_path) as h:
        h.reader.kept = {before.job_id: before}
        h.desk.jobs[live.job_id] = live
        with terminal(h, "job", "wait", live.job_id, "--limit", "5") as (fd, child):
            assert "seal 007 2026-10" in read_until(fd, f"usually 4 s, {pace}")
            child.terminate()


def test_the_peak_hours_are_told_before_the_question(tmp_path: Path) -> None:
    peak = Problem(fault="PEAK_HOURS", outcome=Outcome.NOT_EXECUTED, detail={"opens_at": "2026-11-03 11:00"})
    with house(tmp_path) as h:
        h.desk.warnings = (peak,)
        with terminal(h, "settle", "--no-wait") as (fd, child):
            shown = read_until(fd, "Type yes: ")
            os.write(fd, b"no\n")
            child.wait(10)
    assert "These are peak hours" in shown
    assert "later is better (from 2026-11-03 11:00)" in shown
