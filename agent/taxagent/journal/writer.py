"""The journal's one writer thread: group commit of isolated units. Knows no job, device or protocol.

A unit is in one of three places: queued (not executed), in the open transaction (not executed until COMMIT
is asked), or in a COMMIT that raised (unknown: the disk may have it, which was seen after a failed fsync).
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from taxagent.journal import store, stored
from taxagent.journal.transaction import Transaction
from taxagent.model.errors import AgentError, Interrupted, JournalFull, JournalUnknown
from taxagent.model.events import AnyEvent
from taxagent.ports import EventSink, JournalTx

T = TypeVar("T")

BATCH_UNITS = 256  # bounds a batch's latency and the pages that it can dirty
RESERVE_BYTES = 8 << 20  # a full disk must show before COMMIT, where "not executed" is still certain
CHECKPOINT_ROWS = 500  # of large batches
CHECKPOINT_COMMITS = 80  # of single rows, about 10 pages each: the log stays within LOG_PAGES
_PAGE_BYTES = 4096
LOG_PAGES = 1024  # 4 MiB of log that the agent has written before its first row: 10 ms on a fast disk

Done = Callable[[Any], None]  # a queue cannot keep each unit's own result type
Unit = tuple[Callable[[JournalTx], object], Done]
_DISK = frozenset({"reserve", "SQLITE_FULL", "SQLITE_READONLY"})


class JournalWriter:
    """ports.Journal over the file at `path`.

    `sink` is called in the writer's thread with each batch's rows, after its COMMIT and before its results
    are handed out. `on_fatal` is called there at most once for a COMMIT that raised (JournalUnknown: the
    process must end) and for each bug in `sink` or a `done`. `log_pages` of 4 KiB are written to the log
    before the first unit (store.lengthened); `measured` calls each COMMIT.
    Raises JournalRefused as `store.opened` does.
    """

    def __init__(
        self,
        path: Path,
        *,
        sink: EventSink,
        on_fatal: Callable[[Exception], None],
        connect: Callable[[Path], sqlite3.Connection] = store.opened,
        free_bytes: Callable[[str], int] = lambda folder: shutil.disk_usage(folder).free,
        log_pages: int = 0,
        measured: Callable[[Callable[[], object]], None] = lambda commit: (commit(), None)[1],
    ) -> None:
        self._path = path
        self._sink = sink
        self._on_fatal = on_fatal
        self._folder, self._free_bytes = str(path.parent), free_bytes
        self._log_pages = log_pages
        self._measured = measured
        self._db = connect(path)
        try:
            with store.refusing(path):  # damage that shows only where the newest row is looked for
                self._head = stored.head(self._db)
        except BaseException:
            self._db.close()
            raise
        self._queue: SimpleQueue[Unit | None] = SimpleQueue()
        self._gate = threading.Lock()  # nothing is queued behind the end
        self._closed = False
        self._failed: str | None = None  # SQLite's name of the COMMIT's error
        self._rows_since_checkpoint = self._commits_since_checkpoint = 0
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Begin to commit. Units may be queued before."""
        self._thread.start()

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        """Run `work` in the writer and return its result once it is durable; see ports.Journal.

        Raises Interrupted("DRAINING") after `close`.
        """
        if threading.current_thread() is self._thread:
            msg = "a unit, sink or done callback must not wait for the writer that runs it"
            raise RuntimeError(msg)
        answers: list[T | BaseException] = []
        ready = threading.Lock()
        ready.acquire()

        def done(answer: T | BaseException) -> None:
            answers.append(answer)
            ready.release()

        self.transact_soon(work, done)
        ready.acquire()
        answer = answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        """Queue `work`; `done` gets its result, or what it raised, in the writer's thread after the commit.

        After `close` it gets Interrupted("DRAINING") at once, in the caller's thread.
        """
        with self._gate:
            if not self._closed:
                self._queue.put((work, done))
                return
        done(Interrupted("DRAINING"))

    def append(self, *events: AnyEvent) -> int:
        """Append rows in one unit; return the last seq. At least one event."""

        def work(tx: JournalTx) -> int:
            return [tx.append(event) for event in events][-1]

        return self.transact(work)

    def close(self) -> None:
        """Commit what is queued, checkpoint, close the file. May be called twice."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        if self._thread.ident is None:
            self._thread.start()
        self._thread.join()

    def _run(self) -> None:
        self._lengthen()
        more = True
        while more:
            batch, more = self._taken()
            if self._failed is not None:
                self._answered([(done, self._unknown()) for _, done in batch])
            elif batch:
                self._commit(batch)
        self._shut()

    def _lengthen(self) -> None:
        if self._log_pages and self._has_room(self._log_pages * _PAGE_BYTES):
            try:
                store.lengthened(self._db, self._log_pages)
            except sqlite3.Error as error:  # rows behind these pages could be lost with them
                self._fatal([], error)

    def _taken(self) -> tuple[list[Unit], bool]:
        """Wait for a unit and take all that are there; False once the end was met."""
        unit = self._queue.get()
        batch: list[Unit] = []
        while unit is not None:
            batch.append(unit)
            if len(batch) == BATCH_UNITS:
                return batch, True
            try:
                unit = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: list[Unit]) -> None:
        tx = Transaction(self._db, self._head, self._room)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            isolated = self._isolated if len(batch) > 1 else self._alone
            answers = [(done, isolated(tx, work)) for work, done in batch]
        except Exception as error:  # noqa: BLE001 - whatever it is, no COMMIT was asked
            self._undone(batch, error)
            return
        try:
            self._measured(lambda: self._db.execute("COMMIT"))
        except sqlite3.Error as error:
            self._fatal(batch, error)
            return
        self._head = tx.head
        self._published(tx.rows)
        self._answered(answers)
        self._checkpoint(len(tx.rows))

    def _isolated(self, tx: Transaction, work: Callable[[JournalTx], object]) -> object:
        """Run one unit of several; what it raises undoes its rows alone and is its answer."""
        self._db.execute("SAVEPOINT unit")
        answer, failed = self._ran(tx, work)
        if failed:
            self._db.execute("ROLLBACK TO unit")
        self._db.execute("RELEASE unit")
        return answer

    def _alone(self, tx: Transaction, work: Callable[[JournalTx], object]) -> object:
        """Run the only unit of a batch: the transaction is its savepoint, which saves two statements."""
        answer, failed = self._ran(tx, work)
        if failed:
            self._db.execute("ROLLBACK")
            self._db.execute("BEGIN IMMEDIATE")
        return answer

    def _ran(self, tx: Transaction, work: Callable[[JournalTx], object]) -> tuple[object, bool]:
        head, rows = tx.head, len(tx.rows)
        answer: object = None
        failure: BaseException | None = None
        try:
            answer = work(tx)
        except AgentError as refusal:
            # Its words are all that counts; the frames that it passed would hold it, and all of a batch,
            # until a collection.
            failure = refusal.with_traceback(None)
        except BaseException as error:  # noqa: BLE001 - handed to the caller, in its own thread
            failure = error
        if tx.broken is not None:
            raise tx.broken
        if tx.spoiled is not None:
            failure, tx.spoiled = tx.spoiled, None
        if failure is None:
            return answer, False
        tx.head = head
        del tx.rows[rows:]
        try:
            return failure, True
        finally:
            del failure  # an error knows this frame: they would hold each other until a collection

    def _has_room(self, taken: int = 0) -> bool:
        """Return whether the reserve is free, also once `taken` bytes are."""
        return self._free_bytes(self._folder) >= RESERVE_BYTES + taken

    def _room(self) -> None:
        """Asked before a batch's first row; units that only read go on when the disk is full."""
        if not self._has_room():
            raise self._full("reserve")

    def _undone(self, batch: list[Unit], error: Exception) -> None:
        """Roll back; no COMMIT was asked, so nothing of the batch can be durable."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as worse:
            self._failed = _name(worse)
        full = self._full(_name(error))
        self._answered([(done, self._read_at_most(work, full)) for work, done in batch])
        if self._failed is not None:
            self._told(self._unknown())

    def _read_at_most(self, work: Callable[[JournalTx], object], full: JournalFull) -> object:
        """Return the answer of a unit that only reads, else `full`: a known key is known on a full disk."""
        if self._failed is not None:
            return full
        wanted_room = False

        def no_room() -> None:
            nonlocal wanted_room
            wanted_room = True
            raise full

        answer: object
        try:
            self._db.execute("BEGIN")
            answer = work(Transaction(self._db, self._head, no_room))
        except sqlite3.Error:
            answer = full
        except BaseException as failure:  # noqa: BLE001 - handed to the caller, in its own thread
            answer = failure
        with suppress(sqlite3.Error):  # it has written nothing
            self._db.execute("ROLLBACK")
        return full if wanted_room else answer

    def _fatal(self, batch: list[Unit], error: sqlite3.Error) -> None:
        self._failed = _name(error)
        self._told(self._unknown())
        self._answered([(done, self._unknown()) for _, done in batch])

    def _unknown(self) -> JournalUnknown:
        return JournalUnknown("JOURNAL_UNKNOWN", path=str(self._path), what=self._failed or "")

    def _full(self, name: str) -> JournalFull:
        fault = "JOURNAL_FULL" if name in _DISK else "JOURNAL_UNWRITABLE"
        return JournalFull(fault, path=str(self._path), what=name, reason=name)

    def _published(self, rows: list[tuple[int, AnyEvent]]) -> None:
        if rows:
            try:
                self._sink(rows)
            except Exception as error:  # noqa: BLE001 - the rows are durable: their owners must hear it
                self._told(error)

    def _answered(self, answers: list[tuple[Done, object]]) -> None:
        for done, answer in answers:
            try:
                done(answer)
            except Exception as error:  # noqa: BLE001 - one caller's bug is not another's
                self._told(error)

    def _told(self, error: Exception) -> None:
        with suppress(Exception):  # else every later caller would wait for ever
            self._on_fatal(error)

    def _checkpoint(self, rows: int) -> None:
        self._rows_since_checkpoint += rows
        self._commits_since_checkpoint += 1 if rows else 0
        if (
            self._rows_since_checkpoint >= CHECKPOINT_ROWS
            or self._commits_since_checkpoint >= CHECKPOINT_COMMITS
        ):
            self._rows_since_checkpoint = self._commits_since_checkpoint = 0
            try:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except sqlite3.Error:
                return  # the WAL keeps everything; it is tried again after as many rows

    def _shut(self) -> None:
        try:
            if self._failed is None:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            return  # the next start reads the WAL
        finally:
            self._db.close()


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
