"""record.verify over the wire, and what taxctl makes of it: each thing with its verdict, one exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.model.evidence import Evidence, Proof, RecordProof, Verdict
from taxclient.cli.main import main
from taxclient.protocol.errors import RemoteError
from taxclient.sync import Client
from tests.builders.ipc import House, house, job

JOB = job().job_id


def found(h: House, *verdicts: Verdict) -> None:
    """What the agent finds of the record's parts."""
    evidence = tuple(
        Evidence(proof=proof, verdict=verdict, subject=f"of {proof}", expected="ab", found="cd")
        for proof, verdict in zip(Proof, verdicts, strict=True)
    )
    h.proofs[JOB] = RecordProof(job_id=JOB, sha256="ab", evidence=evidence)


def test_each_thing_is_told_with_its_verdict(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        found(h, Verdict.HOLDS, Verdict.DIFFERS, Verdict.MISSING, Verdict.UNREADABLE)
        proof = client.verify_record(JOB)
        assert [(each.what, each.verdict, each.subject) for each in proof.checks] == [
            ("record", "holds", "of record"),
            ("row", "differs", "of row"),
            ("chain", "missing", "of chain"),
            ("backup", "unreadable", "of backup"),
        ]
        assert (proof.sha256, proof.holds) == ("ab", False)


def test_a_job_without_a_record_has_no_proof(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        with pytest.raises(RemoteError) as caught:
            client.verify_record(JOB)
        assert caught.value.code == "RECORD_UNKNOWN"


@pytest.mark.parametrize(
    ("verdict", "lang", "code", "words"),
    [
        (Verdict.HOLDS, "en", 0, "the record holds: ab"),
        (Verdict.HOLDS, "zh", 0, "记录完好：ab"),
        (Verdict.DIFFERS, "en", 1, "! DIFFERS  of backup  was ab, is cd"),
        (Verdict.MISSING, "zh", 1, "! 不在了"),
        (Verdict.UNREADABLE, "en", 1, "! CANNOT BE READ  of backup  cd"),
    ],
)
def test_taxctl_shows_it_and_exits_by_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], verdict: Verdict, lang: str, code: int, words: str
) -> None:
    with house(tmp_path) as h:
        found(h, Verdict.HOLDS, Verdict.HOLDS, Verdict.HOLDS, verdict)
        assert main(["--endpoint", h.endpoint, "--lang", lang, "record", "verify", JOB]) == code
        assert words in capfd.readouterr().out
