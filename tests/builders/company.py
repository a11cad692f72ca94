"""A journal whose every commit of the job is one with other clients' units: some before it, some behind it.

The real writer is held back until all of them are queued. What each client is told goes to the bench.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from taxagent.jobs.asks import Accepted
from taxagent.journal import JournalWriter
from taxagent.model.errors import Refusal
from taxagent.model.events import AnyEvent, CancelRequested, JobAccepted, accepted
from taxagent.model.job import JobKind, Scope
from taxagent.ports import JournalTx
from tests.builders.scenario import DEVICE_NO, OCTOBER, TAXPAYER_ID
from tests.builders.tap import Tap, TappedJournal

if TYPE_CHECKING:
    from tests.builders.work import Bench

T = TypeVar("T")
NUMBER = 9  # of the office's job
_OFFICE, _KEY = "office", "key-of-the-office-01"
_LIMIT_S = 60.0
Unit = Callable[[JournalTx], object]


class SharedJournal(TappedJournal):
    """ports.Journal of the job; passes "batch" once all is queued, and the bench passes "COMMIT"."""

    def __init__(self, writer: JournalWriter, tap: Tap, bench: Bench) -> None:
        super().__init__(writer, tap)
        self._bench = bench

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        return self._tap.call("commit", lambda: self._together(work))

    def append(self, *events: AnyEvent) -> int:
        return self.transact(lambda tx: [tx.append(event) for event in events][-1])

    def _together(self, work: Callable[[JournalTx], T]) -> T:
        """Commit `work` behind a client who asks and one who is refused, before one who asks again."""
        let_go, ready, mine = threading.Event(), threading.Event(), list[T | BaseException]()
        self._hold_back(let_go)
        self._queue(_OFFICE, "check", _KEY, self._office_asks)
        self._queue(_OFFICE, "job.cancel", "", self._refused)
        self._writer.transact_soon(work, mine.append)
        job = self._bench.job()
        self._queue(job.principal, "submit", job.key, self._asked_again, ready.set)
        self._tap.pass_by("before batch")
        let_go.set()
        assert ready.wait(_LIMIT_S)
        self._bench.disk.room, self._bench.sharing = None, False
        if isinstance(mine[0], BaseException):
            raise mine[0]
        return mine[0]

    def _hold_back(self, let_go: threading.Event) -> None:
        """Keep the writer busy with a unit of its own until `let_go`; the next batch is the shared one."""
        busy = threading.Event()

        def hold(_tx: JournalTx) -> None:
            busy.set()
            let_go.wait(_LIMIT_S)

        def held(_answer: object) -> None:
            self._bench.sharing = True

        self._writer.transact_soon(hold, held)
        busy.wait(_LIMIT_S)

    def _queue(
        self, who: str, op: str, key: str, unit: Unit, then: Callable[[], None] = lambda: None
    ) -> None:
        sent_ms = self._bench.clock.utc_ms()

        def done(answer: object) -> None:
            self._bench.told(who, op, key, sent_ms, answer)
            then()

        self._writer.transact_soon(unit, done)

    def _office_asks(self, tx: JournalTx) -> Accepted:
        known = tx.job_by_key(_OFFICE, _KEY)
        if known is not None:
            return Accepted(job=known[0], known=True)
        event = JobAccepted(
            job_id=f"01JOB{NUMBER:021d}",
            kind=JobKind.CHECK,
            scope=Scope(
                device_no=DEVICE_NO, taxpayer_id=TAXPAYER_ID, types=self._bench.types, periods=(OCTOBER,)
            ),
            claims=(),
            principal=_OFFICE,
            key=_KEY,
            request_sha256="11" * 32,
            at_ms=self._bench.clock.utc_ms(),
        )
        tx.append(event)
        return Accepted(job=accepted(event), known=False)

    def _refused(self, tx: JournalTx) -> object:
        """Leave a row behind, and raise: the row must be gone, and no other unit's."""
        at_ms = self._bench.clock.utc_ms()
        tx.append(CancelRequested(job_id=self._bench.job_id, principal=_OFFICE, at_ms=at_ms))
        raise Refusal("NOT_ALLOWED", op="job.cancel")

    def _asked_again(self, tx: JournalTx) -> Accepted:
        job = tx.job(self._bench.job_id)
        assert job is not None
        return Accepted(job=job, known=True)
