"""Every point at which a job's agent can die, as worlds: what a death there would leave is kept.

At each point that a run passes, all that is durable is copied and the rest is thought away; a new agent
starts from the copy. Worlds with equal durable state are one world. The judge looks at the end of each.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders.bulk import BulkBench, strikes
from tests.builders.driven import DrivenBench
from tests.crash import durable
from tests.crash.cases import MONTHS, Case
from tests.crash.faults import FAULTS
from tests.crash.plans import RESTART, Life, Plan, Stepping, changed_unseen, outlived
from tests.crash.stranger import strangers_were

_WRITES = frozenset({"seal", "reading", "clock_ticket", "apply_ticket", "put_report"})
_CHANGING = frozenset(
    {"commit", "seal", "clock_ticket", "apply_ticket", "put_report", "put_ticket", "confirm", "archive"}
    | {"reading", "open"}
)


@dataclass(frozen=True)
class Kept:
    """A world that a death left, and how it came about."""

    folder: Path
    now: dt.datetime
    lives: tuple[Life, ...]
    unseen: bool = False  # a clock was changed between a last look and its write


@dataclass
class Found:
    """What an exploration counted, and what it found wrong."""

    points: int = 0  # at which an agent was killed, or stood when a fault struck
    worlds: int = 0  # runs from a world to its end
    faults: int = 0
    distinct: set[str] = field(default_factory=set)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[Plan, str]] = field(default_factory=list)


class Explorer:
    """Explores one case in a folder of its own."""

    def __init__(self, base: Path, case: Case) -> None:
        self.found = Found()
        self._base = base
        self._case = case
        self._live = base / "live"
        self._kept: list[Kept] = []

    def deaths(self, depth: int) -> Found:
        """Die at every point of the run, and (depth 2) at every point of each recovery, and so on."""
        start = self._prepared()
        self._explore([start], depth)
        return self.found

    def troubles(self, names: tuple[str, ...], *, depth: int = 1, one_in: int = 1) -> Found:
        """Let each fault strike at each place where it can (or one in so many, and at every write)."""
        start = self._prepared()
        places = self._places(start)
        for name in names:
            shows = [number for number, place in enumerate(places) if FAULTS[name].shows_at(place)]
            writes = [number for number in shows if places[number].partition(" ")[2] in _WRITES]
            for number in sorted({*shows[::one_in], *writes}):
                self._strike(start, Life(fault=name, at=number), depth)
        return self.found

    def bulk_troubles(self, kinds: tuple[str, ...], *, depth: int = 0, one_in: int = 1) -> Found:
        """Let each kind of trouble strike at each bulk transfer (or `one_in` so many) of the run."""
        start = self._prepared()
        bench = self._restored(start)
        bench.run_to_the_end()
        assert isinstance(bench, BulkBench)
        for kind in kinds:
            shows = [number for number, place in enumerate(bench.trouble.places) if strikes(kind, place)]
            for number in shows[::one_in]:
                self._strike(start, Life(fault=kind, transfer=number), depth)
        return self.found

    def journals(self, what: str) -> Found:
        """After each death the journal is the one from before all work ("restored"), or "removed"."""
        start = self._prepared()
        self._lived(start, Life(), keep=True)
        for world in self._kept:
            self.found.faults += 1
            for path in world.folder.glob("journal.db*"):
                path.unlink()
            if what == "restored":
                shutil.copy(start.folder / "journal.db", world.folder)
            strangers_were(world.folder)
            self._lived(world, Life(journal=what), keep=False)
            shutil.rmtree(world.folder)
        return self.found

    def troubled_recoveries(self, names: tuple[str, ...]) -> Found:
        """After each death let each fault strike at each place of the recovery where it can."""
        self._lived(self._prepared(), Life(), keep=True)
        for world in self._kept:
            places = self._places(world)
            for name in names:
                for number in (n for n, place in enumerate(places) if FAULTS[name].shows_at(place)):
                    self.found.faults += 1
                    self._lived(world, Life(fault=name, at=number), keep=False)
        return self.found

    # ---- inside

    def _strike(self, start: Kept, life: Life, depth: int) -> None:
        self.found.faults += 1
        self._kept = []
        self._lived(start, life, keep=depth > 0)
        self._explore(self._kept, depth - 1)

    def _explore(self, worlds: list[Kept], depth: int) -> None:
        for _ in range(depth + 1):
            self._kept = []
            for world in worlds:
                self._lived(world, Life(), keep=depth > 0)
                if world.lives:
                    shutil.rmtree(world.folder)
            worlds, depth = self._kept, depth - 1
            if not worlds:
                return

    def _prepared(self) -> Kept:
        shutil.rmtree(self._live, ignore_errors=True)
        bench = self._case.prepared(self._live)
        folder = self._base / "start"
        durable.copy(self._live, folder)
        assert not (folder / "journal.db-wal").exists() or not (folder / "journal.db-wal").stat().st_size
        return Kept(folder=folder, now=bench.clock.now, lives=())

    def _places(self, start: Kept) -> list[str]:
        bench = self._restored(start)
        bench.tap = Stepping(bench, lambda _number, _place: None)
        bench.run_to_the_end()
        return bench.tap.passed

    def _restored(self, world: Kept) -> DrivenBench:
        durable.copy(world.folder, self._live)
        return self._case.opened(self._live, world.now + RESTART)

    def _lived(self, world: Kept, life: Life, *, keep: bool) -> None:
        """Let an agent live from `world` to the job's end; keep the worlds that its deaths would leave."""
        bench = self._restored(world)
        self.found.worlds += 1

        def watch(number: int, place: str) -> None:
            if not keep or number <= life.at:
                return  # before the fault nothing is new
            self.found.points += 1
            when, _, name = place.partition(" ")
            if number == life.at + 1 or when == "done" or (when == "after" and name in _CHANGING):
                died = Life(fault=life.fault, at=life.at, dies=number)
                unseen = world.unseen or changed_unseen(bench, life)
                self._keep(bench, (*world.lives, died), unseen=unseen)

        plan = Plan(case=self._case, lives=(*world.lives, life))
        bench.tap = Stepping(bench, watch)
        if life.journal == "removed":
            bench.accept(self._case.job, periods=MONTHS[self._case.months])  # its client asks again
        troubled = any(each.troubled for each in plan.lives)
        problem = outlived(bench, life, troubled=troubled, unseen=world.unseen)
        self.found.ends[f"{life.fault or 'none'}: {bench.job().state.value}"] += 1
        if problem:
            self.found.wrong.append((plan, problem))

    def _keep(self, bench: DrivenBench, lives: tuple[Life, ...], *, unseen: bool) -> None:
        digest = durable.digest(self._live)
        if digest not in self.found.distinct:
            self.found.distinct.add(digest)
            folder = self._base / digest
            durable.copy(self._live, folder)
            self._kept.append(Kept(folder=folder, now=bench.clock.now, lives=lives, unseen=unseen))
