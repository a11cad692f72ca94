"""Is a record what it was? Its bytes, its row, the chain around it and its back-ups. Writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from taxagent.model.errors import JournalBroken, JournalRefused
from taxagent.model.events import JobEnded
from taxagent.model.evidence import Evidence, Proof, RecordProof, Verdict
from taxagent.model.job import Backup
from taxagent.ports import JournalReader

_CHUNK = 1 << 16


class _Named(msgspec.Struct):
    """What is read of a record, whatever its version: the back-ups that it names."""

    backups: tuple[Backup, ...] = ()


def verified_record(job_id: str, reader: JournalReader) -> RecordProof | None:
    """Return what holds of the job's record; None where there is no such job, or it has not ended.

    Reads the back-up files: takes as long as the disk needs for them.
    """
    job, stored = reader.job(job_id), reader.record(job_id)
    if job is None or not job.record_sha256:
        return None
    end = _end(job_id, reader)
    evidence = [
        _hashed(Proof.RECORD, job_id, job.record_sha256, stored),
        _row(job.record_sha256, end),
        _chain(job_id, reader),
    ]
    told = bytes(end[1].record) if isinstance(end, tuple) else stored
    evidence += [_file(each) for each in _backups(told)]
    return RecordProof(job_id=job_id, sha256=job.record_sha256, evidence=tuple(evidence))


def _end(job_id: str, reader: JournalReader) -> tuple[int, JobEnded] | JournalRefused | None:
    """Return the row of the job's end with its number, why it cannot be read, or None where it is gone."""
    try:
        rows = reader.job_events(job_id)
    except JournalRefused as error:
        return error
    return next(((seq, event) for seq, event in reversed(rows) if isinstance(event, JobEnded)), None)


def _row(expected: str, end: tuple[int, JobEnded] | JournalRefused | None) -> Evidence:
    if isinstance(end, tuple):
        seq, event = end
        found = _hashed(Proof.ROW, str(seq), expected, bytes(event.record))
        named = event.record_sha256
        if named != expected:
            found = msgspec.structs.replace(found, verdict=Verdict.DIFFERS, found=named)
        return found
    if end is None:
        return Evidence(proof=Proof.ROW, verdict=Verdict.MISSING, subject="", expected=expected)
    return Evidence(
        proof=Proof.ROW,
        verdict=Verdict.UNREADABLE,
        subject=end.detail.get("seq", ""),
        expected=expected,
        found=end.detail.get("what", ""),
    )


def _chain(job_id: str, reader: JournalReader) -> Evidence:
    try:
        first, last = reader.verify_job(job_id)
    except JournalBroken as error:
        what, seq = error.detail["what"], error.detail["seq"]
        return Evidence(proof=Proof.CHAIN, verdict=Verdict.DIFFERS, subject=seq, found=what)
    except JournalRefused as error:
        return Evidence(
            proof=Proof.CHAIN, verdict=Verdict.UNREADABLE, subject="", found=error.detail.get("what", "")
        )
    return Evidence(proof=Proof.CHAIN, verdict=Verdict.HOLDS, subject=f"{first}-{last}")


def _backups(record: bytes | None) -> Iterator[Backup]:
    if record is not None:
        try:
            yield from msgspec.json.decode(record, type=_Named).backups
        except msgspec.MsgspecError:
            return  # it does not hold, which the evidence of record and row has said


def _file(kept: Backup) -> Evidence:
    digest, path = hashlib.sha256(), Path(kept.path)
    known = Evidence(proof=Proof.BACKUP, verdict=Verdict.MISSING, subject=str(path), expected=kept.sha256)
    try:
        if not path.is_file():
            return known
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        return msgspec.structs.replace(
            known, verdict=Verdict.UNREADABLE, found=error.strerror or type(error).__name__
        )
    return msgspec.structs.replace(
        known, verdict=_verdict(kept.sha256, digest.hexdigest()), found=digest.hexdigest()
    )


def _hashed(proof: Proof, subject: str, expected: str, data: bytes | None) -> Evidence:
    if data is None:
        return Evidence(proof=proof, verdict=Verdict.MISSING, subject=subject, expected=expected)
    found = hashlib.sha256(data).hexdigest()
    return Evidence(
        proof=proof, verdict=_verdict(expected, found), subject=subject, expected=expected, found=found
    )


def _verdict(expected: str, found: str) -> Verdict:
    return Verdict.HOLDS if expected == found else Verdict.DIFFERS
