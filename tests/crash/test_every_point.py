"""The agent dies before and after each call of device, bureau and archive and each commit of the journal.

After every death the job is run again from the journal, and ends as if nothing had happened: each seal, clock
ticket and clear ticket executed once by the device's own log, one report a group and month at the bureau.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    BureauDown,
    DeviceAbsent,
    DeviceInUse,
    JournalError,
    JournalFull,
    JournalUnknown,
)
from taxagent.model.job import JobState
from tests.builders import judge
from tests.builders.scenario import OCTOBER
from tests.builders.tap import Tap, raising
from tests.builders.work import SEPTEMBER, Bench
from tests.builders.world import due

pytestmark = pytest.mark.slow

MONTHS = {1: (OCTOBER,), 2: (SEPTEMBER, OCTOBER)}
SEED = 20_261_103
PAIRS = 60  # deaths in two runs of the same job: drawn, not enumerated
STORMS = 60
QUIET = {"commit", "archive", "close", "confirm"}  # they have ways of their own to fail, or never raise
BUREAU = {"status", "get_report", "put_report", "get_declaration", "get_ticket", "put_ticket"}
WRITES = ["seal", "clock_ticket", "apply_ticket", "put_report", "put_ticket", "confirm"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: the journal's fsyncs are what takes the time here."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    made = Path(tempfile.mkdtemp(dir=memory, prefix="taxagent-crash-"))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("months", [1, 2])
def test_the_agent_dies_at_every_point_of_settle(folder: Path, months: int) -> None:
    points = _undisturbed(folder, months)
    for point, place in enumerate(points):
        bench = _bench(folder / str(point), months)
        bench.tap.at = point
        bench.run_until_killed()
        assert bench.tap.passed[-1] == place
        _ends_settled(bench, f"point {point}: {place}")
        shutil.rmtree(bench.folder)
    print(f"settle, two types, months: {months}: died at each of {len(points)} points")


def test_the_agent_dies_again_while_it_recovers(folder: Path) -> None:
    points = len(_undisturbed(folder, 2))
    draw = random.Random(SEED)
    for pair in range(PAIRS):
        first, second = draw.randrange(points), draw.randrange(points)
        bench = _bench(folder / str(pair), 2)
        for death in (first, second):
            bench.tap.at = len(bench.tap.passed) + death
            bench.run_until_killed()
        bench.tap.at = None
        _ends_settled(bench, f"seed {SEED}, pair {pair}: died at {first}, then at {second} of the next run")
        shutil.rmtree(bench.folder)
    print(f"settle, two types, two months: died twice, {PAIRS} pairs of {points} points, seed {SEED}")


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("name", WRITES)
def test_an_answer_is_lost_at_every_write(folder: Path, name: str, place: str) -> None:
    count = _undisturbed(folder, 2).count(f"before {name}")
    for nth in range(1, count + 1):
        bench = _bench(folder / str(nth), 2)
        bench.tap.on(f"{place} {name}", raising(AnswerLost("ANSWER_LOST")), nth)
        if name == "confirm":  # best effort: the job goes on, its record says so
            assert bench.run_to_the_end().state is JobState.DONE
            assert not bench.record().bureau_confirmed
        else:
            _ends_settled(bench, f"lost {place} {name}, {nth}")
        shutil.rmtree(bench.folder)
    print(f"answer lost {place} {name}: {count} times")


@pytest.mark.parametrize(
    ("place", "error"),
    [("before", JournalFull("JOURNAL_FULL")), ("after", JournalUnknown("JOURNAL_UNKNOWN"))],
)
def test_the_journal_fails_at_every_commit(folder: Path, place: str, error: JournalError) -> None:
    """Before: nothing was written. After: it may be durable, and is. Nothing is done on top of either."""
    count = _undisturbed(folder, 2).count("before commit")
    for nth in range(1, count + 1):
        bench = _bench(folder / str(nth), 2)
        seen: list[list[str]] = []
        bench.tap.on(f"{place} commit", _noting(bench, seen, error), nth)
        bench.run()
        assert bench.writes() == seen[0], f"written after a commit that failed, {nth}"
        _ends_settled(bench, f"{error.fault} {place} commit {nth}")
        shutil.rmtree(bench.folder)
    print(f"{error.fault} {place} each of {count} commits")


def _noting(bench: Bench, seen: list[list[str]], error: JournalError) -> Callable[[], None]:
    def act() -> None:
        seen.append(bench.writes())
        raise error

    return act


def test_nothing_but_bad_luck(folder: Path) -> None:
    """Every third run is killed; of the others' calls some fail in the ways that the ports promise."""
    struck = 0
    for number in range(STORMS):
        draw = random.Random(SEED + number)
        bench = _bench(folder / str(number), draw.choice([1, 2]))
        storm = Storm(bench.tap, draw)
        bench.tap.before = storm.before
        bench.tap.after = storm.after
        for _ in range(draw.randrange(2, 7)):
            if draw.randrange(3) == 0:
                bench.tap.at = len(bench.tap.passed) + draw.randrange(200)
            bench.run_until_killed()
        bench.tap.before = bench.tap.after = lambda _name: None
        bench.tap.at = None
        struck += storm.struck
        _ends_settled(bench, f"seed {SEED + number}: {storm.log}")
        shutil.rmtree(bench.folder)
    print(f"bad luck: {STORMS} jobs, {struck} failed calls, seeds from {SEED}")


class Storm:
    """Lets some calls fail: before anything happened as "not now" or "lost", afterwards as "lost"."""

    def __init__(self, tap: Tap, draw: random.Random) -> None:
        self.struck = 0
        self.log: list[str] = []
        self._passed = tap.passed
        self._draw = draw

    def before(self, name: str) -> None:
        if name in QUIET or self._draw.randrange(30):
            return
        if name in BUREAU:
            self._raise(BureauDown("BUREAU_DOWN"), name)
        lost, absent = AnswerLost("ANSWER_LOST"), DeviceAbsent("DEVICE_ABSENT")
        self._raise(self._draw.choice([lost, absent, DeviceInUse("DEVICE_BUSY")]), name)

    def after(self, name: str) -> None:
        if name not in QUIET and not self._draw.randrange(30):
            self._raise(AnswerLost("ANSWER_LOST"), f"after {name}")

    def _raise(self, error: AgentError, place: str) -> None:
        self.struck += 1
        self.log.append(f"{len(self._passed)} {place} {error.fault}")
        raise error


def _undisturbed(folder: Path, months: int) -> list[str]:
    """Return all places that an undisturbed run passes."""
    bench = _bench(folder / "undisturbed", months)
    _ends_settled(bench, "undisturbed")
    shutil.rmtree(bench.folder)
    return bench.tap.passed


def _ends_settled(bench: Bench, what: str) -> None:
    try:
        judge.settled(bench, bench.run_to_the_end())
    except AssertionError as error:
        error.add_note(what)
        raise


def _bench(folder: Path, months: int) -> Bench:
    folder.mkdir()
    periods = MONTHS[months]
    bench = Bench(folder, types=(due("007", *periods), due("004", *periods)))
    bench.accept(periods=periods)
    bench.file_return(*periods)
    judge.watch(bench)
    return bench
