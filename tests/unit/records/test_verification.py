"""A record is looked at with all that it stands on; whatever is not what it was is named alone."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from taxagent.journal import JOURNAL_NAME, Reader
from taxagent.model.evidence import Evidence, Proof, RecordProof, Verdict
from taxagent.model.job import Backup, Step
from taxagent.model.period import Period
from taxagent.records.verification import verified_record
from tests.builders import journal as build

JOB = build.job_id(1)


@contextmanager
def kept(tmp_path: Path) -> Iterator[tuple[Reader, Path]]:
    """A journal in which job 1 has ended, between rows of others; its record names one back-up."""
    file = tmp_path / "backup.zip"
    file.write_bytes(b"a back-up")
    backup = Backup(
        period=Period("2026-10"),
        path=str(file),
        sha256=hashlib.sha256(b"a back-up").hexdigest(),
        before=Step.SEAL,
    )
    record = msgspec.json.encode({"job_id": JOB, "backups": [backup]})
    end = msgspec.structs.replace(
        build.ended(1), record=msgspec.Raw(record), record_sha256=hashlib.sha256(record).hexdigest()
    )
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.started(), build.accept(1), build.accept(2), build.running(1), end)
        writer.append(build.running(2))
        yield reader, file


def proof(reader: Reader) -> RecordProof:
    found = verified_record(JOB, reader)
    assert found is not None
    return found


def of(found: RecordProof, which: Proof) -> Evidence:
    (each,) = [each for each in found.evidence if each.proof is which]
    return each


@contextmanager
def tampering(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of somebody who has taken the journal's triggers away."""
    with closing(sqlite3.connect(tmp_path / JOURNAL_NAME, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        yield db


def test_all_of_an_untouched_record_holds_with_the_rows_around_the_job(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, file):
        found = proof(reader)
        assert found.holds
        assert [(each.proof.value, each.subject) for each in found.evidence] == [
            ("record", JOB),
            ("row", "5"),
            ("chain", "1-6"),
            ("backup", str(file)),
        ]


def test_the_newest_job_of_a_journal_has_no_row_after_it(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.accept(1), build.ended(1))
        assert reader.verify_job(JOB) == (0, 2)


@pytest.mark.parametrize("number", [1, 2])
def test_there_is_no_proof_without_a_record(tmp_path: Path, number: int) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.accept(1))
        assert verified_record(build.job_id(number), reader) is None


def test_a_changed_backup_differs_and_the_rest_holds(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, file):
        file.write_bytes(b"another")
        found = proof(reader)
        assert of(found, Proof.BACKUP).verdict is Verdict.DIFFERS
        assert of(found, Proof.BACKUP).found == hashlib.sha256(b"another").hexdigest()
        assert [each.proof for each in found.evidence if each.verdict is not Verdict.HOLDS] == [Proof.BACKUP]


def test_a_backup_that_is_gone_is_missing_and_a_folder_in_its_place_too(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, file):
        file.unlink()
        assert of(proof(reader), Proof.BACKUP).verdict is Verdict.MISSING
        file.mkdir()
        assert of(proof(reader), Proof.BACKUP).verdict is Verdict.MISSING


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails")
def test_a_backup_that_cannot_be_read_is_not_called_changed(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, file):
        file.unlink()
        file.symlink_to("/proc/self/mem")  # a regular file whose first page cannot be read
        assert of(proof(reader), Proof.BACKUP).verdict is Verdict.UNREADABLE


def test_a_changed_stored_record_is_told_from_its_row(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, _):
        with tampering(tmp_path) as db:
            db.execute("UPDATE record SET body = ? WHERE job_id = ?", (b'{"backups": []}', JOB))
        found = proof(reader)
        assert of(found, Proof.RECORD).verdict is Verdict.DIFFERS
        assert of(found, Proof.ROW).verdict is Verdict.HOLDS
        assert of(found, Proof.BACKUP).verdict is Verdict.HOLDS  # the row still names it


def test_a_stored_record_that_is_gone_is_missing(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, _):
        with tampering(tmp_path) as db:
            db.execute("DELETE FROM record")
        assert of(proof(reader), Proof.RECORD).verdict is Verdict.MISSING


def test_a_changed_row_breaks_the_chain_at_its_number(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, _):
        with tampering(tmp_path) as db:
            db.execute("UPDATE event SET body = replace(body, 'a back-up', 'b') WHERE seq = 5")
            db.execute("UPDATE event SET body = CAST(body || ' ' AS BLOB) WHERE seq = 3")
        chain = of(proof(reader), Proof.CHAIN)
        assert (chain.verdict, chain.subject) == (Verdict.DIFFERS, "3")


def test_an_end_that_is_gone_is_missing_and_breaks_the_chain(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, _):
        with tampering(tmp_path) as db:
            db.execute("DELETE FROM event WHERE seq = 5")
        found = proof(reader)
        assert of(found, Proof.ROW).verdict is Verdict.MISSING
        assert of(found, Proof.CHAIN).subject == "5"


def test_an_end_that_cannot_be_read_is_unreadable(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, _):
        with tampering(tmp_path) as db:
            db.execute("UPDATE event SET body = CAST('{' AS BLOB) WHERE seq = 5")
        assert of(proof(reader), Proof.ROW).verdict is Verdict.UNREADABLE


def test_a_job_whose_rows_are_all_gone_has_a_broken_chain(tmp_path: Path) -> None:
    with kept(tmp_path) as (reader, _):
        with tampering(tmp_path) as db:
            db.execute("DELETE FROM event WHERE job_id = ?", (JOB,))
        found = proof(reader)
        assert of(found, Proof.CHAIN).verdict is Verdict.DIFFERS
        assert not found.holds
