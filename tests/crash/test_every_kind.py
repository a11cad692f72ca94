"""The agent dies at every point of settling a golden disk and a ukey, through the real driver.

As test_every_point.py does on a control disk; here groups have several types, and a seal is a reading that
takes its time: the points of the reading and of the wait are among those at which it dies.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.model.device import DeviceKind
from taxagent.model.errors import AnswerLost
from tests.builders import judge
from tests.builders.driven import DrivenBench
from tests.builders.scenario import OCTOBER
from tests.builders.tap import raising
from tests.builders.work import SEPTEMBER
from tests.crash.test_every_point import folder

pytestmark = pytest.mark.slow

__all__ = ["folder"]  # the fixture
MONTHS = (SEPTEMBER, OCTOBER)
each_kind = pytest.mark.parametrize("kind", [DeviceKind.GOLDEN_DISK, DeviceKind.UKEY])
WRITES = ["seal", "reading", "settling", "apply_ticket", "read_summary", "put_report", "put_ticket"]


def bench_of(folder: Path, kind: DeviceKind) -> DrivenBench:
    folder.mkdir()
    bench = DrivenBench(folder, kind, MONTHS)
    bench.accept(periods=MONTHS)
    bench.file_return(*MONTHS)
    judge.watch(bench)
    return bench


def undisturbed(folder: Path, kind: DeviceKind) -> list[str]:
    """Return all places that an undisturbed run passes."""
    bench = bench_of(folder / "undisturbed", kind)
    judge.settled(bench, bench.run_to_the_end())
    return bench.tap.passed


def ends_settled(bench: DrivenBench, what: str) -> None:
    try:
        judge.settled(bench, bench.run_to_the_end())
    except AssertionError as error:
        error.add_note(what)
        raise
    shutil.rmtree(bench.folder)


@each_kind
def test_the_agent_dies_at_every_point_of_settle(folder: Path, kind: DeviceKind) -> None:
    points = undisturbed(folder, kind)
    for point, place in enumerate(points):
        bench = bench_of(folder / str(point), kind)
        bench.tap.at = point
        bench.run_until_killed()
        assert bench.tap.passed[-1] == place
        ends_settled(bench, f"point {point}: {place}")
    print(f"settle, {kind.value}, two months: died at each of {len(points)} points")


@each_kind
def test_an_answer_is_lost_wherever_one_can_be(folder: Path, kind: DeviceKind) -> None:
    lost = 0
    for place in _places(undisturbed(folder, kind)):
        for nth in range(1, place[1] + 1):
            bench = bench_of(folder / f"{place[0]} {nth}", kind)
            bench.tap.on(place[0], raising(AnswerLost("ANSWER_LOST")), nth)
            ends_settled(bench, f"lost {place[0]}, {nth}")
            lost += 1
    print(f"settle, {kind.value}, two months: answers lost at {lost} places")


def _places(passed: list[str]) -> Iterator[tuple[str, int]]:
    for place in dict.fromkeys(passed):
        if place.rpartition(" ")[2] in WRITES:
            yield place, passed.count(place)
