"""Bad days: the bureau is down; the device is gone, busy or changed; someone cancels; a disk is full."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    BureauDown,
    BureauRefused,
    DeviceAbsent,
    DeviceInUse,
    DeviceLent,
    DeviceRefused,
    JournalFull,
    Refusal,
)
from taxagent.model.job import Job, JobKind, JobState, Outcome, Step, WaitReason
from tests.builders import judge, world
from tests.builders.model import synthetic_taxpayer_id
from tests.builders.scenario import OCTOBER, listed
from tests.builders.tap import raising
from tests.builders.work import SEPTEMBER, Bench
from tests.builders.world import due, step

BUREAU_CALLS = ["status", "get_report", "put_report", "get_declaration", "get_ticket", "put_ticket"]
WRITES = {"seal": Step.SEAL, "clock_ticket": Step.CLOCK_TICKET, "apply_ticket": Step.APPLY}
NOT_NOW = [
    (DeviceAbsent("SESSION_UNKNOWN"), WaitReason.DEVICE),
    (DeviceAbsent("DEVICE_MUTE"), WaitReason.DEVICE),
    (DeviceAbsent("DEVICE_ABSENT"), WaitReason.DEVICE),
    (DeviceInUse("DEVICE_BUSY"), WaitReason.DEVICE_IN_USE),
]


def settling(folder: Path, **device: Any) -> Bench:
    bench = Bench(folder, **device)
    bench.accept()
    bench.file_return()
    return bench


def fault_of(job: Job) -> str:
    assert job.problem is not None
    return job.problem.fault


def nothing_is_in_doubt(job: Job) -> bool:
    """Return whether every step of the job is known to be done or known not to be."""
    return all(run.outcome is not Outcome.UNKNOWN for run in job.steps)


# ---- the bureau


@pytest.mark.parametrize("call", BUREAU_CALLS)
def test_a_bureau_that_is_down_is_waited_for_at_each_call(tmp_path: Path, call: str) -> None:
    bench = settling(tmp_path)
    bench.tap.on(f"before {call}", raising(BureauDown("BUREAU_DOWN")))
    job = bench.run()
    assert job.wait is not None
    assert (job.state, job.wait.reason) == (JobState.WAITING, WaitReason.BUREAU)
    assert nothing_is_in_doubt(job)
    judge.settled(bench, bench.run())


@pytest.mark.parametrize("call", ["put_report", "put_ticket"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_an_answer_that_the_bureau_lost_is_settled_by_asking_again(
    tmp_path: Path, call: str, place: str
) -> None:
    bench = settling(tmp_path)
    bench.tap.on(f"{place} {call}", raising(AnswerLost("ANSWER_LOST")))
    assert bench.run().state is JobState.UNKNOWN
    judge.settled(bench, bench.run())


def test_a_report_that_the_bureau_refuses_leaves_a_sealed_month_and_says_so(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before put_report", raising(BureauRefused("BUREAU_REFUSED", bureau_text="不予受理")))
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.REFUSED, Outcome.PARTLY_EXECUTED)
    assert job.done(step(Step.SEAL))
    submit = bench.job().run_of(step(Step.SUBMIT))
    assert submit is not None
    assert (submit.outcome, submit.note) == (Outcome.NOT_EXECUTED, "refused")
    assert {run.outcome for run in bench.record().steps} == {Outcome.EXECUTED, Outcome.NOT_EXECUTED}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BureauDown("BUREAU_DOWN"), Outcome.NOT_EXECUTED),
        (BureauRefused("BUREAU_REFUSED"), Outcome.NOT_EXECUTED),
        (AnswerLost("ANSWER_LOST"), Outcome.UNKNOWN),
    ],
)
def test_a_clear_that_the_bureau_was_not_told_of_is_done_and_the_record_says_so(
    tmp_path: Path, error: Exception, outcome: Outcome
) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before confirm", raising(error))
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.DONE, Outcome.EXECUTED)
    confirm = job.run_of(step(Step.CONFIRM))
    assert confirm is not None
    assert (confirm.outcome, confirm.note) == (outcome, "not_confirmed")
    assert not bench.record().bureau_confirmed


# ---- the device


@pytest.mark.parametrize(("error", "reason"), NOT_NOW)
@pytest.mark.parametrize("command", list(WRITES))
def test_a_write_that_certainly_did_not_leave_is_known_as_not_executed_and_done_later(
    tmp_path: Path, command: str, error: Exception, reason: WaitReason
) -> None:
    bench = settling(tmp_path)
    bench.tap.on(f"before {command}", raising(error))
    job = bench.run()
    assert job.wait is not None
    assert job.wait.reason is reason
    run = job.run_of(step(WRITES[command]))
    assert run is not None
    assert (run.outcome, run.note) == (Outcome.NOT_EXECUTED, "not_sent")
    judge.settled(bench, bench.run())


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("command", list(WRITES))
def test_a_write_whose_answer_is_lost_is_unknown_until_the_device_is_read(
    tmp_path: Path, command: str, place: str
) -> None:
    bench = settling(tmp_path)
    bench.tap.on(f"{place} {command}", raising(AnswerLost("ANSWER_LOST")))
    job = bench.run()
    assert (job.state, len(job.open_steps)) == (JobState.UNKNOWN, 1)
    judge.settled(bench, bench.run())
    run = bench.job().run_of(step(WRITES[command]))
    assert run is not None
    assert run.note == ("reconciled" if place == "after" else "")


@pytest.mark.parametrize("command", ["seal", "clock_ticket", "apply_ticket"])
def test_a_device_that_leaves_before_the_lost_answer_can_be_read_stays_unknown(
    tmp_path: Path, command: str
) -> None:
    bench = settling(tmp_path)
    bench.tap.on(f"after {command}", raising(AnswerLost("ANSWER_LOST")))
    bench.run()
    bench.tap.on("before hello", raising(DeviceAbsent("DEVICE_ABSENT")))
    assert bench.run().state is JobState.UNKNOWN
    judge.settled(bench, bench.run())


def test_a_refused_seal_is_refused_with_the_devices_rule_and_code(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before seal", raising(DeviceRefused("DEVICE_FAULTY", device_code="04")))
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.REFUSED, Outcome.NOT_EXECUTED)
    assert job.problem is not None
    assert (job.problem.fault, job.problem.device_code) == ("DEVICE_FAULTY", "04")
    assert nothing_is_in_doubt(job)


def test_a_refused_seal_whose_answer_is_lost_is_refused_once_it_is_heard(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before seal", world.remember(bench, clock_offset_ms=-12 * 3600 * 1000))  # it is midnight
    bench.adapter = bench.losing_answers("seal")
    assert bench.run().state is JobState.UNKNOWN
    bench.adapter = bench.this_device
    job = bench.run()
    assert (job.state, job.outcome, fault_of(job)) == (
        JobState.REFUSED,
        Outcome.NOT_EXECUTED,
        "TOO_EARLY_IN_DAY",
    )
    seal = job.run_of(step(Step.SEAL))
    assert seal is not None
    assert (seal.outcome, seal.note) == (Outcome.NOT_EXECUTED, "reconciled")
    assert bench.writes() == []


def test_a_device_that_refuses_a_seal_that_its_dates_call_due_wants_a_person(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before seal", raising(DeviceRefused("ALREADY_SEALED")))
    job = bench.run()
    assert (job.state, fault_of(job)) == (JobState.NEEDS_HUMAN, "STATE_DISAGREES")


def test_another_program_seals_the_month_at_the_last_moment(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on(
        "before seal", world.moved(bench, last_report=dt.date(2026, 10, 31))
    )  # and keeps the summary to itself
    job = bench.run()
    assert (job.state, fault_of(job)) == (JobState.REFUSED, "NO_SUCH_DATA")
    seal = job.run_of(step(Step.SEAL))
    assert seal is not None
    assert seal.note == "already"
    assert job.outcome is Outcome.NOT_EXECUTED


def test_a_lost_seal_of_a_device_that_went_back_in_time_wants_a_person(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("after seal", raising(AnswerLost("ANSWER_LOST")))
    bench.run()
    world.moved(bench, last_report=dt.date(2026, 8, 31))()
    assert fault_of(bench.run()) == "STATE_DISAGREES"
    assert bench.job().state is JobState.NEEDS_HUMAN


def test_a_device_that_changed_since_the_confirmation_wants_a_person_before_the_seal(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    world.moved(bench, invoicing_deadline=dt.date(2026, 11, 20))()
    job = bench.run()
    assert (job.state, fault_of(job)) == (JobState.NEEDS_HUMAN, "DEVICE_CHANGED")
    assert bench.writes() == []


def test_a_device_that_changed_while_the_job_waited_wants_a_person_before_the_clear(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.run()
    bench.file_return()
    world.moved(bench, last_report=dt.date(2026, 11, 30))()
    job = bench.run()
    assert (job.state, fault_of(job)) == (JobState.NEEDS_HUMAN, "DEVICE_CHANGED")
    assert bench.writes() == ["seal 007"]


@pytest.mark.parametrize("kind", [JobKind.SETTLE, JobKind.CLEAR])
def test_totals_that_changed_since_the_confirmation_want_a_person(tmp_path: Path, kind: JobKind) -> None:
    bench = Bench(tmp_path)
    if kind is JobKind.CLEAR:
        bench.accept(JobKind.REPORT)
        bench.run()
        bench.next_job()
    bench.accept(kind)
    bench.file_return()
    before = bench.writes()
    bench.issue(listed(49, dt.datetime(2026, 10, 30, 9, 0)))
    job = bench.run()
    assert (job.state, fault_of(job)) == (JobState.NEEDS_HUMAN, "DEVICE_CHANGED")
    assert bench.writes() == before


def test_a_wrong_taxpayer_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(taxpayer_id=synthetic_taxpayer_id(7))
    job = bench.run()
    assert (job.state, job.outcome, fault_of(job)) == (
        JobState.REFUSED,
        Outcome.NOT_EXECUTED,
        "TAXPAYER_WRONG",
    )


def test_a_device_that_the_bureau_never_issued_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, registered=False)
    bench.accept(confirmed=False)
    assert fault_of(bench.run()) == "DEVICE_UNREGISTERED"


def test_a_type_that_the_device_lacks_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(types=("007", "025"), confirmed=False)
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.REFUSED, Outcome.NOT_EXECUTED)
    assert fault_of(job) == "TYPE_UNKNOWN"


# ---- the back-up


def test_a_back_up_that_fails_stops_before_the_seal(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before archive", raising(Refusal("BACKUP_FAILED", path="/full", error="ENOSPC")))
    job = bench.run()
    assert (job.state, job.outcome, fault_of(job)) == (
        JobState.REFUSED,
        Outcome.NOT_EXECUTED,
        "BACKUP_FAILED",
    )
    assert bench.writes() == []
    assert nothing_is_in_doubt(job)
    assert job.backups == ()


def test_a_back_up_that_fails_before_the_clear_leaves_it_to_be_done(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before archive", raising(Refusal("BACKUP_FAILED", path="/full", error="ENOSPC")), nth=2)
    job = bench.run()
    assert (job.outcome, fault_of(job)) == (Outcome.PARTLY_EXECUTED, "BACKUP_FAILED")
    assert bench.writes() == ["seal 007"]


def test_a_device_that_leaves_during_the_back_up_is_waited_for(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("before invoices", raising(DeviceAbsent("DEVICE_ABSENT")))
    job = bench.run()
    assert job.state is JobState.WAITING
    assert nothing_is_in_doubt(job)
    judge.settled(bench, bench.run())


# ---- stops


@pytest.mark.parametrize(
    ("place", "done"),
    [
        ("before archive", []),
        ("after put_report", ["seal 007"]),
        ("after put_ticket", ["seal 007"]),
        ("after clock_ticket", ["seal 007", "clock_ticket"]),
    ],
)
def test_a_cancelled_job_stops_before_its_next_irreversible_step(
    tmp_path: Path, place: str, done: list[str]
) -> None:
    bench = settling(tmp_path)
    bench.tap.on(place, bench.cancel)
    job = bench.run()
    assert (job.state, fault_of(job)) == (JobState.STOPPED, "CANCELLED")
    assert job.outcome is (Outcome.PARTLY_EXECUTED if done else Outcome.NOT_EXECUTED)
    assert bench.writes() == done


def test_a_cancel_after_the_last_irreversible_step_comes_too_late(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("after apply_ticket", bench.cancel)
    judge.settled(bench, bench.run())


def test_a_cancelled_job_that_waits_stops_at_its_next_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.run()
    bench.cancel()
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.STOPPED, Outcome.PARTLY_EXECUTED)


@pytest.mark.parametrize(
    ("place", "outcome"), [("before", Outcome.NOT_EXECUTED), ("after", Outcome.PARTLY_EXECUTED)]
)
def test_a_report_whose_answer_was_lost_is_asked_for_before_a_cancelled_job_ends(
    tmp_path: Path, place: str, outcome: Outcome
) -> None:
    bench = Bench(tmp_path)
    world.seal_by_another_program(bench)
    bench.accept()
    bench.tap.on(f"{place} put_report", raising(AnswerLost("ANSWER_LOST")))
    assert bench.run().outcome is Outcome.UNKNOWN, "the report may be there, and nothing else was done"
    bench.cancel()
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.STOPPED, outcome)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("before archive", DeviceLent(holder="shop")),
        ("before put_report", AnswerLost("ANSWER_LOST")),
        ("before put_report", BureauDown("BUREAU_DOWN")),
        ("before get_declaration", RuntimeError("a defect")),
        ("before archive", JournalFull("JOURNAL_FULL")),
    ],
)
def test_however_a_run_ends_the_session_of_a_device_that_is_well_is_closed(
    tmp_path: Path, place: str, error: Exception
) -> None:
    bench = settling(tmp_path)
    bench.tap.on(place, raising(error))
    bench.run()
    assert not bench.job().state.ended
    with pytest.raises(AgentError):
        bench.this_device().clock()


def test_a_cancelled_job_that_is_unknown_is_read_first(tmp_path: Path) -> None:
    bench = settling(tmp_path)
    bench.tap.on("after seal", raising(AnswerLost("ANSWER_LOST")))
    bench.run()
    bench.cancel()
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.STOPPED, Outcome.PARTLY_EXECUTED)
    assert job.done(step(Step.SEAL))


@pytest.mark.parametrize("place", ["after archive", "after put_report", "after clock_ticket"])
def test_an_agent_that_drains_stops_before_the_next_irreversible_step_and_goes_on_later(
    tmp_path: Path, place: str
) -> None:
    bench = settling(tmp_path)
    bench.tap.on(place, lambda: setattr(bench, "stopping", True))
    before = len(bench.writes())
    job = bench.run()
    assert not job.state.ended
    assert len(bench.writes()) >= before
    done = bench.writes()
    bench.run()
    assert bench.writes() == done  # while it drains nothing more is written
    bench.stopping = False
    judge.settled(bench, bench.run())


def test_two_months_of_which_the_second_seal_is_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due("007", SEPTEMBER, OCTOBER),))
    bench.accept(periods=(SEPTEMBER, OCTOBER))
    bench.file_return(SEPTEMBER, OCTOBER)
    bench.tap.on("after seal", raising(AnswerLost("ANSWER_LOST")), nth=2)
    assert bench.run().state is JobState.UNKNOWN
    judge.settled(bench, bench.run())
