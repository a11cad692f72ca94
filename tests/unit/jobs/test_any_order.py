"""Whatever happens in whatever order: once the world is well, every job has ended, every call was answered.

Each seed is one order of plugging, unplugging, failing, waiting, cancelling, draining and dying.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from taxagent.model.errors import (
    AnswerLost,
    BureauDown,
    DeviceAbsent,
    DeviceInUse,
    Interrupted,
    JournalFull,
)
from taxagent.model.events import JobEnded
from taxagent.model.job import JobKind, Outcome, Problem, WaitReason
from taxagent.procedures.work import Waiting, Work
from tests.builders.jobs import BASELINE, DEVICE_NO, SEAL, SHOP, House

HOUR = 3_600_000
SEEDS = range(120)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The log's pretty tracebacks would take most of the time."""
    with capture_logs():
        yield


class Chaos:
    """A house in which a random thing happens next."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.house = House()
        self.device = self.house.plug()
        self.answers: Counter[int] = Counter()
        self.asked = 0
        self.calm = False
        self.house.procedure.instead = self.procedure

    def procedure(self, work: Work) -> None:
        """Settle what is open, then fail in some way, or do the seal and end."""
        if work.job.open_steps:
            if not self.calm and self.random.random() < 0.5:
                raise AnswerLost("ANSWER_LOST")
            done = self.random.choice((Outcome.EXECUTED, Outcome.NOT_EXECUTED))
            work.ledger.end(SEAL, done, "reconciled")
        if not self.calm:
            self.trouble(work)
        if work.job.kind.irreversible and not work.job.done(SEAL):
            work.ledger.begin_irreversible(SEAL, BASELINE)
            work.ledger.end(SEAL, Outcome.EXECUTED)

    def trouble(self, work: Work) -> None:
        problem = Problem(fault="NOT_DECLARED", outcome=Outcome.NOT_EXECUTED)
        what: Any = self.random.choice(
            (
                None,
                Waiting(WaitReason.DECLARATION, problem),
                BureauDown("BUREAU_DOWN"),
                AnswerLost("ANSWER_LOST"),
                DeviceAbsent("DEVICE_ABSENT"),
                DeviceInUse("DEVICE_IN_USE"),
                Interrupted("DRAINING"),
                ZeroDivisionError,
            )
        )
        if what is ZeroDivisionError and work.job.kind.irreversible and not work.job.done(SEAL):
            work.ledger.begin_irreversible(SEAL, BASELINE)
            raise AnswerLost("ANSWER_LOST")
        if isinstance(what, Exception):
            raise what

    # ---- what may happen next

    def turn_loop(self) -> None:
        item = self.house.mailbox.take()
        if item is not None:
            item()

    def turn_office(self) -> None:
        if self.house.office:
            self.house.office.pop(0)()

    def turn_device(self) -> None:
        if self.house.source.queues:
            self.random.choice(self.house.source.queues).turn()

    def replug(self) -> None:
        plugged = self.house.source.plugged
        if not plugged:
            plugged[f"1-{self.random.randrange(1000)}"] = self.device
        else:
            plugged.clear()
        seen = self.house.source.seen()
        self.house.mailbox.post(lambda: self.house.roster.changed(seen))

    def fail_hold(self) -> None:
        errors = (None, None, DeviceInUse("DEVICE_IN_USE", location="x", holder="y"), ValueError())
        self.house.source.refuses = self.random.choice(errors)

    def fail_journal(self) -> None:
        self.house.journal.fails = self.random.choice((None, None, JournalFull("JOURNAL_FULL")))

    def time_passes(self) -> None:
        until = self.house.clock.now_ms + self.random.choice((10, 1_000, 60_000, 600_000))
        while (call := self.house.timers.due(until)) is not None:
            call()
        self.house.clock.now_ms = until

    def accept(self) -> None:
        kind = self.random.choice((JobKind.SETTLE, JobKind.CHECK))
        self.asked += 1
        number = self.asked
        key = f"key-{number:016d}"
        ask = self.house.ask(kind=kind, key=key, ttl_ms=HOUR)
        self.house.desk.accept(SHOP, ask, lambda answer: self.answers.update([number]))

    def prepare(self) -> None:
        self.asked += 1
        number = self.asked
        ask = self.house.ask(ttl_ms=HOUR)
        self.house.desk.prepare(SHOP, ask, lambda answer: self.answers.update([number]))

    def cancel(self) -> None:
        live = self.house.book.live()
        if live:
            self.asked += 1
            number = self.asked
            job_id = self.random.choice(live).job_id
            self.house.desk.cancel(SHOP, job_id, lambda answer: self.answers.update([number]))

    def run(self, steps: int) -> None:
        turns: tuple[Callable[[], None], ...] = (self.turn_loop, self.turn_device, self.turn_office)
        events: tuple[Callable[[], None], ...] = (
            self.replug,
            self.fail_hold,
            self.fail_journal,
            self.time_passes,
            self.accept,
            self.prepare,
            self.cancel,
        )
        for _ in range(steps):
            self.random.choice(turns)()
            if self.random.random() < 0.3:
                self.random.choice(events)()

    def heal(self) -> None:
        """Make the world well, and give it time."""
        self.calm = True
        self.house.source.refuses = self.house.journal.fails = None
        if not self.house.source.plugged:
            self.replug()
        self.house.pass_time(2 * HOUR)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_job_ends_once_and_every_call_is_answered_once(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run(300)
    chaos.heal()
    house = chaos.house
    assert [job.state for job in house.journal.jobs_by_id.values() if not job.state.ended] == []
    ended = Counter(row.job_id for row in house.journal.rows if isinstance(row, JobEnded))
    assert set(ended.values()) <= {1}
    assert set(ended) == set(house.journal.jobs_by_id)
    assert chaos.answers == Counter(range(1, chaos.asked + 1))
    view = house.roster.view(DEVICE_NO)
    assert view is not None
    assert (view.location, view.problem) == (next(iter(house.source.plugged)), None)
    assert [live.job_id for live in house.book.live()] == []


@pytest.mark.parametrize("seed", SEEDS[:40])
def test_every_job_of_an_agent_that_died_ends_after_the_next_start(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run(200)
    house = chaos.house
    house.journal.fails = None
    house.restart()
    house.bus_changed()
    chaos.heal()
    assert [job.state for job in house.journal.jobs_by_id.values() if not job.state.ended] == []
