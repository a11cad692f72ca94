"""What a record stands on, and whether it still stands: values only. Knows no journal and no file."""

from __future__ import annotations

from enum import StrEnum

from taxagent.model.value import Value


class Verdict(StrEnum):
    """What was found of one thing."""

    HOLDS = "holds"
    DIFFERS = "differs"  # it is there, and is not what was journaled
    MISSING = "missing"
    UNREADABLE = "unreadable"  # the disk or the permissions: says nothing of the thing itself


class Proof(StrEnum):
    """The things that are looked at, in this order."""

    RECORD = "record"  # the stored record's bytes against the job's SHA-256
    ROW = "row"  # the journal's row of the job's end: its record against its own SHA-256 and the stored one
    CHAIN = "chain"  # the hashes from the row before the job's first to the row after its last
    BACKUP = "backup"  # a file that the record names


class Evidence(Value, frozen=True, kw_only=True):
    """One thing that was looked at. `expected` and `found` are SHA-256 in hex where they are hashes."""

    proof: Proof
    verdict: Verdict
    subject: str  # a path; of a row its number, of a chain "FIRST-LAST"; of a broken chain the first bad row
    expected: str = ""
    found: str = ""


class RecordProof(Value, frozen=True, kw_only=True):
    """What came of looking at a record: `sha256` is the one that the job's end names."""

    job_id: str
    sha256: str
    evidence: tuple[Evidence, ...]

    @property
    def holds(self) -> bool:
        """Return whether all of it holds."""
        return all(each.verdict is Verdict.HOLDS for each in self.evidence)
