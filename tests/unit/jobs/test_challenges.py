"""A verification code (验证码): a job waits with the question, the answer reaches the bureau once, unwritten.

A wrong one brings the bureau's words and a new question.
"""

from __future__ import annotations

import msgspec
import pytest

from taxagent.jobs.asks import Answer, Picture, Principal, Role
from taxagent.jobs.challenges import asked
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    BureauDown,
    BureauRefused,
    ChallengeAsked,
    JournalFull,
)
from taxagent.model.events import ChallengeAnswered
from taxagent.model.job import Job, JobState, Outcome, WaitReason
from tests.builders.jobs import SHOP, House, sealing

ANSWER, KEY = "w7x9", "key-of-the-answer-1"
QUESTION = ChallengeAsked("C1", "请输入图片中的验证码", b"\x89PNG", image_type="image/png")
NEXT = ChallengeAsked("C2", "请再输入一次")
WRONG = BureauRefused("CHALLENGE_WRONG", bureau_text="验证码不正确")


def waiting(*then: object) -> tuple[House, str]:
    """A job that the bureau has asked a question, and what its next runs meet."""
    house = House()
    house.plug()
    house.procedure.script = [QUESTION, *then]  # type: ignore[list-item]
    return house, house.accepted()


def answer(
    house: House, job_id: str, key: str = KEY, who: Principal = SHOP, to: str = "C1"
) -> Job | AgentError:
    answers: list[Job | AgentError] = []
    given = Answer(job_id=job_id, challenge_id=to, text=ANSWER, key=key)
    house.desk.answer(who, given, answers.append)
    house.settle()
    (told,) = answers
    return told


def fault(told: Job | AgentError) -> str:
    return told.fault if isinstance(told, AgentError) else ""


def test_a_job_waits_with_the_question_and_its_picture_until_it_is_answered() -> None:
    house, job_id = waiting()
    job = house.job(job_id)
    assert (job.state, asked(job)) == (JobState.WAITING, "C1")
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault, job.wait.next_ms) == (WaitReason.CHALLENGE, "CHALLENGE", None)
    assert job.wait.detail["bureau_text"] == "请输入图片中的验证码"
    assert house.desk.picture(job) == Picture(image=b"\x89PNG", image_type="image/png")
    house.pass_time(3 * 3_600_000)
    assert house.job(job_id).state is JobState.WAITING
    assert house.answering.heard == []


def test_the_answer_reaches_the_bureau_once_and_the_job_goes_on() -> None:
    house, job_id = waiting()
    assert fault(answer(house, job_id)) == ""
    assert house.answering.heard == [("C1", ANSWER)]
    assert house.job(job_id).state is JobState.DONE


def test_the_journal_says_who_answered_and_never_what() -> None:
    house, job_id = waiting()
    answer(house, job_id)
    (row,) = [event for event in house.journal.rows if isinstance(event, ChallengeAnswered)]
    assert (row.challenge_id, row.principal, row.key) == ("C1", "shop", KEY)
    assert ANSWER.encode() not in b"".join(msgspec.json.encode(event) for event in house.journal.rows)
    assert ANSWER not in repr(Answer(job_id=job_id, challenge_id="C1", text=ANSWER, key=KEY))


def test_a_wrong_answer_brings_the_bureaus_words_and_a_new_question() -> None:
    house, job_id = waiting(NEXT)
    house.answering.says = [WRONG]
    answer(house, job_id)
    job = house.job(job_id)
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault, asked(job)) == (WaitReason.CHALLENGE, "CHALLENGE_WRONG", "C2")
    assert job.wait.detail["bureau_text"] == "验证码不正确"
    assert job.wait.detail["question"] == "请再输入一次"
    answer(house, job_id, key="key-of-the-answer-2", to="C2")
    assert house.job(job_id).state is JobState.DONE


def test_the_same_key_again_gives_the_job_and_troubles_the_bureau_no_more() -> None:
    house, job_id = waiting(NEXT)
    house.answering.says = [WRONG]
    for _ in range(3):
        assert fault(answer(house, job_id)) == ""
    assert house.answering.heard == [("C1", ANSWER)]


def test_a_key_of_another_answer_or_of_a_job_is_a_conflict() -> None:
    house, job_id = waiting(NEXT)
    house.answering.says = [WRONG]
    answer(house, job_id)
    assert fault(answer(house, job_id, to="C2")) == "KEY_CONFLICT"
    assert fault(answer(house, job_id, key="key-of-sixteen-chars", to="C2")) == "KEY_CONFLICT"
    other = Principal(name="other", role=Role.OPERATOR)
    assert fault(answer(house, job_id, who=other, to="C2")) == ""


def test_an_answer_to_a_question_that_is_over_goes_to_nobody() -> None:
    house, job_id = waiting(NEXT)
    assert fault(answer(house, job_id, to="C0")) == "CHALLENGE_OVER"
    assert fault(answer(house, "01" + "0" * 24)) == "JOB_UNKNOWN"
    house.desk.cancel(SHOP, job_id, lambda _job: None)
    house.settle()
    assert fault(answer(house, job_id)) == "JOB_ENDED"
    assert house.answering.heard == []


@pytest.mark.parametrize("error", [BureauDown("BUREAU_DOWN"), AnswerLost("ANSWER_LOST")])
def test_an_answer_that_is_lost_on_the_way_is_asked_for_anew(error: AgentError) -> None:
    house, job_id = waiting(NEXT)
    house.answering.says = [error]
    answer(house, job_id)
    job = house.job(job_id)
    assert (job.wait and job.wait.fault, asked(job)) == ("CHALLENGE", "C2")


def test_an_answer_outlives_a_device_that_is_away() -> None:
    house, job_id = waiting()
    house.unplug()
    answer(house, job_id)
    assert house.answering.heard == []
    assert house.job(job_id).wait.reason is WaitReason.DEVICE  # type: ignore[union-attr]
    house.plug()
    assert house.answering.heard == [("C1", ANSWER)]
    assert house.job(job_id).state is JobState.DONE


def test_after_a_restart_the_bureau_is_asked_again_and_asks_anew() -> None:
    house, job_id = waiting(NEXT)
    assert asked(house.job(job_id)) == "C1"
    house.restart()
    house.plug()
    house.settle()
    assert asked(house.job(job_id)) == "C2"
    assert house.answering.heard == []


def test_a_full_disk_takes_no_answer() -> None:
    house, job_id = waiting()
    house.journal.fails = JournalFull("JOURNAL_FULL")
    assert fault(answer(house, job_id)) == "JOURNAL_FULL"
    house.journal.fails = None
    assert asked(house.job(job_id)) == "C1"
    assert fault(answer(house, job_id)) == ""
    assert house.job(job_id).state is JobState.DONE


def test_an_agent_that_drains_takes_no_answer() -> None:
    house, job_id = waiting()
    house.desk.draining = True
    assert fault(answer(house, job_id)) == "DRAINING"


def test_a_job_that_was_asked_after_its_seal_has_that_outcome_so_far() -> None:
    house = House()
    house.plug()
    house.procedure.script = [sealing(QUESTION)]
    job_id = house.accepted()
    job = house.job(job_id)
    assert (job.state, job.outcome) == (JobState.WAITING, Outcome.PARTLY_EXECUTED)
    answer(house, job_id)
    assert house.job(job_id).state is JobState.DONE


def test_a_key_that_answered_is_known_also_while_the_agent_stops() -> None:
    house, job_id = waiting()
    assert fault(answer(house, job_id)) == ""
    house.desk.draining = True
    assert fault(answer(house, job_id)) == ""
    assert fault(answer(house, job_id, key="key-of-the-answer-2")) == "DRAINING"


def notes(house: House) -> int:
    return sum(isinstance(event, ChallengeAnswered) for event in house.journal.rows)


def answered_then_restarted() -> tuple[House, str]:
    """A first answer was wrong; after a restart the bureau asks C2."""
    house, job_id = waiting(NEXT, NEXT)
    house.answering.says = [WRONG]
    assert fault(answer(house, job_id)) == ""
    house.restart()
    house.plug()
    house.settle()
    assert asked(house.job(job_id)) == "C2"
    return house, job_id


def test_after_a_restart_the_same_key_is_answered_with_its_job_and_noted_once() -> None:
    house, job_id = answered_then_restarted()
    assert fault(answer(house, job_id)) == ""
    assert notes(house) == 1
    assert house.answering.heard == [("C1", ANSWER)]


def test_after_a_restart_the_key_is_known_though_the_job_has_ended() -> None:
    house, job_id = waiting()
    answer(house, job_id)
    assert house.job(job_id).state is JobState.DONE
    house.restart()
    told = answer(house, job_id)
    assert isinstance(told, Job)
    assert told.state is JobState.DONE
    assert notes(house) == 1


def test_after_a_restart_the_key_takes_no_other_answer() -> None:
    house, job_id = answered_then_restarted()
    assert fault(answer(house, job_id, to="C2")) == "KEY_CONFLICT"
    assert fault(answer(house, "01" + "0" * 24)) == "KEY_CONFLICT"
    assert notes(house) == 1
    assert house.answering.heard == [("C1", ANSWER)]


@pytest.mark.parametrize("restarts", [False, True])
def test_no_job_is_accepted_under_the_key_of_an_answer(restarts: bool) -> None:
    house, job_id = waiting()
    answer(house, job_id)
    if restarts:
        house.restart()
    refusal = house.accept(key=KEY)
    assert isinstance(refusal, AgentError)
    assert (refusal.fault, refusal.detail["job_id"]) == ("KEY_CONFLICT", job_id)
    assert [job.job_id for job in house.journal.jobs_by_id.values()] == [job_id]
