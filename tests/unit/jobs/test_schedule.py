"""When a job runs, waits and ends: by its device, by the clock, by the will of a person."""

from __future__ import annotations

import pytest

from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    BureauDown,
    DeviceAbsent,
    DeviceInUse,
    Interrupted,
    JournalFull,
    NeedsHuman,
    Refusal,
)
from taxagent.model.events import JobEnded, JobRunning, JobWaiting
from taxagent.model.job import JobKind, JobState, Outcome, Problem, WaitReason
from taxagent.procedures.work import Waiting, Work
from tests.builders.jobs import BASELINE, DEVICE_NO, PASSWORD, SEAL, SHOP, FakeDevice, House, sealing, settled

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
OTHER = "661234567891"


def waiting(reason: WaitReason = WaitReason.DECLARATION, fault: str = "NOT_DECLARED") -> Waiting:
    return Waiting(reason, Problem(fault=fault, outcome=Outcome.NOT_EXECUTED))


def plugged() -> House:
    house = House()
    house.plug()
    return house


def cancel(house: House, job_id: str) -> None:
    answers: list[object] = []
    house.desk.cancel(SHOP, job_id, answers.append)
    house.settle()
    assert len(answers) == 1


def state(house: House, job_id: str) -> tuple[JobState, Outcome]:
    job = house.job(job_id)
    return job.state, job.outcome


def reason(house: House, job_id: str) -> WaitReason | None:
    wait = house.job(job_id).wait
    return wait.reason if wait is not None else None


# ---- waits


def test_an_accepted_job_runs_at_once_and_ends() -> None:
    house = plugged()
    job_id = house.accepted()
    assert state(house, job_id) == (JobState.DONE, Outcome.EXECUTED)


def test_a_job_whose_device_is_away_waits_for_it_and_the_journal_says_so() -> None:
    house = plugged()
    house.unplug()
    job_id = house.accepted()
    assert reason(house, job_id) is WaitReason.DEVICE
    house.plug("2-1")
    assert state(house, job_id) == (JobState.DONE, Outcome.EXECUTED)


def test_a_waiting_job_holds_no_thread() -> None:
    house = plugged()
    house.secrets[f"device-{OTHER}"] = PASSWORD
    house.plug("1-2", FakeDevice(OTHER))
    house.procedure.script = [waiting()]
    waits = house.accepted()
    other = house.accepted(device_no=OTHER, key="another-key-of-16-ch")
    assert reason(house, waits) is WaitReason.DECLARATION
    assert house.job(other).state is JobState.DONE


def test_the_return_is_asked_for_with_growing_pauses() -> None:
    house = plugged()
    house.procedure.script = [waiting()] * 20
    job_id = house.accepted()
    house.pass_time(9 * MINUTE)
    assert len(house.procedure.runs) == 1
    house.pass_time(MINUTE)
    assert len(house.procedure.runs) == 2
    wait = house.job(job_id).wait
    assert wait is not None
    assert wait.since_ms == house.job(job_id).accepted_ms


def test_a_bureau_that_is_down_is_asked_less_and_less_often() -> None:
    house = plugged()
    house.procedure.script = [BureauDown("BUREAU_DOWN")] * 100
    house.accepted()
    house.pass_time(MINUTE)
    early = len(house.procedure.runs)
    house.pass_time(HOUR)
    middle = len(house.procedure.runs)
    house.pass_time(HOUR)
    assert early >= 3
    assert len(house.procedure.runs) - middle == 6


def test_a_bureau_that_says_when_to_come_back_is_not_asked_before() -> None:
    house = plugged()
    house.procedure.script = [BureauDown("BUREAU_BUSY", retry_after_s=300.0)]
    job_id = house.accepted()
    house.pass_time(4 * MINUTE)
    assert len(house.procedure.runs) == 1
    house.pass_time(MINUTE)
    assert house.job(job_id).state is JobState.DONE


def test_a_device_in_use_is_tried_again_at_its_time() -> None:
    house = plugged()
    house.source.refuses = DeviceInUse("DEVICE_IN_USE", holder="invoicing.exe")
    job_id = house.accepted()
    assert reason(house, job_id) is WaitReason.DEVICE_IN_USE
    house.source.refuses = None
    house.pass_time(30 * SECOND)
    assert house.job(job_id).state is JobState.DONE


def test_a_wait_is_not_missed_when_the_wall_clock_lags_behind_the_timers() -> None:
    house = plugged()
    house.procedure.script = [waiting()]
    job_id = house.accepted()
    wait = house.job(job_id).wait
    assert wait is not None
    assert wait.next_ms is not None
    call = house.timers.due(wait.next_ms - MINUTE)
    while call is not None:
        call()
        house.settle()
        call = house.timers.due(wait.next_ms - MINUTE)
    house.clock.now_ms -= 5  # set back by five milliseconds
    house.pass_time(10 * MINUTE + 10)
    assert house.job(job_id).state is JobState.DONE


def test_a_device_that_is_plugged_but_mute_is_tried_again_each_minute() -> None:
    house = plugged()
    house.procedure.script = [DeviceAbsent("DEVICE_MUTE")]
    job_id = house.accepted()
    assert reason(house, job_id) is WaitReason.DEVICE
    house.pass_time(MINUTE)
    assert house.job(job_id).state is JobState.DONE


def test_a_defect_while_the_device_is_taken_does_not_end_the_job() -> None:
    house = plugged()
    house.source.refuses = ZeroDivisionError()
    job_id = house.accepted()
    assert reason(house, job_id) is WaitReason.DEVICE
    house.source.refuses = None
    house.pass_time(MINUTE)
    assert house.job(job_id).state is JobState.DONE


def test_a_device_that_comes_back_while_its_job_fails_for_the_old_place_wakes_it() -> None:
    house = plugged()
    device = house.source.plugged["1-1"]

    def replugged(work: Work) -> None:
        del house.source.plugged["1-1"]
        house.source.plugged["1-2"] = device
        seen = house.source.seen()
        house.mailbox.post(lambda: house.roster.changed(seen))
        house.loop()
        house.source.queues[-1].turn()
        house.loop()
        raise DeviceAbsent("DEVICE_ABSENT")

    house.procedure.script = [replugged]
    job_id = house.accepted()
    assert house.job(job_id).state is JobState.DONE


# ---- never twice at once


def test_a_job_that_is_woken_while_it_is_queued_is_not_queued_twice() -> None:
    house = plugged()
    answers: list[object] = []
    house.desk.accept(SHOP, house.ask(), answers.append)
    house.loop()
    job = house.book.live()[0]
    house.schedule.wake(job)
    house.schedule.arrived(DEVICE_NO)
    house.settle()
    assert house.procedure.runs == [job.job_id]
    assert [type(row) for row in house.journal.rows].count(JobEnded) == 1


def test_a_job_for_a_person_does_not_run_and_keeps_its_claims() -> None:
    house = plugged()
    house.procedure.script = [NeedsHuman("DEVICE_CHANGED")]
    job_id = house.accepted()
    house.schedule.wake(house.job(job_id))
    house.unplug()
    house.plug()
    house.pass_time(24 * HOUR)
    assert house.procedure.runs == [job_id]
    assert house.job(job_id).state is JobState.NEEDS_HUMAN
    refused = house.accept(key="another-key-of-16-ch")
    assert (refused.fault, refused.detail["job_id"]) == ("JOB_IN_PROGRESS", job_id)


def test_a_defect_in_a_run_is_for_a_person() -> None:
    house = plugged()
    house.procedure.script = [ZeroDivisionError()]
    assert house.job(house.accepted()).state is JobState.NEEDS_HUMAN


# ---- unknown


def test_an_unknown_step_is_read_again_with_pauses() -> None:
    house = plugged()
    lost = AnswerLost("ANSWER_LOST")
    house.procedure.script = [sealing(lost, None), lost, lost, lost, lost, settled]
    job_id = house.accepted()
    assert house.job(job_id).state is JobState.UNKNOWN
    house.pass_time(0)
    assert len(house.procedure.runs) == 2
    house.pass_time(SECOND)
    assert len(house.procedure.runs) == 3
    house.pass_time(36 * SECOND)
    assert len(house.procedure.runs) == 5
    house.pass_time(MINUTE)
    assert house.job(job_id).state is JobState.DONE


def test_an_unknown_step_is_read_as_soon_as_the_device_is_back() -> None:
    house = plugged()

    def pulled(work: Work) -> None:
        work.ledger.begin_irreversible(SEAL, BASELINE)
        house.unplug()
        raise DeviceAbsent("DEVICE_ABSENT")

    house.procedure.script = [pulled, settled]
    job_id = house.accepted()
    house.pass_time(HOUR)
    assert house.job(job_id).state is JobState.UNKNOWN
    house.plug()
    assert house.job(job_id).state is JobState.DONE


def test_what_is_not_sure_never_ends_as_refused() -> None:
    house = plugged()
    house.procedure.script = [sealing(Refusal("PASSWORD_LATCHED"), None)]
    job_id = house.accepted()
    assert house.job(job_id).state is JobState.UNKNOWN
    house.procedure.script = [Refusal("PASSWORD_LATCHED")] * 1000
    house.pass_time(24 * HOUR)
    assert house.job(job_id).state is JobState.UNKNOWN
    assert len(house.procedure.runs) < 300


# ---- the time runs out


def test_a_job_whose_window_closed_before_anything_was_written_expires() -> None:
    house = plugged()
    house.window_end_ms = house.clock.now_ms + HOUR
    house.procedure.script = [waiting()] * 100
    job_id = house.accepted()
    house.pass_time(HOUR + MINUTE)
    assert state(house, job_id) == (JobState.EXPIRED, Outcome.NOT_EXECUTED)
    problem = house.job(job_id).problem
    assert problem is not None
    assert problem.fault == "WINDOW_CLOSED"
    assert problem.detail["closes_at"] == "2026-11-03 12:30"


def test_a_job_whose_window_closed_after_the_seal_is_refused_partly_executed() -> None:
    house = plugged()
    house.window_end_ms = house.clock.now_ms + HOUR
    house.procedure.script = [sealing(waiting())] + [waiting()] * 100
    job_id = house.accepted()
    house.pass_time(HOUR + MINUTE)
    assert state(house, job_id) == (JobState.REFUSED, Outcome.PARTLY_EXECUTED)
    problem = house.job(job_id).problem
    assert problem is not None
    assert problem.outcome is Outcome.PARTLY_EXECUTED


def test_a_job_that_only_reads_does_not_wait_for_ever_because_it_looks_often() -> None:
    house = plugged()
    house.source.refuses = DeviceInUse("DEVICE_IN_USE", holder="x")
    house.window_end_ms = house.clock.now_ms + HOUR
    job_id = house.accepted(kind=JobKind.CHECK)
    for _ in range(70):
        house.window_end_ms = house.clock.now_ms + HOUR
        house.pass_time(MINUTE)
    assert house.job(job_id).state is JobState.EXPIRED
    problem = house.job(job_id).problem
    assert problem is not None
    assert problem.fault == "DEVICE_IN_USE"


def test_a_job_whose_time_ran_out_while_the_agent_was_off_does_not_run_first() -> None:
    house = plugged()
    house.window_end_ms = house.clock.now_ms + HOUR
    house.procedure.script = [waiting()]
    job_id = house.accepted()
    house.clock.now_ms += 24 * HOUR
    house.restart()
    house.bus_changed()
    assert house.job(job_id).state is JobState.EXPIRED
    assert len(house.procedure.runs) == 1


def test_the_simulated_time_decides_where_there_is_one() -> None:
    house = plugged()
    house.clock.sim = house.clock.now_ms + 1000 * HOUR
    house.window_end_ms = house.clock.sim + HOUR
    house.procedure.script = [waiting()] * 100
    job_id = house.accepted()
    house.pass_time(2 * HOUR)
    assert house.job(job_id).state is JobState.WAITING
    house.clock.sim += HOUR
    house.pass_time(MINUTE)
    assert house.job(job_id).state is JobState.EXPIRED


# ---- cancelled


@pytest.mark.parametrize("where", ["away", "declaration"])
def test_a_waiting_job_that_is_cancelled_stops_at_once_without_a_device(where: str) -> None:
    house = plugged()
    if where == "declaration":
        house.procedure.script = [waiting()]
        job_id = house.accepted()
        house.unplug()
    else:
        house.unplug()
        job_id = house.accepted()
    cancel(house, job_id)
    assert state(house, job_id) == (JobState.STOPPED, Outcome.NOT_EXECUTED)
    problem = house.job(job_id).problem
    assert problem is not None
    assert problem.fault == "CANCELLED"


def test_a_job_that_is_cancelled_after_the_seal_stops_partly_executed() -> None:
    house = plugged()
    house.procedure.script = [sealing(waiting())]
    job_id = house.accepted()
    cancel(house, job_id)
    assert state(house, job_id) == (JobState.STOPPED, Outcome.PARTLY_EXECUTED)


def test_a_job_that_is_cancelled_while_it_runs_stops_when_it_comes_to_wait() -> None:
    house = plugged()

    def cancelled(work: Work) -> None:
        house.desk.cancel(SHOP, work.job.job_id, lambda answer: None)
        raise waiting()

    house.procedure.script = [cancelled]
    assert house.job(house.accepted()).state is JobState.STOPPED


def test_a_job_that_is_cancelled_before_it_runs_does_not_run() -> None:
    house = plugged()
    house.desk.accept(SHOP, house.ask(), lambda answer: None)
    house.loop()
    (job,) = house.book.live()
    house.desk.cancel(SHOP, job.job_id, lambda answer: None)
    house.settle()
    assert house.job(job.job_id).state is JobState.STOPPED
    assert house.procedure.runs == []


def test_a_cancelled_job_that_is_unknown_is_read_before_it_ends() -> None:
    house = plugged()

    def pulled(work: Work) -> None:
        work.ledger.begin_irreversible(SEAL, BASELINE)
        house.unplug()
        raise DeviceAbsent("DEVICE_ABSENT")

    house.procedure.script = [pulled, Interrupted("CANCELLED")]
    job_id = house.accepted()
    cancel(house, job_id)
    assert house.job(job_id).state is JobState.UNKNOWN


def test_a_cancelled_job_frees_its_claims() -> None:
    house = plugged()
    house.procedure.script = [waiting()]
    cancel(house, house.accepted())
    assert not isinstance(house.accept(key="another-key-of-16-ch"), AgentError)


# ---- the journal takes no row


def test_a_run_that_could_not_be_journaled_is_tried_again() -> None:
    house = plugged()

    def full(work: Work) -> None:
        house.journal.fails = JournalFull("JOURNAL_FULL")
        work.ledger.begin(SEAL)

    house.procedure.script = [full]
    job_id = house.accepted()
    assert house.job(job_id).state is JobState.RUNNING
    house.journal.fails = None
    house.pass_time(MINUTE)
    assert house.job(job_id).state is JobState.DONE


def test_a_reading_that_could_not_be_journaled_is_tried_again() -> None:
    house = plugged()
    house.procedure.script = [sealing(AnswerLost("ANSWER_LOST"), None), settled]
    job_id = house.accepted()
    assert house.job(job_id).state is JobState.UNKNOWN
    house.journal.fails = JournalFull("JOURNAL_FULL")
    house.pass_time(10 * MINUTE)
    assert house.job(job_id).state is JobState.UNKNOWN
    house.journal.fails = None
    house.pass_time(2 * MINUTE)
    assert house.job(job_id).state is JobState.DONE


def test_a_cancel_that_could_not_be_ended_is_ended_later_and_does_not_spin() -> None:
    house = plugged()
    house.procedure.script = [waiting()]
    job_id = house.accepted()
    house.desk.cancel(SHOP, job_id, lambda answer: None)
    house.journal.fails = JournalFull("JOURNAL_FULL")
    house.settle()
    assert house.job(job_id).state is JobState.WAITING
    house.journal.fails = None
    house.pass_time(2 * MINUTE)
    assert house.job(job_id).state is JobState.STOPPED


# ---- drain and restart


def test_a_drained_run_stays_as_the_journal_has_it_and_goes_on_after_the_start() -> None:
    house = plugged()
    house.procedure.script = [sealing(Interrupted("DRAINING"))]
    job_id = house.accepted()
    assert house.job(job_id).state is JobState.RUNNING
    house.restart()
    house.bus_changed()
    assert state(house, job_id) == (JobState.DONE, Outcome.EXECUTED)


def test_a_job_that_is_queued_when_the_agent_drains_is_not_said_to_wait_for_a_device() -> None:
    house = plugged()
    house.desk.accept(SHOP, house.ask(), lambda answer: None)
    house.loop()
    assert house.roster.close(0)
    house.settle()
    house.schedule.wake(house.book.live()[0])
    house.settle()
    assert not [row for row in house.journal.rows if isinstance(row, JobWaiting)]
    assert house.book.live()[0].state is JobState.ACCEPTED


def test_after_a_start_jobs_go_on_when_their_device_is_identified() -> None:
    house = plugged()
    house.procedure.script = [Interrupted("DRAINING")]
    job_id = house.accepted()
    house.restart()
    assert len(house.procedure.runs) == 1
    house.bus_changed()
    assert house.job(job_id).state is JobState.DONE


def test_after_a_start_a_job_whose_device_does_not_come_waits_for_it() -> None:
    house = plugged()
    house.procedure.script = [Interrupted("DRAINING")]
    job_id = house.accepted()
    house.source.plugged.clear()
    house.restart()
    house.pass_time(10 * SECOND)
    assert reason(house, job_id) is WaitReason.DEVICE


def test_after_a_start_waiting_jobs_look_once_and_then_keep_their_time() -> None:
    house = plugged()
    house.procedure.script = [waiting(), waiting()]
    job_id = house.accepted()
    house.restart()
    house.bus_changed()
    assert reason(house, job_id) is WaitReason.DECLARATION
    house.pass_time(10 * MINUTE)
    assert house.job(job_id).state is JobState.DONE


def test_after_a_start_a_cancelled_job_that_waited_stops() -> None:
    house = plugged()
    house.procedure.script = [waiting()]
    job_id = house.accepted()
    house.desk.cancel(SHOP, job_id, lambda answer: None)
    house.restart()
    assert house.job(job_id).state is JobState.STOPPED


# ---- devices


def test_two_devices_work_side_by_side() -> None:
    house = plugged()
    house.secrets[f"device-{OTHER}"] = PASSWORD
    house.plug("1-2", FakeDevice(OTHER))
    inner: list[str] = []

    def while_the_other_works(work: Work) -> None:
        if work.job.scope.device_no == DEVICE_NO:
            inner.append(house.accepted(device_no=OTHER, key="another-key-of-16-ch"))

    house.procedure.script = [while_the_other_works]
    job_id = house.accepted()
    assert {house.job(each).state for each in (job_id, *inner)} == {JobState.DONE}
    began = [row.job_id for row in house.journal.rows if isinstance(row, JobRunning)]
    assert began == [job_id, *inner]


def test_the_claim_is_free_after_the_end() -> None:
    house = plugged()
    house.accepted()
    assert not isinstance(house.accept(key="another-key-of-16-ch"), AgentError)
