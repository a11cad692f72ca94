"""Whoever changes the journal's file is found out, and the first bad row is named."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.journal import JOURNAL_NAME, Head
from taxagent.journal.chain import genesis, linked, walked
from taxagent.model.errors import JournalBroken, JournalRefused
from tests.builders import journal as build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed journal of some jobs."""
    with build.journal(tmp_path) as writer:
        writer.append(*build.varied())
    return tmp_path


def tampered(folder: Path, *statements: str) -> None:
    """Change the file as someone would who knows SQLite, with the guards taken off and put back."""
    with closing(sqlite3.connect(folder / JOURNAL_NAME, isolation_level=None)) as db:
        guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, sql in guards:
            db.execute(sql)


def test_the_chain_is_sha256_of_the_hash_before_and_the_stored_bytes(folder: Path) -> None:
    with build.reading(folder) as reader:
        digest = hashlib.sha256(reader.journal_id().encode()).digest()
        verified = reader.verify()
    with closing(sqlite3.connect(folder / JOURNAL_NAME)) as db:
        for body, stored in db.execute("SELECT body, hash FROM event ORDER BY seq"):
            digest = hashlib.sha256(digest + body).digest()
            assert stored == digest
    assert verified.head_hash == digest.hex()
    assert verified.rows == verified.last_seq == len(build.varied())


def test_two_journals_of_the_same_events_have_different_chains(tmp_path: Path) -> None:
    heads = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with build.journal(tmp_path / name) as writer:
            writer.append(build.started())
        with build.reading(tmp_path / name) as reader:
            heads.add(reader.verify().head_hash)
    assert len(heads) == 2


def test_an_empty_journal_verifies(tmp_path: Path) -> None:
    with build.journal(tmp_path), build.reading(tmp_path) as reader:
        verified = reader.verify()
        reader.verify_projections()
        assert (verified.rows, verified.last_seq) == (0, 0)
        assert verified.head_hash == genesis(verified.journal_id).hash.hex()


SWAP = (
    "UPDATE event SET seq = -1 WHERE seq = 5",
    "UPDATE event SET seq = 5 WHERE seq = 6",
    "UPDATE event SET seq = 6 WHERE seq = -1",
)


@pytest.mark.parametrize(
    ("statements", "bad"),
    [
        (("UPDATE event SET body = CAST(replace(body, 'shop', 'shap') AS BLOB) WHERE seq = 4",), 4),
        (("UPDATE event SET body = body || ' ' WHERE seq = 4",), 4),
        (("UPDATE event SET body = CAST(body AS TEXT) WHERE seq = 4",), 4),
        (("UPDATE event SET hash = zeroblob(32) WHERE seq = 7",), 7),
        (("DELETE FROM event WHERE seq = 5",), 5),
        (("DELETE FROM event WHERE seq = 1",), 1),
        (SWAP, 5),
        (("INSERT INTO event SELECT 0, job_id, device_no, body, hash FROM event WHERE seq = 1",), 1),
        (("UPDATE meta SET value = '00' WHERE name = 'journal_id'",), 1),
    ],
    ids=["byte", "appended", "type", "hash", "deleted", "first", "swapped", "before-one", "identity"],
)
def test_a_changed_row_is_found(folder: Path, statements: tuple[str, ...], bad: int) -> None:
    tampered(folder, *statements)
    with build.reading(folder) as reader, pytest.raises(JournalBroken) as broken:
        reader.verify()
    assert broken.value.seq == bad
    assert broken.value.detail["seq"] == str(bad)


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE event SET job_id = '01OTHER' WHERE seq = 6", 6),
        ("UPDATE event SET device_no = NULL WHERE seq = 6", 6),
        ("UPDATE job SET state = 'done' WHERE state = 'running'", 0),
        ("UPDATE job SET body = CAST(replace(body, 'executed', 'unknown') AS BLOB)", 0),
        ("UPDATE job SET key = 'key-other-00000001' WHERE ended = 1", 0),
        ("DELETE FROM job WHERE ended = 1", 0),
        ("DELETE FROM claim", 0),
        ("UPDATE token SET redeemed_by = NULL", 0),
        ("UPDATE record SET body = '{}'", 0),
        ("UPDATE password SET body = '{}'", 0),
        ("DELETE FROM event WHERE seq >= (SELECT max(seq) - 1 FROM event)", 0),  # a cut tail alone
    ],
)
def test_a_changed_projection_is_found_though_the_chain_holds(folder: Path, statement: str, bad: int) -> None:
    tampered(folder, statement)
    with build.reading(folder) as reader:
        reader.verify()
        with pytest.raises(JournalBroken) as broken:
            reader.verify_projections()
    assert broken.value.seq == bad


def test_the_outcome_so_far_of_a_live_job_may_be_the_one_that_an_earlier_agent_said(folder: Path) -> None:
    said = "json_set(body, '$.outcome', 'partly_executed')"
    tampered(folder, f"UPDATE job SET body = CAST({said} AS BLOB) WHERE ended = 0")  # noqa: S608 - our own
    with build.reading(folder) as reader:
        reader.verify_projections()


def test_a_cut_tail_is_found_only_by_an_anchor(folder: Path) -> None:
    """Who cuts the newest rows and what they made leaves a whole, shorter journal."""
    with build.journal(folder) as writer:
        writer.append(build.tried(sha256="0c" * 32))
    with build.reading(folder) as reader:
        anchor = reader.head()
        reader.verify_anchor(anchor)
    tampered(
        folder,
        "DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)",
        "DELETE FROM password WHERE salted_sha256 LIKE '0c%'",
    )
    with build.reading(folder) as reader:
        reader.verify()
        reader.verify_projections()
        with pytest.raises(JournalBroken, match="cut") as broken:
            reader.verify_anchor(anchor)
    assert broken.value.seq == anchor.seq


def test_a_journal_that_was_made_again_is_found_by_an_anchor(folder: Path) -> None:
    with build.reading(folder) as reader, pytest.raises(JournalBroken, match="another"):
        reader.verify_anchor(Head(seq=3, hash=bytes(32)))


def test_the_guards_refuse_what_the_agent_itself_must_never_do(folder: Path) -> None:
    with closing(sqlite3.connect(folder / JOURNAL_NAME)) as db:
        for statement in (
            "UPDATE event SET body = x'00' WHERE seq = 1",
            "DELETE FROM event",
            "INSERT OR REPLACE INTO event VALUES (1, NULL, NULL, x'00', x'00')",
            "INSERT INTO event VALUES (1000, NULL, NULL, x'00', x'00')",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(statement)


def test_each_page_of_the_file_may_be_damaged_and_no_event_is_ever_read_wrong(folder: Path) -> None:
    """A damaged page is refused, or (unused space, an index's slack) the verified rows are the true ones."""
    path = folder / JOURNAL_NAME
    good = path.read_bytes()
    with build.reading(folder) as reader:
        head = reader.verify().head_hash
    found = 0
    for offset in range(128, len(good), 509):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 0xFF]) + good[offset + 1 :])
        found += not verifies(folder, head)
    path.write_bytes(good)
    assert verifies(folder, head)
    assert found > 0


def verifies(folder: Path, head: str) -> bool:
    """False where the file is refused; where it verifies, its rows must be the true ones."""
    try:
        with build.reading(folder) as reader:
            assert reader.verify().head_hash == head
            return True
    except JournalRefused:
        return False


@given(bodies=st.lists(st.binary(max_size=20), min_size=1, max_size=8), data=st.data())
def test_any_change_of_any_row_breaks_the_walk(bodies: list[bytes], data: st.DataObject) -> None:
    start = genesis("00" * 16)
    rows: list[tuple[int, object, object]] = []
    head = start
    for body in bodies:
        head = linked(head, body)
        rows.append((head.seq, body, head.hash))
    assert walked(start, rows) == head
    change: Callable[[list[tuple[int, object, object]], int], None] = data.draw(
        st.sampled_from([_flip, _drop_inner, _swap])
    )
    at = data.draw(st.integers(0, len(rows) - 1))
    changed = list(rows)
    change(changed, at)
    if changed != rows[: len(changed)]:
        with pytest.raises(JournalBroken):
            walked(start, changed)


def _flip(rows: list[tuple[int, object, object]], at: int) -> None:
    seq, body, stored = rows[at]
    assert isinstance(body, bytes)
    rows[at] = (seq, body + b"x", stored)


def _drop_inner(rows: list[tuple[int, object, object]], at: int) -> None:
    del rows[at]


def _swap(rows: list[tuple[int, object, object]], at: int) -> None:
    other = (at + 1) % len(rows)
    (seq_a, *a), (seq_b, *b) = rows[at], rows[other]
    rows[at], rows[other] = (seq_a, b[0], b[1]), (seq_b, a[0], a[1])
