"""A running step says what it usually takes on this device: the median of its last runs, from memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from taxagent.ipc.pace import Pace, usual
from taxagent.ipc.views import job_view
from taxagent.model.job import Job, JobState, Outcome, Step, StepId, StepRun
from taxclient import Client
from tests.builders.ipc import DEVICE, FakeReader, house, job


def run(step: Step, took_ms: int | None, note: str = "", outcome: Outcome = Outcome.EXECUTED) -> StepRun:
    ended = None if took_ms is None else 1000 + took_ms
    return StepRun(
        id=StepId(step=step, group="007", period="2026-10"),
        outcome=Outcome.UNKNOWN if took_ms is None else outcome,
        begun_ms=1000,
        ended_ms=ended,
        note=note,
    )


def past(number: int, *steps: StepRun) -> Job:
    return job(number, state=JobState.DONE, steps=steps)


class Deferred:
    """Errands whose work is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.waiting.append(lambda: done(work()))

    def catch_up(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


def test_the_usual_time_is_the_median_of_the_newest_runs() -> None:
    jobs = [past(number, run(Step.SEAL, took)) for number, took in enumerate([100, 300, 200])]
    assert usual(jobs) == {"seal": 200}
    assert usual([past(n, run(Step.SEAL, 10 if n < 20 else 9_000)) for n in range(30)]) == {"seal": 10}


def test_what_was_done_already_failed_or_waited_for_people_says_nothing() -> None:
    steps = (
        run(Step.SEAL, 1, note="already"),
        run(Step.SUBMIT, 2, outcome=Outcome.NOT_EXECUTED),
        run(Step.DECLARATION, 86_400_000),
        run(Step.APPLY, None),
        run(Step.VERIFY, 5),
    )
    assert usual([past(1, *steps)]) == {"verify": 5}


def test_a_running_step_has_it_once_the_journal_was_read_and_an_ended_one_never() -> None:
    errands, reader = Deferred(), FakeReader()
    reader.kept = {f"{n:026d}": past(n, run(Step.BACKUP, 4_000), run(Step.SEAL, 2_000)) for n in (1, 2)}
    pace = Pace(reader, errands)  # type: ignore[arg-type]
    live = job(3, state=JobState.RUNNING, steps=(run(Step.BACKUP, 10), run(Step.SEAL, None)))
    view = job_view(live, "en")
    assert [step.expected_ms for step in pace.shown(live, view).steps] == [None, None]
    assert len(errands.waiting) == 1
    errands.catch_up()
    assert [step.expected_ms for step in pace.shown(live, view).steps] == [None, 2_000]
    assert errands.waiting == []  # once a job, not once a question


def test_the_next_job_of_the_device_reads_anew_and_has_the_old_times_meanwhile() -> None:
    errands, reader = Deferred(), FakeReader()
    reader.kept = {f"{1:026d}": past(1, run(Step.SEAL, 2_000))}
    pace = Pace(reader, errands)  # type: ignore[arg-type]
    second, third = (job(n, state=JobState.RUNNING, steps=(run(Step.SEAL, None),)) for n in (2, 3))
    pace.shown(second, job_view(second, "en"))
    errands.catch_up()
    reader.kept = {f"{2:026d}": past(2, run(Step.SEAL, 6_000))}
    (step,) = pace.shown(third, job_view(third, "en")).steps
    assert step.expected_ms == 2_000
    errands.catch_up()
    (step,) = pace.shown(third, job_view(third, "en")).steps
    assert step.expected_ms == 6_000


def test_an_ended_job_asks_nothing() -> None:
    errands = Deferred()
    ended = msgspec.structs.replace(past(1, run(Step.SEAL, None)), state=JobState.CLOSED)
    assert ended.scope.device_no == DEVICE
    Pace(FakeReader(), errands).shown(ended, job_view(ended, "en"))  # type: ignore[arg-type]
    assert errands.waiting == []


def test_who_asks_for_a_running_job_gets_the_usual_time(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.reader.kept = {f"{1:026d}": past(1, run(Step.SEAL, 2_000))}
        live = job(2, state=JobState.RUNNING, steps=(run(Step.SEAL, None),))
        h.desk.jobs[live.job_id] = live
        client.job(live.job_id)
        client.jobs()  # goes the same way as the look into the journal, behind it
        assert client.job(live.job_id).steps[0].expected_ms == 2_000
        assert client.wait(live.job_id, timeout_ms=0).job.steps[0].expected_ms == 2_000
