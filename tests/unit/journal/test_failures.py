"""The journal's bad days: before COMMIT nothing was written; a COMMIT that raises is unknown for ever."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from taxagent.journal import JOURNAL_NAME, JournalWriter, store
from taxagent.journal.writer import CHECKPOINT_ROWS, RESERVE_BYTES
from taxagent.model.errors import JournalFull, JournalRefused, JournalUnknown
from taxagent.model.events import AnyEvent
from taxagent.model.job import Outcome
from taxagent.ports import JournalTx
from tests.builders import journal as build


class FailingCommit(sqlite3.Connection):
    """The third COMMIT reaches the disk, then raises: what a failed fsync was seen to do."""

    commits = 0

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        cursor = super().execute(sql, *values)  # type: ignore[arg-type]
        if sql == "COMMIT":
            self.commits += 1
            if self.commits == 3:
                raise sqlite3.OperationalError("disk I/O error")
        return cursor


def failing_commit(path: Path) -> sqlite3.Connection:
    return store.opened(path, factory=FailingCommit)


def nearly_full(path: Path) -> sqlite3.Connection:
    """A disk on which SQLite itself finds no more pages."""
    db = store.opened(path)
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 2}")
    return db


def read_only(path: Path) -> sqlite3.Connection:
    db = store.opened(path)
    db.execute("PRAGMA query_only = 1")
    return db


def accept_for_ever(writer: JournalWriter) -> None:
    for number in range(1, 1000):
        writer.append(build.accept(number))


def test_a_commit_that_raises_is_unknown_for_its_batch_and_ends_the_writing(tmp_path: Path) -> None:
    heard = build.Heard()
    with build.journal(tmp_path, heard, connect=failing_commit) as writer:
        writer.append(build.accept(1))
        writer.append(build.accept(2))
        with pytest.raises(JournalUnknown) as unknown:
            writer.append(build.accept(3))
        assert unknown.value.fault == "JOURNAL_UNKNOWN"
        assert unknown.value.problem().outcome is Outcome.UNKNOWN
        assert [type(error) for error in heard.fatal] == [JournalUnknown]
        with pytest.raises(JournalUnknown):
            writer.append(build.accept(4))
        with pytest.raises(JournalUnknown):
            writer.transact(lambda tx: tx.job(build.job_id(1)))
    assert heard.seqs == [1, 2]
    assert len(heard.fatal) == 1
    with build.reading(tmp_path) as reader:  # the next start reads what is there: here it was durable
        assert [job.job_id for job in reader.jobs()] == [build.job_id(n) for n in (3, 2, 1)]
        assert reader.verify().rows == 3


@pytest.mark.parametrize("connect", [nearly_full, read_only])
def test_a_full_or_read_only_disk_executes_nothing_of_the_batch(tmp_path: Path, connect: object) -> None:
    heard = build.Heard()
    with build.journal(tmp_path, heard, connect=connect) as writer, pytest.raises(JournalFull) as full:
        accept_for_ever(writer)
    assert full.value.fault == "JOURNAL_FULL"
    assert full.value.problem().outcome is Outcome.NOT_EXECUTED
    assert full.value.detail["reason"] in ("SQLITE_FULL", "SQLITE_READONLY")
    assert heard.fatal == []
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == len(heard.seqs)
        reader.verify_projections()


def test_a_full_disk_is_told_to_all_of_the_batch_though_a_unit_swallows_it(tmp_path: Path) -> None:
    def swallow(tx: JournalTx) -> str:
        try:
            for number in range(1, 1000):
                tx.append(build.accept(number))
        except sqlite3.Error:
            return "all is well"
        return ""

    answers: list[object] = []
    heard = build.Heard()
    writer = JournalWriter(tmp_path / JOURNAL_NAME, sink=heard, on_fatal=heard.on_fatal, connect=nearly_full)
    writer.transact_soon(lambda tx: tx.append(build.accept(1000)), answers.append)
    writer.transact_soon(swallow, answers.append)
    writer.start()
    writer.close()
    assert [type(answer) for answer in answers] == [JournalFull, JournalFull]
    assert heard.seqs == []


def test_on_a_full_disk_a_known_job_is_told_though_another_unit_of_its_batch_finds_no_room(
    tmp_path: Path,
) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(build.accept(2000))
    answers: list[object] = []
    heard = build.Heard()
    writer = JournalWriter(tmp_path / JOURNAL_NAME, sink=heard, on_fatal=heard.on_fatal, connect=nearly_full)
    writer.transact_soon(lambda tx: tx.job(build.job_id(2000)), answers.append)
    writer.transact_soon(lambda tx: [tx.append(build.accept(n)) for n in range(1, 1000)], answers.append)
    writer.start()
    writer.close()
    assert getattr(answers[0], "job_id", answers[0]) == build.job_id(2000)
    assert isinstance(answers[1], JournalFull)


def test_the_last_free_space_is_spared_so_that_a_full_disk_shows_before_the_commit(tmp_path: Path) -> None:
    free = [RESERVE_BYTES, RESERVE_BYTES - 1, RESERVE_BYTES]
    with build.journal(tmp_path, free_bytes=lambda _folder: free.pop(0)) as writer:
        assert writer.append(build.accept(1)) == 1
        with pytest.raises(JournalFull) as full:
            writer.append(build.accept(2))
        assert (full.value.fault, full.value.detail["reason"]) == ("JOURNAL_FULL", "reserve")
        assert writer.transact(lambda tx: tx.job(build.job_id(1))), "a known job is told all the same"
        assert writer.append(build.accept(2)) == 2


def test_a_foreign_program_that_holds_the_lock_delays_and_then_refuses_but_never_harms(
    tmp_path: Path,
) -> None:
    def impatient(path: Path) -> sqlite3.Connection:
        db = store.opened(path)
        db.execute("PRAGMA busy_timeout = 1")
        return db

    with build.journal(tmp_path, connect=impatient) as writer:
        writer.append(build.accept(1))
        shell = sqlite3.connect(tmp_path / JOURNAL_NAME, isolation_level=None)
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalFull) as refused:
            writer.append(build.accept(2))
        assert (refused.value.fault, refused.value.detail["reason"]) == ("JOURNAL_UNWRITABLE", "SQLITE_BUSY")
        assert writer.transact(lambda tx: tx.job(build.job_id(1))), "a known job is told all the same"
        shell.execute("ROLLBACK")
        shell.close()
        assert writer.append(build.accept(2)) == 2


class FailingRollback(sqlite3.Connection):
    """A disk that fails so badly that nothing can be undone."""

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql.startswith("INSERT INTO event") or sql == "ROLLBACK":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)  # type: ignore[arg-type]


def test_a_rollback_that_fails_was_not_executed_and_ends_the_writing(tmp_path: Path) -> None:
    def connect(path: Path) -> sqlite3.Connection:
        return store.opened(path, factory=FailingRollback)

    heard = build.Heard()
    with build.journal(tmp_path, heard, connect=connect) as writer:
        with pytest.raises(JournalFull) as refused:
            writer.append(build.accept(1))
        assert refused.value.problem().outcome is Outcome.NOT_EXECUTED
        with pytest.raises(JournalUnknown):
            writer.append(build.accept(1))
    assert [type(error) for error in heard.fatal] == [JournalUnknown]
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == 0


class FailingCheckpoint(sqlite3.Connection):
    """The log can be written, the main file cannot."""

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if "wal_checkpoint" in sql:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)  # type: ignore[arg-type]


@pytest.mark.parametrize("factory", [sqlite3.Connection, FailingCheckpoint])
def test_a_checkpoint_comes_between_batches_and_its_failure_loses_nothing(
    tmp_path: Path, factory: type[sqlite3.Connection]
) -> None:
    heard = build.Heard()
    connect = partial(store.opened, factory=factory)
    with build.journal(tmp_path, heard, connect=connect) as writer:
        for first in range(1, CHECKPOINT_ROWS * 2, 100):
            writer.append(*(build.accept(number) for number in range(first, first + 100)))
    assert heard.fatal == []
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == CHECKPOINT_ROWS * 2


def test_a_bug_in_the_sink_is_told_and_the_results_are_handed_out_all_the_same(tmp_path: Path) -> None:
    def bug(rows: Iterable[tuple[int, AnyEvent]]) -> None:
        raise ZeroDivisionError

    def worse(error: Exception) -> None:
        told.append(error)
        raise LookupError

    told: list[Exception] = []
    writer = JournalWriter(tmp_path / JOURNAL_NAME, sink=bug, on_fatal=worse)
    writer.start()
    assert writer.append(build.accept(1)) == 1
    assert writer.append(build.accept(2)) == 2
    writer.close()
    assert [type(error) for error in told] == [ZeroDivisionError, ZeroDivisionError]


LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.builders import journal as build
from taxagent.model.errors import JournalUnknown
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, heard = Path(sys.argv[1]), build.Heard()
with build.journal(folder, heard) as writer:
    writer.append(build.accept(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        for number in range(2, 1000):
            print(writer.append(build.accept(number)), flush=True)
    except JournalUnknown as unknown:
        print("unknown", unknown.detail["what"], len(heard.fatal), flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_write_that_really_fails_in_the_commit_is_unknown_and_loses_nothing_acknowledged(
    tmp_path: Path,
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        cwd=build.ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    *acknowledged, last = run.stdout.splitlines()
    assert last == "unknown SQLITE_IOERR_WRITE 1"
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows >= int(acknowledged[-1])
        reader.verify_projections()


def test_damage_where_the_newest_row_stands_refuses_the_start_with_a_remedy(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(*build.varied())
    with sqlite3.connect(tmp_path / JOURNAL_NAME) as db:
        page, size = db.execute(
            "SELECT rootpage, (SELECT * FROM pragma_page_size) FROM sqlite_schema WHERE name = 'event'"
        ).fetchone()
    db.close()
    with (tmp_path / JOURNAL_NAME).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    heard = build.Heard()
    with pytest.raises(JournalRefused) as refused:
        JournalWriter(tmp_path / JOURNAL_NAME, sink=heard, on_fatal=heard.on_fatal)
    assert refused.value.detail["reason"] == "broken"
    assert "snapshot" in refused.value.detail["remedy"]
