"""The journal's file: made whole or not at all, migrated with a copy, refused untouched where not ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from taxagent.journal import JOURNAL_NAME, Reader, migration, projections, store, stored
from taxagent.model.errors import JournalFull, JournalRefused
from tests.builders import journal as build

SECOND = """
-- The next schema: whose voucher a job is can be asked for.
DROP TABLE password;
CREATE TABLE password (
    device_no     TEXT NOT NULL,
    salted_sha256 TEXT NOT NULL,
    body          BLOB NOT NULL,
    note          TEXT NOT NULL DEFAULT 'new',
    PRIMARY KEY (device_no, salted_sha256)
) WITHOUT ROWID;
ALTER TABLE record ADD COLUMN length INTEGER;
CREATE TRIGGER record_length AFTER INSERT ON record
BEGIN
    UPDATE record SET length = length(NEW.body) WHERE job_id = NEW.job_id;
END;
"""

NOW = len(migration.migrations())


def dump(db: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: db.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()  # noqa: S608 - our own names
        for table, order in {**projections.TABLES, "event": "seq"}.items()
    }


def filled(folder: Path) -> Path:
    with build.journal(folder) as writer:
        writer.append(*build.varied())
    return folder / JOURNAL_NAME


def with_pragma(path: Path, pragma: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA {pragma}")


def test_rebuilt_projections_equal_the_live_ones(tmp_path: Path) -> None:
    with closing(store.opened(filled(tmp_path))) as db:
        live = dump(db)
        assert all(live.values()), "every projection has rows to compare"
        projections.emptied(db)
        assert dump(db) != live
        stored.rebuild(db)
        assert dump(db) == live


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path)
    header = path.read_bytes()[:100]
    assert header[68:72] == b"TCJ1"
    assert int.from_bytes(header[60:64], "big") == len(migration.migrations())
    assert path.stat().st_mode & 0o077 == 0


def test_every_commit_is_synced(tmp_path: Path) -> None:
    with closing(store.opened(tmp_path / JOURNAL_NAME)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_what_a_killed_creation_left_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "journal.db.new").write_bytes(b"half")
    with build.journal(tmp_path) as writer:
        assert writer.append(build.started()) == 1
    assert not (tmp_path / "journal.db.new").exists()


def test_a_migration_copies_the_file_first_and_keeps_every_event(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(store.opened(path)) as db:
        before = dump(db)
    with closing(store.opened(path, scripts=(*migration.migrations(), SECOND))) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == NOW + 1
        after = dump(db)
        assert after["event"] == before["event"]
        assert after["job"] == before["job"]
        assert after["password"] == [(*row, "new") for row in before["password"]]
        assert [row[-1] for row in after["record"]] == [len(row[-1]) for row in before["record"]]  # type: ignore[arg-type]
    copy = tmp_path / f"journal.db.schema-{NOW}.seq-{len(build.varied())}"
    with closing(Reader(copy)) as reader:
        assert reader.verify().rows == len(build.varied())
        reader.verify_projections()
    with pytest.raises(JournalRefused, match="newer"):
        store.opened(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = x'00';",
        "DELETE FROM event;",
        "DROP TABLE event;",
        "DROP TRIGGER event_no_update;",
        "ALTER TABLE event ADD COLUMN more TEXT;",
        "ALTER TABLE event RENAME TO old_event;",
        "UPDATE meta SET value = '00';",
        "INSERT INTO event SELECT max(seq) + 1, NULL, NULL, x'00', x'00' FROM event;",
    ],
)
def test_a_migration_cannot_touch_the_events_and_leaves_all_as_it_was(tmp_path: Path, statement: str) -> None:
    path = filled(tmp_path)
    with closing(store.opened(path)) as db:
        before = dump(db)
    bad = f"DELETE FROM latch;\n{statement}"  # noqa: S608 - the list above
    with pytest.raises(JournalRefused):
        store.opened(path, scripts=(*migration.migrations(), bad))
    with closing(store.opened(path)) as db:
        assert dump(db) == before


def test_a_journal_of_a_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with_pragma(path, "user_version = 7")
    bytes_before = path.read_bytes()
    for open_it in (store.opened, store.opened_to_read):
        with pytest.raises(JournalRefused) as refused:
            open_it(path)
        assert refused.value.fault == "JOURNAL_REFUSED"
        assert refused.value.detail["reason"] == "newer"
        assert refused.value.detail["what"] == f"its schema is 7, this agent knows {NOW}"
        assert "newer" in refused.value.detail["remedy"]
    assert path.read_bytes() == bytes_before


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE precious (a)")


@pytest.mark.parametrize(
    "make",
    [
        foreign_database,
        partial(Path.write_text, data="a shopping list, longer than any header\n" * 9),
        partial(Path.write_bytes, data=b""),
    ],
)
def test_a_file_that_is_not_ours_is_refused_untouched(tmp_path: Path, make: object) -> None:
    path = tmp_path / JOURNAL_NAME
    make(path)  # type: ignore[operator]
    bytes_before = path.read_bytes()
    for open_it in (store.opened, store.opened_to_read):
        with pytest.raises(JournalRefused) as refused:
            open_it(path)
        assert refused.value.detail["reason"] == "foreign"
        assert refused.value.detail["path"] == str(path)
        assert refused.value.detail["remedy"]
    assert path.read_bytes() == bytes_before


def test_reading_where_there_is_no_journal_makes_none(tmp_path: Path) -> None:
    with pytest.raises(JournalRefused, match="missing"):
        Reader(tmp_path / JOURNAL_NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_log_without_its_journal_is_never_played_into_a_new_one(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(build.started())
        log = (tmp_path / f"{JOURNAL_NAME}-wal").read_bytes()
    (tmp_path / JOURNAL_NAME).unlink()
    (tmp_path / f"{JOURNAL_NAME}-wal").write_bytes(log)
    with pytest.raises(JournalRefused, match="headless"):
        store.opened(tmp_path / JOURNAL_NAME)
    assert not (tmp_path / JOURNAL_NAME).exists()


def test_a_migration_that_cannot_copy_first_does_not_begin(tmp_path: Path) -> None:
    path = filled(tmp_path)
    bytes_before = path.read_bytes()
    (tmp_path / f"{JOURNAL_NAME}.schema-{NOW}.seq-{len(build.varied())}").mkdir()
    with pytest.raises(JournalFull) as refused:
        store.opened(path, scripts=(*migration.migrations(), SECOND))
    assert refused.value.fault == "JOURNAL_UNWRITABLE"
    assert path.read_bytes() == bytes_before


def test_a_journal_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalFull, match="JOURNAL_UNWRITABLE"):
        store.opened(tmp_path / "missing" / JOURNAL_NAME)


def test_a_damaged_header_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(JournalRefused) as refused:
        store.opened(path)
    assert refused.value.detail["remedy"]


def test_a_journal_is_never_seen_in_another_mode_than_its_own(tmp_path: Path) -> None:
    """A change of the mode under the final name would leave a rollback journal at a power cut."""
    for left in ("-journal", "-wal"):
        (tmp_path / f"journal.db.new{left}").write_bytes(b"of a creation that was cut")
    store.opened(tmp_path / "journal.db").close()
    header = (tmp_path / "journal.db").read_bytes()[:20]
    assert header[18:20] == b"\x02\x02", "written and read in WAL mode (sqlite.org/fileformat2.html, 1.3)"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["journal.db"]
