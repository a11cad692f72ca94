"""Reads of the journal on connections that cannot write; they never wait for the writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from taxagent.journal import migration, projections, store, stored
from taxagent.journal.chain import Head, genesis, walked
from taxagent.journal.copying import copied
from taxagent.model.device import TriedPassword
from taxagent.model.errors import JournalBroken
from taxagent.model.events import (
    AgentStarted,
    AnyAgentEvent,
    AnyEvent,
    AnyJobEvent,
    ChallengeAnswered,
    ClientEvent,
    DeviceEvent,
    PasswordTried,
    TokenIssued,
    decode_event,
)
from taxagent.model.job import Job
from taxagent.model.value import Value, from_json

_SMALLEST = -(1 << 63)
CHUNK_ROWS = 1000  # a check reads so many rows at a time: constant memory, no long snapshot

T = TypeVar("T")
Row = tuple[Any, ...]  # as SQLite gives it; decoded at once
Progress = Callable[[int, int], None]


class Verified(Value, frozen=True, kw_only=True):
    """A chain that holds: `rows` rows up to `last_seq`, whose hash is `head_hash` (64 hex digits)."""

    journal_id: str
    rows: int
    last_seq: int
    head_hash: str


class Reader:
    """ports.JournalReader over the file at `path`, for any number of threads.

    Raises JournalRefused on construction as `store.opened_to_read` does, and in any method where the file
    cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db = store.opened_to_read(path)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()

    def journal_id(self) -> str:
        """Return the journal's random identity, 32 hex digits."""
        with self._lock, store.refusing(self._path):
            return stored.journal_id(self._db)

    def job(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        return self._one(_job, "SELECT body FROM job WHERE job_id = ?", job_id)

    def job_by_key(self, principal: str, key: str) -> Job | None:
        """Return the job to which the principal's key belongs, or None."""
        sql = "SELECT body FROM job WHERE principal = ? AND key = ? AND key <> ''"
        return self._one(_job, sql, principal, key)

    def answer_by_key(self, principal: str, key: str) -> ChallengeAnswered | None:
        """Return the answer to a bureau's question that the principal gave under this key, or None."""
        with self._lock, store.refusing(self._path):
            return projections.answer_by_key(self._db, principal, key)

    def jobs(
        self, *, device_no: str = "", live: bool = False, before: str = "", limit: int = 100
    ) -> Sequence[Job]:
        """Return jobs, newest first, with ids below `before` (for paging)."""
        where = ["1"]
        values: list[str | int] = []
        if device_no:
            where.append("device_no = ?")
            values.append(device_no)
        if live:
            where.append("ended = 0")
        if before:
            where.append("job_id < ?")
            values.append(before)
        sql = f"SELECT body FROM job WHERE {' AND '.join(where)} ORDER BY job_id DESC LIMIT ?"  # noqa: S608 - fixed texts
        return self._all(_job, sql, *values, limit)

    def record(self, job_id: str) -> bytes | None:
        """Return a job's record as JSON, or None."""
        return self._one(lambda row: bytes(row[0]), "SELECT body FROM record WHERE job_id = ?", job_id)

    def events(self, since: int, limit: int) -> Sequence[tuple[int, AnyEvent]]:
        """Return (seq, event) with seq > since, oldest first."""
        sql = "SELECT seq, body FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._all(lambda row: (int(row[0]), decode_event(row[1])), sql, since, limit)

    def job_events(self, job_id: str) -> Sequence[tuple[int, AnyJobEvent]]:
        """Return (seq, event) of one job, oldest first."""
        sql = "SELECT seq, body FROM event WHERE job_id = ? ORDER BY seq"
        return self._all(lambda row: (int(row[0]), _of_job(row[1])), sql, job_id)

    def of_no_job(self) -> Sequence[AnyEvent]:
        """Return the rows that are of no job and give no token, oldest first. Walks the whole file."""
        sql = "SELECT body FROM event WHERE job_id IS NULL AND CAST(body AS TEXT) NOT LIKE ? ORDER BY seq"
        return self._all(lambda row: decode_event(row[0]), sql, '{"event":"token.issued"%')

    def clients(self) -> Sequence[AnyEvent]:
        """Return the rows of clients with keys and of their pairing, oldest first. Walks the whole file."""
        sql = (
            "SELECT body FROM event WHERE job_id IS NULL AND device_no IS NULL"
            " AND (CAST(body AS TEXT) LIKE ? OR CAST(body AS TEXT) LIKE ?) ORDER BY seq"
        )
        return self._all(lambda row: decode_event(row[0]), sql, '{"event":"client.%', '{"event":"pairing.%')

    def crashed(self) -> bool:
        """Return whether the newest process that took the journal has not given it back in good order."""
        sql = (
            "SELECT body FROM event WHERE job_id IS NULL AND CAST(body AS TEXT) LIKE ?"
            " ORDER BY seq DESC LIMIT 1"
        )
        rows = self._all(lambda row: decode_event(row[0]), sql, '{"event":"agent.st%')
        return any(isinstance(row, AgentStarted) for row in rows)

    def passwords(self, device_no: str) -> Sequence[TriedPassword]:
        """Return every password that was tried on the device, and what became of each."""
        sql = "SELECT body FROM password WHERE device_no = ?"
        return self._all(lambda row: from_json(row[0], TriedPassword), sql, device_no)

    def last_seq(self) -> int:
        """Return the newest row's seq, 0 for none."""
        return self._all(lambda row: int(row[0]), "SELECT coalesce(max(seq), 0) FROM event")[0]

    def head(self) -> Head:
        """Return the end of the chain as it is stored, unchecked."""
        with self._lock, store.refusing(self._path):
            return stored.head(self._db)

    def verify(self, progress: Progress = lambda _done, _all: None) -> Verified:
        """Check the file's structure and walk the whole chain, in constant memory.

        `progress` is called with (rows done, rows that were there at the start). Raises JournalBroken with
        the first row that is missing, changed or out of place. A chain cannot show that its newest rows were
        cut off: for that, compare with a head that was noted elsewhere (`verify_anchor`).
        """
        with closing(store.opened_to_read(self._path)) as db, store.refusing(self._path):
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise JournalBroken(f"the file is damaged: {found}")
            identity = stored.journal_id(db)
            end = stored.head(db).seq
            head, since = genesis(identity), _SMALLEST  # a row before the first would be one too many
            while chunk := db.execute(
                "SELECT seq, body, hash FROM event WHERE seq >= ? ORDER BY seq LIMIT ?",
                (since, CHUNK_ROWS),
            ).fetchall():
                head = walked(head, chunk)
                since = head.seq + 1
                progress(min(head.seq, end), end)
        return Verified(journal_id=identity, rows=head.seq, last_seq=head.seq, head_hash=head.hash.hex())

    def verify_last(self, rows: int) -> tuple[int, int]:
        """Walk the chain of the newest `rows` rows; return how many that were, and all rows there are.

        For a look that has to be quick. Raises JournalBroken as `verify`, for what lies within them.
        """
        with closing(store.opened_to_read(self._path)) as db, store.refusing(self._path):
            end = stored.head(db).seq
            head = stored.head_at(db, max(0, end - rows))
            begun = head.seq
            while chunk := db.execute(
                "SELECT seq, body, hash FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (head.seq, CHUNK_ROWS)
            ).fetchall():
                head = walked(head, chunk)
        return head.seq - begun, head.seq

    def schema(self) -> int:
        """Return the number of the file's schema."""
        with closing(store.opened_to_read(self._path)) as db, store.refusing(self._path):
            return int(db.execute("PRAGMA user_version").fetchone()[0])

    def verify_job(self, job_id: str) -> tuple[int, int]:
        """Walk the chain from the row before the job's first to the row after its last; return both.

        The first is 0 where the job's first row is the journal's; there is no row after the newest one.
        Raises JournalBroken as `verify`, and where the job has no row.
        """
        with closing(store.opened_to_read(self._path)) as db, store.refusing(self._path):
            first, last = db.execute(
                "SELECT min(seq), max(seq) FROM event WHERE job_id = ?", (job_id,)
            ).fetchone()
            if first is None:
                raise JournalBroken(f"job {job_id} has no row")
            until = db.execute("SELECT min(seq) FROM event WHERE seq > ?", (last,)).fetchone()[0] or last
            head = stored.head_at(db, first - 1)
            while head.seq < until and (
                chunk := db.execute(
                    "SELECT seq, body, hash FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                    (head.seq, until, CHUNK_ROWS),
                ).fetchall()
            ):
                head = walked(head, chunk)
        return first - 1, head.seq

    def verify_anchor(self, anchor: Head) -> None:
        """Check that the journal still has the row that was once noted as its head.

        Raises JournalBroken where the row is gone (the tail was cut) or differs (the journal was re-made).
        """
        if anchor.seq == 0:
            found = genesis(self.journal_id()).hash
        else:
            row = self._one(tuple, "SELECT hash FROM event WHERE seq = ?", anchor.seq)
            if row is None:
                raise JournalBroken("the anchored row is missing: the tail was cut", seq=anchor.seq)
            found = row[0]
        if found != anchor.hash:
            raise JournalBroken("the anchored row is another one", seq=anchor.seq)

    def verify_projections(self, progress: Progress = lambda _done, _all: None) -> None:
        """Make all projections again beside the file and compare; memory constant, scratch space on disk.

        Raises JournalBroken where a row is filed wrong or a projection differs from what the events make.
        """
        with closing(store.opened_to_read(self._path)) as db, store.refusing(self._path):
            db.execute("BEGIN")  # one snapshot for both sides
            end = stored.head(db).seq
            with closing(migration.scratch()) as made:
                projections.replay(made, db.execute(stored.FILED_ROWS), lambda seq: progress(seq, end))
                projections.compare(db, made)

    def snapshot(self, target: Path) -> Verified:
        """Write a consistent copy of the live journal to `target`, durable and verified.

        Raises FileExistsError where `target` exists, OSError where it cannot be written, JournalBroken where
        the copy does not verify (it is removed then).
        """
        with closing(store.opened_to_read(self._path)) as db, store.refusing(self._path):
            copied(db, target)
        try:
            with closing(Reader(target)) as copy:
                return copy.verify()
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _one(self, decode: Callable[[Row], T], sql: str, *values: str | int) -> T | None:
        return next(iter(self._all(decode, sql, *values)), None)

    def _all(self, decode: Callable[[Row], T], sql: str, *values: str | int) -> list[T]:
        with self._lock, store.refusing(self._path):
            return [decode(row) for row in self._db.execute(sql, values).fetchall()]


def _job(row: Row) -> Job:
    return from_json(row[0], Job)


def _of_job(body: bytes) -> AnyJobEvent:
    event = decode_event(body)
    if isinstance(event, AnyAgentEvent | TokenIssued | PasswordTried | DeviceEvent | ClientEvent):
        raise JournalBroken("a row is filed under a job and is not of one")
    return event
