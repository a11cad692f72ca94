"""What reading makes of a step whose answer was lost, where others were at the device meanwhile."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.model.errors import AnswerLost
from taxagent.model.job import JobState, Outcome, Step
from tests.builders import world
from tests.builders.tap import raising
from tests.builders.work import Bench
from tests.builders.world import step


def lost(tmp_path: Path, at: str) -> Bench:
    """A settle whose seal has no answer: lost `at` "before seal" or "after seal"."""
    bench = Bench(tmp_path)
    bench.accept()
    bench.tap.on(at, raising(AnswerLost("ANSWER_LOST")))
    bench.run()
    assert bench.job().open_steps
    return bench


def test_another_program_that_sealed_after_our_request_was_lost_is_named_as_such(
    tmp_path: Path,
) -> None:
    bench = lost(tmp_path, "before seal")
    world.moved(bench, last_report=dt.date(2026, 10, 31))()
    bench.run()
    seal = bench.job().run_of(step(Step.SEAL))
    assert seal is not None
    assert (seal.outcome, seal.note) == (Outcome.EXECUTED, "already")


def test_a_device_that_has_the_types_of_the_step_no_more_wants_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = lost(tmp_path, "after seal")
    monkeypatch.setattr(bench.device, "types", lambda: ())
    job = bench.run()
    assert job.state is JobState.NEEDS_HUMAN
    assert job.problem is not None
    assert (job.problem.fault, job.problem.detail["what"]) == ("STATE_DISAGREES", "group_gone")
    assert job.open_steps, "what became of the seal is not known"
