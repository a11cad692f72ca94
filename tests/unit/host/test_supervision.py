"""What the service manager reads of the agent, and when sleep waits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from taxagent.host.notify import Notifier
from taxagent.host.supervision import EXTEND_MS, Picture, Supervision
from taxagent.model.faults import Lang
from taxagent.model.job import Job, JobKind, JobState, Outcome, Step, StepId, StepRun
from tests.builders.ipc import job


class World:
    """A manager that writes down, timers by hand, and live jobs."""

    def __init__(self, *jobs: Job, lang: Lang = "en", hung: int = 0) -> None:
        self.told: list[dict[str, str | int]] = []
        self.timers: list[tuple[int, Callable[[], None]]] = []
        self.sleep: list[bool] = []
        self.jobs = jobs
        self.hung = hung
        notifier = Notifier({"NOTIFY_SOCKET": "/nowhere"}, 1)
        notifier.tell = lambda **fields: self.told.append(fields)  # type: ignore[method-assign]
        self.it = Supervision(
            notifier,
            language=lang,
            later=lambda ms, call: self.timers.append((ms, call)),
            ask=lambda call: call(),
            picture=lambda: Picture(devices=2, hung=self.hung, jobs=self.jobs),
            inhibit=lambda: self.sleep.append(True),
            allow=lambda: self.sleep.append(False),
        )


def in_state(state: JobState, number: int = 1, **changes: object) -> Job:
    return job(number, state=state, kind=JobKind.SETTLE, **changes)


def sealing(number: int = 1) -> Job:
    """A job in the midst of its seal."""
    step = StepRun(id=StepId(step=Step.SEAL, group="007"), outcome=Outcome.UNKNOWN, begun_ms=1)
    return in_state(JobState.RUNNING, number, steps=(step,))


@pytest.mark.parametrize(
    "lang, status",
    [
        ("en", "Ready: 2 plugged, 1 not reacting, 1 running, 1 waiting, 1 to be looked at by a person"),
        ("zh", "就绪：2 个设备，1 个设备没有反应，1 个任务办理中，1 个任务等待中，1 个任务要人处理"),
    ],
)
def test_its_state_is_told_in_words(lang: Lang, status: str) -> None:
    states = (JobState.RUNNING, JobState.WAITING, JobState.NEEDS_HUMAN, JobState.ACCEPTED)
    world = World(*(in_state(state, number) for number, state in enumerate(states)), lang=lang, hung=1)
    world.it.ready()
    assert world.told == [{"READY": 1, "STATUS": status}]


def test_many_changes_are_told_once_and_none_is_not_told() -> None:
    world = World()
    world.it.ready()
    world.jobs = (in_state(JobState.WAITING),)
    for _ in range(5):
        world.it.look()
    assert len(world.timers) == 1
    world.timers.pop()[1]()
    assert world.told[1:] == [{"STATUS": "Ready: 2 plugged, 1 waiting"}]
    world.it.look()
    world.timers.pop()[1]()
    assert len(world.told) == 2


def test_a_start_that_verifies_says_how_far_it_is_and_asks_for_time() -> None:
    world = World()
    for done in (500, 501, 1000):
        world.it.verifying(done, 1000)
    assert [told["STATUS"] for told in world.told] == [
        "Verifying the journal (50 %); no work yet",
        "Verifying the journal (100 %); no work yet",
    ]
    assert all(told["EXTEND_TIMEOUT_USEC"] == 60_000_000 for told in world.told)


def test_a_stop_asks_for_time_while_a_step_must_not_be_cut_and_no_longer() -> None:
    world = World(sealing())
    world.it.ready()
    world.it.draining()
    assert world.told[1]["STOPPING"] == 1
    more = {"EXTEND_TIMEOUT_USEC": EXTEND_MS * 1000}
    assert world.told[2] == more
    world.timers.pop()[1]()
    assert world.told[3] == more
    world.jobs = (in_state(JobState.RUNNING),)
    world.timers.pop()[1]()
    assert (len(world.told), world.timers) == (4, [])


def test_sleep_waits_from_the_begin_of_the_first_run_to_the_end_of_the_last() -> None:
    world = World()
    world.it.moved([in_state(JobState.RUNNING, 1), in_state(JobState.RUNNING, 2)])
    world.it.moved([sealing(1)])
    world.it.moved([in_state(JobState.DONE, 1)])
    assert world.sleep == [True]
    world.it.moved([in_state(JobState.WAITING, 2)])
    assert world.sleep == [True, False]


def test_sleep_does_not_wait_for_a_job_that_only_reads() -> None:
    world = World()
    world.it.moved([job(state=JobState.RUNNING, kind=JobKind.CHECK)])
    assert world.sleep == []
