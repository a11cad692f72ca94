"""The judge finds nothing in an honest world, and each planted lie by the rule that it breaks."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from taxagent.jobs.asks import Accepted
from taxagent.model.errors import Refusal
from taxagent.model.job import JobKind
from tests.builders.scenario import OCTOBER
from tests.builders.transcript import Transcript
from tests.builders.work import SEPTEMBER, Bench
from tests.builders.world import due
from tests.judge import RULES, Evidence, lies_bureau, read, violations
from tests.judge.lies import LIES, Lie


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of two jobs: September and October settled, then checked; and a client that asked for both."""
    folder = tmp_path_factory.mktemp("honest") / "world"
    folder.mkdir()
    months = (SEPTEMBER, OCTOBER)
    bench = Bench(folder, types=(due("007", *months), due("004", *months)))
    transcript = Transcript(folder / "told.jsonl")
    for kind in (JobKind.SETTLE, JobKind.CHECK):
        op = "submit" if kind is JobKind.SETTLE else "check"
        key = f"key-{bench.number:016d}"
        bench.accept(kind, periods=months)
        bench.file_return(*months)
        now = bench.clock.utc_ms()
        transcript.told(transcript.asked(now, "shop", op, key), now, Accepted(job=bench.job(), known=False))
        bench.clock.now += dt.timedelta(minutes=1)
        job = bench.run_to_the_end()
        later = bench.clock.utc_ms() + 1000
        transcript.told(transcript.asked(later, "shop", "job.get", key), later, job)
        bench.next_job()
    now = bench.clock.utc_ms()
    refused = transcript.asked(now, "shop", "submit", "key-refused-00000001")
    transcript.told(refused, now, Refusal("TOKEN_NEEDED", kind="settle"))
    return folder


@pytest.fixture
def evidence(honest: Path) -> Evidence:
    return read(
        honest / "journal.db", device=honest / "device", bureau=honest / "bureau", told=honest / "told.jsonl"
    )


def test_an_honest_world_breaks_no_rule(evidence: Evidence) -> None:
    assert violations(evidence) == ()


@pytest.mark.parametrize(("rule", "plant"), [pytest.param(r, p, id=n) for r, n, p in LIES])
def test_a_planted_lie_is_caught_by_its_rule(evidence: Evidence, rule: str, plant: Lie) -> None:
    plant(evidence)
    found = violations(evidence)
    assert rule in {violation.rule for violation in found}, [str(violation) for violation in found]


def test_every_rule_has_a_lie_of_its_own() -> None:
    assert {rule for rule, _, _ in LIES} == set(RULES)
    assert {plant.__module__ for _, _, plant in LIES} >= {lies_bureau.__name__}


def test_the_judge_loads_no_line_of_the_agent() -> None:
    code = "import sys, tests.judge; sys.exit(any(name.startswith('taxagent') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0
