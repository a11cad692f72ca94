"""Several clients' units in one commit of the real writer: what each is told when it fails."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from taxagent.jobs.asks import Accepted
from taxagent.model.device import DeviceKind
from taxagent.model.errors import AgentError
from taxagent.model.job import JobKind
from tests.builders.company import NUMBER
from tests.builders.driven import DrivenBench
from tests.crash.cases import Case
from tests.crash.faults import FAULTS

SETTLE = Case(job=JobKind.SETTLE, device=DeviceKind.CONTROL_DISK, types=1, company=True)


class Listening:
    """What each client of a bench was told, in order."""

    def __init__(self, bench: DrivenBench) -> None:
        self.told: list[tuple[str, str]] = []
        bench.told = self.hear

    def hear(self, who: str, op: str, _key: str, _sent_ms: int, answer: object) -> None:
        said = answer.fault if isinstance(answer, AgentError) else ""
        if isinstance(answer, Accepted):
            said = "known" if answer.known else "accepted"
        self.told.append((f"{who} {op}", said))


def first_batch(bench: DrivenBench, name: str) -> list[tuple[str, str]]:
    """What the three clients are told of the first shared batch with rows, which the fault strikes."""
    heard = Listening(bench)
    places = {"batch_full": "before batch", "batch_unknown": "after COMMIT", "batch_lost": "before COMMIT"}
    if name:
        bench.tap.on(places[name], FAULTS[name].act(bench, ""))
    bench.run()
    return heard.told[:3]


def test_units_of_one_commit_stand_for_themselves(tmp_path: Path) -> None:
    told = first_batch(SETTLE.prepared(tmp_path / "world"), "")
    assert told == [
        ("office check", "accepted"),
        ("office job.cancel", "NOT_ALLOWED"),
        ("shop submit", "known"),
    ]


def test_a_refused_units_row_is_gone_and_the_others_stand(tmp_path: Path) -> None:
    bench = SETTLE.prepared(tmp_path / "world")
    bench.run_to_the_end()
    assert not bench.job().cancel_requested
    bench.number = NUMBER
    assert bench.has_job()


def test_a_disk_that_is_full_amid_a_batch_takes_none_of_it(tmp_path: Path) -> None:
    bench = SETTLE.prepared(tmp_path / "world")
    told = first_batch(bench, "batch_full")
    assert told == [
        ("office check", "JOURNAL_FULL"),
        ("office job.cancel", "JOURNAL_FULL"),
        ("shop submit", "known"),
    ]
    assert bench.run_to_the_end().state.ended


@pytest.mark.parametrize("name", ["batch_unknown", "batch_lost"])
def test_a_commit_that_failed_is_unknown_to_all_and_the_agent_does_nothing_more(
    tmp_path: Path, name: str
) -> None:
    bench = SETTLE.prepared(tmp_path / "world")
    told = first_batch(bench, name)
    assert Counter(said for _, said in told) == {"JOURNAL_UNKNOWN": 3}
    assert bench.writes() == []
    bench.number = NUMBER
    assert bench.has_job() == (name == "batch_unknown")
