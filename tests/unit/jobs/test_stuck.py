"""A job that needs a person: it can be let go on, or closed as it stands; until then it keeps its claims."""

from __future__ import annotations

from taxagent.jobs.asks import Principal, Role
from taxagent.model.errors import AgentError, AnswerLost, NeedsHuman
from taxagent.model.job import Job, JobState, Outcome, Problem, WaitReason
from taxagent.procedures.work import Waiting
from tests.builders.jobs import House, sealing

TECHNICIAN = Principal(name="technician", role=Role.TECHNICIAN)


def plugged() -> House:
    house = House()
    house.plug()
    return house


def stuck(house: House, *script: object) -> str:
    house.procedure.script = [*script]  # type: ignore[list-item]
    return house.accepted()


def answered(house: House, act: str, job_id: str, *more: str) -> Job | AgentError:
    answers: list[Job | AgentError] = []
    getattr(house.desk, act)(TECHNICIAN, job_id, *more, answers.append)
    house.settle()
    (answer,) = answers
    return answer


def test_a_job_that_is_resumed_runs_again() -> None:
    house = plugged()
    job_id = stuck(house, NeedsHuman("DEVICE_CHANGED"))
    assert isinstance(answered(house, "resume", job_id), Job)
    assert house.job(job_id).state is JobState.DONE


def test_a_job_that_is_closed_has_a_record_with_the_reason_and_frees_its_claims() -> None:
    house = plugged()
    job_id = stuck(house, NeedsHuman("DEVICE_CHANGED"))
    closed = answered(house, "close", job_id, "the shop reported by hand")
    assert isinstance(closed, Job)
    assert (closed.state, closed.outcome) == (JobState.CLOSED, Outcome.NOT_EXECUTED)
    assert closed.problem is not None
    assert closed.problem.detail == {
        "holder": "technician",
        "what": "the shop reported by hand",
        "cause": "DEVICE_CHANGED",
    }
    again = house.accepted(key="another-key-of-16-ch")
    assert house.job(again).state is JobState.DONE


def test_a_closed_job_with_an_open_step_stays_unknown() -> None:
    house = plugged()
    job_id = stuck(house, sealing(NeedsHuman("STATE_DISAGREES"), None))
    assert house.job(job_id).outcome is Outcome.UNKNOWN
    closed = answered(house, "close", job_id, "the device is broken")
    assert isinstance(closed, Job)
    assert closed.outcome is Outcome.UNKNOWN


def test_a_job_that_is_not_stuck_is_neither_resumed_nor_closed() -> None:
    house = plugged()
    done = house.accepted()
    house.unplug()
    waiting = house.accepted(key="another-key-of-16-ch")
    for act, more, job_id, fault in (
        ("resume", (), done, "JOB_ENDED"),
        ("resume", (), "01NO", "JOB_UNKNOWN"),
        ("close", ("because",), done, "JOB_ENDED"),
        ("close", ("because",), waiting, "JOB_NOT_STUCK"),
        ("close", ("because",), "01NO", "JOB_UNKNOWN"),
    ):
        refused = answered(house, act, job_id, *more)
        assert isinstance(refused, AgentError)
        assert refused.fault == fault


def test_a_waiting_job_that_is_resumed_looks_at_once() -> None:
    house = plugged()
    filed = Problem(fault="NOT_DECLARED", outcome=Outcome.NOT_EXECUTED)
    job_id = stuck(house, Waiting(WaitReason.DECLARATION, filed), None)
    assert house.job(job_id).state is JobState.WAITING
    answered(house, "resume", job_id)
    assert house.job(job_id).state is JobState.DONE


def test_a_cancel_of_a_stuck_job_says_what_to_do_instead() -> None:
    house = plugged()
    job_id = stuck(house, NeedsHuman("DEVICE_CHANGED"))
    refused = answered(house, "cancel", job_id)
    assert isinstance(refused, AgentError)
    assert refused.fault == "JOB_NEEDS_HUMAN"


def test_an_unknown_job_whose_device_is_gone_for_good_can_be_closed() -> None:
    house = plugged()
    job_id = stuck(house, sealing(AnswerLost("ANSWER_LOST"), None), AnswerLost("ANSWER_LOST"))
    house.unplug()
    closed = answered(house, "close", job_id, "the device burned")
    assert isinstance(closed, Job)
    assert (closed.state, closed.outcome) == (JobState.CLOSED, Outcome.UNKNOWN)


def test_an_unknown_job_without_an_open_step_waits_for_its_device_and_can_be_cancelled() -> None:
    """A lost read is nothing that only the device can tell: without it the job waits like any other."""
    house = plugged()
    job_id = stuck(house, AnswerLost("ANSWER_LOST"), AnswerLost("ANSWER_LOST"))
    house.unplug()
    house.pass_time(60_000)
    wait = house.job(job_id).wait
    assert wait is not None
    assert wait.reason is WaitReason.DEVICE
    answered(house, "cancel", job_id)
    assert house.job(job_id).state is JobState.STOPPED
