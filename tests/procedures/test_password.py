"""A refused password is never tried again by itself: not after a wait, a restart or a lost answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from taxagent.model.errors import AnswerLost, DeviceAbsent
from taxagent.model.job import JobState, Outcome, WaitReason
from tests.builders import judge, world
from tests.builders.tap import raising
from tests.builders.work import Bench

WRONG, RIGHT = "12345678", "88888888"


def bench_with(folder: Path, password: str | None, **device: Any) -> Bench:
    bench = Bench(folder, **device)
    bench.accept(confirmed=False)
    bench.file_return()
    bench.secrets.password = password
    return bench


def fault_of(bench: Bench) -> str:
    """Run the job; return why it was refused with nothing done. The next run is of another job."""
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.REFUSED, Outcome.NOT_EXECUTED)
    assert job.problem is not None
    bench.next_job()
    bench.accept(confirmed=False)
    return job.problem.fault


def test_a_wrong_password_is_tried_once_ever(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, WRONG)
    assert fault_of(bench) == "PASSWORD_WRONG"
    assert [fault_of(bench) for _ in range(3)] == ["PASSWORD_LATCHED"] * 3  # each by an agent of its own
    assert bench.device.memory.tries_left == 4
    assert bench.tap.passed.count("before open") == 1


def test_another_password_is_tried_again(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, WRONG)
    assert fault_of(bench) == "PASSWORD_WRONG"
    bench.secrets.password = RIGHT
    judge.settled(bench, bench.run())
    assert bench.device.memory.tries_left == 5


def test_no_refused_password_is_tried_again_although_others_were_tried_since(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, WRONG)
    assert fault_of(bench) == "PASSWORD_WRONG"
    bench.secrets.password = "11111111"
    assert fault_of(bench) == "PASSWORD_WRONG"
    for password in (WRONG, "11111111", WRONG):
        bench.secrets.password = password
        assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 3


@pytest.mark.parametrize("commit", [3, 4, 5])
def test_a_kill_around_the_refusal_buys_no_second_try(tmp_path: Path, commit: int) -> None:
    """The commits: the job is read, runs, says that it tries; the device refuses; that is said; the end."""
    bench = bench_with(tmp_path, WRONG)
    bench.tap.on("before commit", bench.tap.die, nth=commit)
    bench.run_until_killed()
    for _ in range(3):
        if bench.run().state.ended:
            bench.next_job()
            bench.accept(confirmed=False)
    assert bench.device.memory.tries_left == 4


def test_a_device_pulled_before_its_refusal_was_heard_is_not_asked_again(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, WRONG)
    bench.adapter = bench.losing_answers("open")
    bench.tap.on("before hello", raising(DeviceAbsent("DEVICE_ABSENT")), nth=2)
    assert bench.run().state is JobState.WAITING
    bench.adapter = bench.this_device
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 4


def test_a_refused_password_that_a_person_gives_again_is_tried_once_more(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, WRONG)
    assert fault_of(bench) == "PASSWORD_WRONG"
    assert fault_of(bench) == "PASSWORD_LATCHED"
    bench.secrets.mark = "given again"
    assert fault_of(bench) == "PASSWORD_WRONG"
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 3


def test_a_password_that_was_good_is_not_taken_for_refused_because_someone_else_mistyped(
    tmp_path: Path,
) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.tap.on("before open", raising(DeviceAbsent("DEVICE_ABSENT")), nth=2)
    bench.run()
    world.remember(bench, tries_left=4)()
    judge.settled(bench, bench.run_to_the_end())


def test_without_a_password_nothing_is_tried(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, None)
    assert fault_of(bench) == "PASSWORD_MISSING"
    assert bench.device.memory.tries_left == 5


def test_the_last_try_is_not_taken_even_with_the_right_password(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT, tries=1)
    assert fault_of(bench) == "PASSWORD_LAST_TRY"
    assert "before open" not in bench.tap.passed


def test_a_blocked_device_is_not_tried(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT, tries=1)
    bench.device.kept.keep(msgspec.structs.replace(bench.device.memory, tries_left=0))
    assert fault_of(bench) == "PASSWORD_BLOCKED"


def test_a_refusal_whose_answer_is_lost_is_read_from_the_tries_left(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, WRONG)
    bench.adapter = bench.losing_answers("open")
    assert fault_of(bench) == "PASSWORD_WRONG"
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 4


def test_a_refusal_at_the_second_try_after_a_lost_question_is_remembered_as_well(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, WRONG)
    bench.tap.on("before open", raising(AnswerLost("ANSWER_LOST")))  # the device never saw the first
    bench.adapter = bench.losing_answers("open")  # and the answer to the second is lost
    assert fault_of(bench) == "PASSWORD_WRONG"
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 4


def test_an_accepted_password_whose_answer_is_lost_is_given_once_more(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.tap.on("after open", raising(AnswerLost("ANSWER_LOST")))
    judge.settled(bench, bench.run())


def test_another_device_in_the_port_is_not_given_the_password(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.adapter = bench.another_device
    job = bench.run()
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault) == (WaitReason.DEVICE, "DEVICE_ABSENT")
    assert "before open" not in bench.tap.passed
    bench.adapter = bench.this_device
    judge.settled(bench, bench.run())


def test_a_device_that_leaves_during_open_is_waited_for(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.tap.on("before open", raising(DeviceAbsent("DEVICE_ABSENT")))
    job = bench.run()
    assert job.wait is not None
    assert job.wait.reason is WaitReason.DEVICE
    judge.settled(bench, bench.run())


def test_a_password_that_was_good_and_is_refused_right_before_a_crash_buys_no_second_try(
    tmp_path: Path,
) -> None:
    """It is not announced: only the tries left tell the next agent."""
    bench = bench_with(tmp_path, RIGHT)
    bench.run()
    refused_right_before_a_crash(bench)
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 4


def test_a_run_that_never_met_the_device_does_not_forget_the_crash_before(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.run()
    refused_right_before_a_crash(bench)
    bench.adapter = bench.another_device
    assert bench.run().state is JobState.WAITING  # and that agent ends in good order
    bench.adapter = bench.this_device
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 4


def test_a_password_first_accepted_after_a_mistyped_one_is_doubted_after_a_crash_as_well(
    tmp_path: Path,
) -> None:
    """Before its first opening fewer tries were left than since: a good one gives all of them back."""
    bench = bench_with(tmp_path, WRONG)
    assert fault_of(bench) == "PASSWORD_WRONG"
    bench.secrets.password = RIGHT
    bench.run()
    refused_right_before_a_crash(bench)
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 4


def test_a_mistyped_password_of_others_after_a_crash_shuts_out_until_the_tries_are_all_there_again(
    tmp_path: Path,
) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.run()
    bench.next_job()
    bench.accept(confirmed=False)
    bench.tap.on("before open", bench.tap.die)
    bench.run_until_killed()
    world.remember(bench, tries_left=4)()
    assert [fault_of(bench) for _ in range(2)] == ["PASSWORD_LATCHED"] * 2
    world.remember(bench, tries_left=5)()
    assert bench.run().state is not JobState.REFUSED


def test_a_doubted_password_is_tried_once_when_a_person_gives_it_anew(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.run()
    refused_right_before_a_crash(bench)
    assert fault_of(bench) == "PASSWORD_LATCHED"
    bench.secrets.mark = "given again"
    assert fault_of(bench) == "PASSWORD_WRONG"
    assert fault_of(bench) == "PASSWORD_LATCHED"
    assert bench.device.memory.tries_left == 3


def test_a_doubted_password_on_a_blocked_device_is_told_as_blocked(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, RIGHT)
    bench.run()
    refused_right_before_a_crash(bench)
    world.remember(bench, tries_left=0)()
    assert fault_of(bench) == "PASSWORD_BLOCKED"


def refused_right_before_a_crash(bench: Bench) -> None:
    """The device's password is another now; the agent dies between the refusal and its row."""
    world.remember(bench, password="12345678")()
    bench.next_job()
    bench.accept(confirmed=False)
    bench.tap.on("before open", lambda: bench.tap.on("before commit", bench.tap.die))
    bench.run_until_killed()
    assert bench.device.memory.tries_left == 4
