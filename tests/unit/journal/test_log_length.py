"""The log is long before the first commit, so that no commit waits for the file system to lengthen it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from taxagent.journal import JOURNAL_NAME, store
from taxagent.journal.writer import RESERVE_BYTES
from taxagent.model.errors import JournalUnknown
from tests.builders import journal as build

FULL = 2
PAGES = 64


def log_bytes(folder: Path) -> int:
    return (folder / (JOURNAL_NAME + "-wal")).stat().st_size


def test_commits_overwrite_the_log_and_do_not_lengthen_it(tmp_path: Path) -> None:
    with build.journal(tmp_path, log_pages=PAGES) as writer:
        writer.append(build.accept(1))
        before = log_bytes(tmp_path)
        assert before >= PAGES * 4096
        writer.append(build.accept(2))
        assert log_bytes(tmp_path) == before
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == 2
        reader.verify_projections()


def test_the_log_of_a_killed_agent_is_read_before_it_is_lengthened(tmp_path: Path) -> None:
    writer = build.journal(tmp_path, log_pages=PAGES)
    with writer as first:
        first.append(build.accept(1))
        for name in (JOURNAL_NAME, JOURNAL_NAME + "-wal"):
            (tmp_path / f"killed-{name}").write_bytes((tmp_path / name).read_bytes())
    for name in (JOURNAL_NAME, JOURNAL_NAME + "-wal"):
        (tmp_path / f"killed-{name}").rename(tmp_path / name)
    with build.journal(tmp_path, log_pages=PAGES) as second:
        assert second.append(build.accept(2)) == 2
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == 2


def test_every_commit_waits_for_the_disk_afterwards(tmp_path: Path) -> None:
    with closing(store.opened(tmp_path / JOURNAL_NAME)) as db:
        version = db.execute("PRAGMA user_version").fetchone()
        store.lengthened(db, PAGES)
        assert db.execute("PRAGMA synchronous").fetchone() == (FULL,)
        assert db.execute("PRAGMA user_version").fetchone() == version


def test_a_log_that_cannot_be_lengthened_stays_as_it_is(tmp_path: Path) -> None:
    with build.journal(tmp_path, log_pages=PAGES, free_bytes=lambda _folder: RESERVE_BYTES - 1) as writer:
        assert writer.transact(lambda tx: tx.job(build.job_id(1))) is None
        assert log_bytes(tmp_path) == 0


def test_a_log_is_not_lengthened_into_the_room_that_commits_need(tmp_path: Path) -> None:
    def free_bytes(_folder: str) -> int:
        return RESERVE_BYTES + PAGES * 4096 - 1 - log_bytes(tmp_path)

    with build.journal(tmp_path, log_pages=PAGES, free_bytes=free_bytes) as writer:
        assert writer.append(build.accept(1)) == 1
        assert log_bytes(tmp_path) < PAGES * 4096


def test_nothing_is_committed_behind_pages_that_the_disk_may_have_lost(tmp_path: Path) -> None:
    class LosingPages(sqlite3.Connection):
        """Pages are taken; to make them certain fails."""

        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if sql.startswith("PRAGMA user_version =") and waits(self):
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)  # type: ignore[arg-type]

    def waits(db: sqlite3.Connection) -> bool:
        level: int = sqlite3.Connection.execute(db, "PRAGMA synchronous").fetchone()[0]
        return level == FULL

    def connect(path: Path) -> sqlite3.Connection:
        store.opened(path).close()
        return store.opened(path, factory=LosingPages)

    heard = build.Heard()
    with (
        build.journal(tmp_path, heard, connect=connect, log_pages=PAGES) as writer,
        pytest.raises(JournalUnknown),
    ):
        writer.append(build.accept(1))
    assert [type(error) for error in heard.fatal] == [JournalUnknown]
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == 0
