"""Journals as each schema's first agent wrote them open, migrate and verify; a newer one is refused.

A file in vectors/journal is never changed. Where one fails after a change of Job or of an event: give the
event's field a default, and add a schema script (even an empty one): it has the projections made again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from taxagent.journal import JOURNAL_NAME, JournalWriter, Reader, store
from taxagent.journal.migration import migrations
from taxagent.model.errors import JournalRefused
from taxagent.model.job import JobState
from tests.builders import journal as build

RELEASED = sorted((build.ROOT / "tests" / "vectors" / "journal").glob("schema-*.sql"))
ENDS = {
    "schema-0001": (31, "0fee658bd838ccbcd52339c615ae9180a325554918dee6b763efef9063317793"),
    "schema-0002": (39, "a34a83b070cbbcb20b96f3e5a4118dbd466643c2967775d173faeed7504d29a1"),
}


def written(folder: Path, released: Path) -> Path:
    """Make the journal file that a released agent left."""
    path = folder / JOURNAL_NAME
    with closing(sqlite3.connect(path)) as db:
        db.executescript(released.read_text(encoding="utf-8"))
        db.execute("PRAGMA journal_mode = WAL")
    return path


def test_every_schema_has_a_journal_of_its_time() -> None:
    assert [path.stem for path in RELEASED] == [f"schema-{n:04d}" for n in range(1, len(migrations()) + 1)]


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_released_journal_opens_migrates_verifies_and_goes_on(tmp_path: Path, released: Path) -> None:
    path = written(tmp_path, released)
    rows, head = ENDS[released.stem]
    heard = build.Heard()
    with closing(JournalWriter(path, sink=heard, on_fatal=heard.on_fatal)) as writer:
        writer.start()
        with closing(Reader(path)) as reader:
            verified = reader.verify()
            reader.verify_projections()
            assert (verified.rows, verified.head_hash) == (rows, head), "not one byte of a row has changed"
            states = {job.job_id: job.state for job in reader.jobs(limit=100)}
            assert states[build.job_id(1)] is JobState.DONE
            assert states[build.job_id(5)] is JobState.ACCEPTED
            assert reader.job_by_key("shop", f"key-{1:016d}") is not None
            assert [try_.tries_left for try_ in reader.passwords(build.DEVICE_NO)] == [4]
            assert reader.record(build.job_id(1)) is not None
        assert writer.append(build.started()) == rows + 1
        writer.append(*build.whole_job(9))
    with closing(Reader(path)) as reader:
        reader.verify()
        reader.verify_projections()


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_released_journal_verifies_as_it_is(tmp_path: Path, released: Path) -> None:
    with closing(Reader(written(tmp_path, released))) as reader:
        assert (reader.verify().rows, reader.schema()) == (ENDS[released.stem][0], int(released.stem[-4:]))
        reader.verify_projections()


def test_a_newer_journal_is_refused_by_the_start_and_untouched(tmp_path: Path) -> None:
    path = written(tmp_path, RELEASED[-1])
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    verify = [sys.executable, "-m", "taxagent", "--lang", "en", "journal", "verify", "--state", str(tmp_path)]
    said = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=30)
    assert said.returncode == 10
    assert "JOURNAL_REFUSED" in said.stderr
    assert "install the newer program" in said.stderr
    with pytest.raises(JournalRefused):
        store.opened(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert {entry.name for entry in tmp_path.iterdir() if entry.stat().st_size} <= {
        JOURNAL_NAME,
        f"{JOURNAL_NAME}-shm",  # SQLite's locks of who reads
    }
