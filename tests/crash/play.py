"""Plays one plan again, step by step, and tells what happens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from tests.builders.driven import DrivenBench
from tests.crash import durable
from tests.crash.plans import RESTART, Life, Plan, Stepping, changed_unseen, outlived


class Player:
    """Lives the lives of a plan one after the other; `say` is told each point that is passed."""

    def __init__(self, base: Path, plan: Plan, say: Callable[[str], None]) -> None:
        self._base = base
        self._plan = plan
        self._say = say
        self._live = base / "live"
        self._unseen = False

    def play(self) -> list[str]:
        """Return what the judge says at the end."""
        self._say(f"case: {self._plan.case}")
        bench = self._plan.case.prepared(self._live)
        now = bench.clock.now
        problem = ""
        for number, life in enumerate(self._plan.lives, 1):
            left = self._base / f"left-{number}"
            durable.copy(self._live, left)
            bench = self._plan.case.opened(self._live, now + RESTART)
            problem, now = self._lived(bench, number, life)
        job = bench.job()
        self._say(f"the job: {job.state.value}, {job.outcome.value}; {job.problem}")
        return [problem] if problem else []

    def _lived(self, bench: DrivenBench, number: int, life: Life) -> tuple[str, dt.datetime]:
        """Let one agent live; return what the judge says, and when it died or was done."""
        died = self._base / "died"
        self._say(
            f"agent {number}, {bench.clock.now}: {life.fault or 'no fault'} at {max(life.at, life.transfer)}"
        )
        ended: list[dt.datetime] = []

        def watch(point: int, place: str) -> None:
            self._say(f"  {point:4} {bench.clock.now:%H:%M:%S.%f} {place}")
            if point == life.dies:
                self._say("       dies")
                durable.copy(self._live, died)
                ended.append(bench.clock.now)

        bench.tap = Stepping(bench, watch)
        troubled = any(each.troubled for each in self._plan.lives)
        problem = outlived(bench, life, troubled=troubled, unseen=self._unseen)
        self._unseen = self._unseen or changed_unseen(bench, life)
        if not ended:
            return problem, bench.clock.now
        durable.copy(died, self._live)
        return "", ended[0]
