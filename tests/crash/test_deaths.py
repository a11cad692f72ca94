"""The agent dies at every point of every kind of job, and the next one ends it as if nothing had happened.

What a death leaves is copied while one run goes on, so equal worlds are run once (explore.py). The whole
enumeration, with second deaths and all faults, is `python -m tests.crash.campaign`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from taxagent.model.device import DeviceKind
from taxagent.model.job import JobKind
from tests.builders.bulk import BULK_FAULTS
from tests.crash.cases import Case, enumerated
from tests.crash.explore import Explorer, Found
from tests.crash.faults import FAULTS, OF_A_BATCH
from tests.crash.folders import memory_folder, quiet
from tests.crash.plans import Life, Plan
from tests.crash.play import Player

pytestmark = pytest.mark.slow
SETTLE = Case(job=JobKind.SETTLE, device=DeviceKind.CONTROL_DISK, types=1)


@pytest.fixture
def base() -> Iterator[Path]:
    with quiet(), memory_folder("deaths") as folder:
        yield folder


def nothing_wrong(found: Found) -> None:
    told = [f"{msgspec.json.encode(plan).decode()}: {problem}" for plan, problem in found.wrong]
    assert not told, "\n".join(told)


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in enumerated()])
def test_the_agent_dies_at_every_point(base: Path, case: Case) -> None:
    found = Explorer(base, case).deaths(1)
    nothing_wrong(found)
    assert found.points > 30
    assert len(found.distinct) >= 7
    print(f"{case}: died at {found.points} points, {len(found.distinct)} distinct worlds")


def test_the_agent_dies_again_at_every_point_of_each_recovery(base: Path) -> None:
    found = Explorer(base, SETTLE).deaths(2)
    nothing_wrong(found)
    print(f"{SETTLE}: two deaths at {found.points} points, {len(found.distinct)} distinct worlds")


def test_the_agent_dies_at_every_point_after_its_password_was_changed(base: Path) -> None:
    """Between a refusal and its row only the crash's mark in the journal tells the next agent to doubt."""
    found = Explorer(base, SETTLE).troubles(("password_changed",), one_in=3)
    nothing_wrong(found)
    assert found.points


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_strikes_wherever_it_can(base: Path, name: str) -> None:
    case = msgspec.structs.replace(SETTLE, company=name in OF_A_BATCH)
    found = Explorer(base, case).troubles((name,), depth=0, one_in=7)
    nothing_wrong(found)
    assert found.faults


@pytest.mark.parametrize("what", ["restored", "removed"])
def test_the_journal_is_yesterdays_or_gone_after_each_death(base: Path, what: str) -> None:
    found = Explorer(base, SETTLE).journals(what)
    nothing_wrong(found)
    assert found.faults > 20


@pytest.mark.parametrize("kind", BULK_FAULTS)
def test_usb_fails_at_bulk_transfers(base: Path, kind: str) -> None:
    case = msgspec.structs.replace(SETTLE, bulk=True)
    found = Explorer(base, case).bulk_troubles((kind,), one_in=18)
    nothing_wrong(found)
    assert found.faults


def test_a_plan_is_repeated_exactly(base: Path) -> None:
    plan = Plan(case=SETTLE, lives=(Life(fault="lost", at=43, dies=60), Life(dies=20), Life()))
    stories = list[list[str]]()
    for number in (1, 2):
        story = list[str]()
        assert Player(base / str(number), plan, story.append).play() == []
        stories.append(story)
    assert stories[0] == stories[1]
    assert "       dies" in stories[0]
