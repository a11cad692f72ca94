"""The bureau's verification codes (验证码): what was asked, and a person's answer on its way to the bureau.

In memory alone: an answer is on no disk and in no log; the journal knows its key. After a restart the bureau
asks anew. Any thread.
"""

from __future__ import annotations

import threading

import structlog

from taxagent.jobs.asks import Answer, Picture, Principal
from taxagent.model.errors import AnswerLost, BureauDown, BureauRefused, ChallengeAsked, Refusal, Unavailable
from taxagent.model.events import AnyEvent, ChallengeAnswered
from taxagent.model.job import Job, JobState, Outcome, Problem, WaitReason
from taxagent.ports import Bureau, Clock, JournalTx

_log = structlog.get_logger(__name__)


class Challenges:
    """Pictures of the questions that are open, and answers that are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: dict[str, tuple[str, Picture]] = {}  # by job
        self._answers: dict[str, Answer] = {}  # by job
        self._wrong: dict[str, Problem] = {}  # by job: what the bureau said to the last answer
        self._offered: dict[tuple[str, str], Answer] = {}  # by (principal, key): not durable yet

    def answered(
        self, tx: JournalTx, principal: Principal, answer: Answer, clock: Clock, *, draining: bool = False
    ) -> Job:
        """Note an answer durably, without its words. Inside the writer, which may call it again.

        The answer is given to nobody before `committed` has heard of its row. The same key again changes
        nothing, whatever became of the job. Raises Refusal with JOB_UNKNOWN, JOB_ENDED, CHALLENGE_OVER or
        KEY_CONFLICT, and Unavailable("DRAINING").
        """
        given, job = _given(tx, principal, answer), tx.job(answer.job_id)
        if draining and not given:
            raise Unavailable("DRAINING")
        if job is None:
            raise Refusal("JOB_UNKNOWN", job_id=answer.job_id)
        if given:
            return job
        if job.state.ended:
            raise Refusal("JOB_ENDED", job_id=answer.job_id)
        if asked(job) != answer.challenge_id:
            raise Refusal("CHALLENGE_OVER", job_id=answer.job_id, found=job.state.value)
        tx.append(
            ChallengeAnswered(
                job_id=answer.job_id,
                challenge_id=answer.challenge_id,
                principal=principal.name,
                key=answer.key,
                at_ms=clock.utc_ms(),
                sim_ms=clock.sim_ms(),
            )
        )
        with self._lock:
            self._offered[principal.name, answer.key] = answer
        return tx.job(answer.job_id) or job

    def committed(self, event: AnyEvent) -> None:
        """Let the answer of a durable row go to the bureau. For each row, before its job moves."""
        if not isinstance(event, ChallengeAnswered):
            return
        asker = (event.principal, event.key)
        with self._lock:
            answer = self._offered.pop(asker, None)
            if answer is not None:
                self._answers[answer.job_id] = answer

    def withdraw(self, principal: Principal, answer: Answer) -> None:
        """Forget an answer that the journal did not take; it was given to nobody."""
        asker = (principal.name, answer.key)
        with self._lock:
            if self._offered.get(asker) is answer:
                del self._offered[asker]

    def forward(self, job_id: str, bureau: Bureau) -> None:
        """Give the bureau the answer that came for this job, if one did. In the device's thread.

        Whatever comes of it, the job meets the bureau next: it goes on, or is asked anew. So an answer that
        is lost on the way is lost, and a no is kept for the next question.
        """
        with self._lock:
            answer = self._answers.pop(job_id, None)
            self._pictures.pop(job_id, None)
            self._wrong.pop(job_id, None)
        if answer is None:
            return
        try:
            bureau.answer_challenge(answer.challenge_id, answer.text)
        except BureauRefused as refused:
            with self._lock:
                self._wrong[job_id] = refused.problem()
        except (BureauDown, AnswerLost) as error:
            _log.info("challenge_answer_not_taken", job_id=job_id, fault=error.fault)

    def question(self, job_id: str, error: ChallengeAsked) -> Problem:
        """Keep the question's picture; return why the job waits: the question, after a no with its words."""
        picture = Picture(image=error.image, image_type=error.image_type)
        with self._lock:
            self._pictures[job_id] = (error.challenge_id, picture)
            wrong = self._wrong.pop(job_id, None)
        if wrong is None:
            return error.problem()
        detail = {**wrong.detail, "challenge_id": error.challenge_id, "question": error.question}
        return Problem(fault=wrong.fault, outcome=Outcome.NOT_EXECUTED, detail=detail)

    def picture(self, job: Job) -> Picture | None:
        """Return the picture of the question that the job waits with; None where it has none."""
        with self._lock:
            challenge_id, picture = self._pictures.get(job.job_id, ("", None))
        return picture if challenge_id and asked(job) == challenge_id else None

    def forget(self, job_id: str) -> None:
        """Drop what is kept of a job that has ended."""
        with self._lock:
            self._pictures.pop(job_id, None)
            self._answers.pop(job_id, None)
            self._wrong.pop(job_id, None)


def asked(job: Job) -> str:
    """Return the id of the question that the job waits with, "" where it waits for no answer."""
    wait = job.wait
    if job.state is not JobState.WAITING or wait is None or wait.reason is not WaitReason.CHALLENGE:
        return ""
    return wait.detail.get("challenge_id", "")


def _given(tx: JournalTx, principal: Principal, answer: Answer) -> bool:
    """Return whether this very answer was given under its key. Raises Refusal("KEY_CONFLICT")."""
    known = tx.answer_by_key(principal.name, answer.key)
    if known is not None:
        if (known.job_id, known.challenge_id) != (answer.job_id, answer.challenge_id):
            raise Refusal("KEY_CONFLICT", key=answer.key, job_id=known.job_id)
        return True
    job = tx.job_by_key(principal.name, answer.key)
    if job is not None:
        raise Refusal("KEY_CONFLICT", key=answer.key, job_id=job[0].job_id)
    return False
