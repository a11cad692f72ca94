"""An answer to a verification code is the bureau's only once its row is durable; over the real writer."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from taxagent.jobs.asks import Answer
from taxagent.jobs.challenges import Challenges
from taxagent.journal import JOURNAL_NAME, JournalWriter, store
from taxagent.model.errors import JournalFull
from taxagent.model.events import AnyEvent, ChallengeAnswered, JobWaiting
from taxagent.model.job import Job, Wait, WaitReason
from taxagent.ports import Bureau, JournalTx
from tests.builders import journal as build
from tests.builders.jobs import SHOP, Answering, FakeClock

GIVEN = Answer(job_id=build.job_id(1), challenge_id="C1", text="w7x9", key="key-of-the-answer-1")


class Disk(sqlite3.Connection):
    """A disk that takes `room` more rows."""

    room = 1000

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql.startswith("INSERT INTO event"):
            if not self.room:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorname = "SQLITE_FULL"
                raise error
            self.room -= 1
        return super().execute(sql, *values)  # type: ignore[arg-type]


class Counter:
    """A writer whose job waits with a question, and what stands in its journal."""

    def __init__(self, folder: Path) -> None:
        self.challenges = Challenges()
        self.rows: list[AnyEvent] = []
        self.disk: Disk | None = None
        self.writer = JournalWriter(
            folder / JOURNAL_NAME, sink=self._heard, on_fatal=lambda _error: None, connect=self._opened
        )

    def _opened(self, path: Path) -> sqlite3.Connection:
        self.disk = cast("Disk", store.opened(path, factory=Disk))
        return self.disk

    def _heard(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        for _, event in rows:
            self.challenges.committed(event)
            self.rows.append(event)

    def answered(self, tx: JournalTx, answer: Answer = GIVEN) -> Job:
        return self.challenges.answered(tx, SHOP, answer, FakeClock())

    def batch(self, *units: Callable[[JournalTx], object], room: int = 1000) -> list[object]:
        """Have the units committed together on a disk with so much room; return what each was told."""
        let_go, told, ready = threading.Event(), list[object](), threading.Event()

        def done(answer: object) -> None:
            told.append(answer)
            if len(told) == len(units):
                ready.set()

        self.writer.transact_soon(lambda _tx: let_go.wait(build.LIMIT_S), lambda _result: None)
        for unit in units:
            self.writer.transact_soon(unit, done)
        assert self.disk is not None
        self.disk.room = room
        let_go.set()
        assert ready.wait(build.LIMIT_S)
        self.disk.room = 1000
        return told

    def notes(self) -> int:
        return sum(isinstance(event, ChallengeAnswered) for event in self.rows)

    def given(self) -> list[tuple[str, str]]:
        """What the bureau gets when the job goes on."""
        bureau = Answering()
        self.challenges.forward(GIVEN.job_id, cast("Bureau", bureau))
        return bureau.heard


@contextmanager
def counter(folder: Path) -> Iterator[Counter]:
    here = Counter(folder)
    here.writer.start()
    question = Wait(
        reason=WaitReason.CHALLENGE,
        fault="CHALLENGE",
        since_ms=1,
        next_ms=None,
        until_ms=None,
        detail={"challenge_id": "C1"},
    )
    here.writer.append(build.accept(1), build.running(1))
    here.writer.append(JobWaiting(job_id=GIVEN.job_id, wait=question, at_ms=1))
    try:
        yield here
    finally:
        here.writer.close()


def append(tx: JournalTx) -> int:
    return tx.append(build.token())


def test_an_answer_whose_batch_meets_a_full_disk_is_told_so_and_given_to_nobody(tmp_path: Path) -> None:
    with counter(tmp_path) as here:
        told = here.batch(here.answered, append, room=1)
        assert [type(each) for each in told] == [JournalFull, JournalFull]
        assert here.notes() == 0
        assert here.given() == []


def test_under_its_key_it_is_taken_once_there_is_room(tmp_path: Path) -> None:
    with counter(tmp_path) as here:
        here.batch(here.answered, append, room=1)
        here.challenges.withdraw(SHOP, GIVEN)  # as the desk does with every error
        for _ in range(2):
            assert isinstance(here.writer.transact(here.answered), Job)
        assert here.notes() == 1
        assert here.given() == [("C1", "w7x9")]


def test_the_same_key_twice_in_one_batch_is_one_answer(tmp_path: Path) -> None:
    again = Answer(job_id=GIVEN.job_id, challenge_id="C1", text="w7x9", key=GIVEN.key)
    with counter(tmp_path) as here:
        told = here.batch(here.answered, partial(here.answered, answer=again))
        assert [type(each) for each in told] == [Job, Job]
        assert here.notes() == 1
        assert here.given() == [("C1", "w7x9")]


def test_an_answer_that_the_journal_did_not_take_frees_its_key(tmp_path: Path) -> None:
    with counter(tmp_path) as here:
        here.batch(here.answered, append, room=1)
        here.challenges.withdraw(SHOP, GIVEN)
        other = Answer(job_id=GIVEN.job_id, challenge_id="C1", text="a2b4", key=GIVEN.key)
        here.writer.transact(partial(here.answered, answer=other))
        assert here.given() == [("C1", "a2b4")]
