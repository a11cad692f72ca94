"""The agent's own parts put together as parts.py and daemon.py do, over a town's ports: no socket.

It lives until `killed`; nothing of it does anything afterwards.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from taxagent.jobs.book import Book
from taxagent.jobs.challenges import Challenges
from taxagent.jobs.desk import JobDesk
from taxagent.jobs.latch import JournalLatch
from taxagent.jobs.looks import Looks
from taxagent.jobs.office import Consent, Office
from taxagent.jobs.queue import DeviceQueue, Terms
from taxagent.jobs.roster import Roster
from taxagent.jobs.runner import Patience, Runner, Tools
from taxagent.jobs.schedule import Schedule
from taxagent.jobs.wheels import Wheels
from taxagent.journal import JOURNAL_NAME, JournalWriter, Reader
from taxagent.model.errors import Interrupted, JournalError
from taxagent.model.events import AgentStarted, AnyEvent, JobUnknown
from taxagent.model.job import Job, JobKind, JobState, Outcome, Problem
from taxagent.model.windows import Rules
from taxagent.ports import Bureau, Clock, DeviceSource, JournalTx, Secrets
from taxagent.procedures.preflight import window_end_ms
from taxagent.records.clearing import clearing_record, encoded
from tests.builders.tap import Tap, TappedArchives, TappedJournal
from tests.crash.baton import Actor
from tests.crash.town_ports import TownTap

T = TypeVar("T")


class Ground(Protocol):
    """What an agent stands on in a town."""

    folder: Path
    tap: TownTap

    @property
    def clock(self) -> Clock: ...
    @property
    def source(self) -> DeviceSource: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def bureau(self) -> Bureau: ...


class Timers:
    """The loop's timers, by monotonic time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def call_later(self, delay_ms: int, call: Callable[[], None], /) -> object:
        self._count += 1
        heapq.heappush(self._heap, (self._now() + delay_ms, self._count, call))
        return None

    def due(self) -> Callable[[], None] | None:
        """Return the next call whose time has come."""
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= self._now() else None

    def next_ms(self) -> int | None:
        """Return in how many ms the next is due."""
        return max(0, self._heap[0][0] - self._now()) if self._heap else None

    def _now(self) -> int:
        return round(self._clock.monotonic() * 1000)


class Mailbox:
    """ports.Mailbox."""

    def __init__(self) -> None:
        self.items: deque[Callable[[], None]] = deque()

    def post(self, item: Callable[[], None]) -> None:
        self.items.append(item)


class LaterJournal(TappedJournal):
    """What is not waited for is handed to the writer when the town says so."""

    def __init__(self, writer: JournalWriter, tap: Tap) -> None:
        super().__init__(writer, tap)
        self.later: deque[tuple[Callable[[JournalTx], Any], Callable[[Any], None]]] = deque()

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        self.later.append((work, done))

    def commit_one(self) -> None:
        """Carry out the oldest unit that nobody waits for."""
        work, done = self.later.popleft()
        try:
            answer: Any = self.transact(work)
        except Exception as error:  # noqa: BLE001 - as the writer: what a unit raises is its answer
            answer = error
        done(answer)


class _TurnedQueue(DeviceQueue):
    """A device's queue whose thread is an actor of the town."""

    made: list[_TurnedQueue] = []

    def start(self) -> None:
        self.made.append(self)


class Agent:
    """One process's worth of agent."""

    def __init__(self, ground: Ground, boot: str, on_fatal: Callable[[Exception], None]) -> None:
        self.ground = ground
        self.boot = boot
        self.dead = False
        self.fatal = False
        self.mailbox = Mailbox()
        self.timers = Timers(ground.clock)
        self._office_calls: deque[Callable[[], None]] = deque()
        self._on_fatal = on_fatal
        path = ground.folder / JOURNAL_NAME
        self.writer = JournalWriter(
            path, sink=self._committed, on_fatal=on_fatal, free_bytes=ground.tap.free_bytes
        )
        self.writer.start()
        self.reader = Reader(path)
        self.journal = LaterJournal(self.writer, ground.tap)
        self.book = Book(self.reader.jobs(live=True, limit=1000))
        self._queues: list[_TurnedQueue] = []
        _TurnedQueue.made = self._queues
        self._build()
        self.office = Actor("office", self._office_turn, lambda: bool(self._office_calls))
        self.actors: dict[int, Actor] = {}
        self._office_calls.append(self._started)

    def devices(self) -> list[Actor]:
        """Return an actor for each device's queue."""
        for number, queue in enumerate(self._queues):
            if number not in self.actors:
                self.actors[number] = Actor(
                    f"device {queue.location}",
                    queue.turn,
                    lambda queue=queue: not queue._work.empty(),  # type: ignore[misc]  # noqa: SLF001
                )
        return list(self.actors.values())

    def everyone(self) -> list[Actor]:
        """Return every actor of the agent."""
        return [self.office, *self.devices()]

    def end(self) -> None:
        """Abandon it all: its threads end, nothing of it reaches anything durable any more."""
        self.dead = True
        for actor in self.everyone():
            actor.kill()
        self.writer.close()
        self.reader.close()

    # ---- the loop's thread

    def bus_changed(self) -> None:
        """The watch saw something."""
        seen = self.ground.source.seen()
        self.mailbox.post(lambda: self.roster.changed(seen))

    def _committed(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        kept = tuple(rows)
        for _, event in kept:
            self._challenges.committed(event)
        if not self.dead:
            self.mailbox.post(lambda: self._take(kept))

    def _take(self, rows: tuple[tuple[int, AnyEvent], ...]) -> None:
        moved = {job.job_id: job for _, event in rows if (job := self.book.take(event)) is not None}
        for number in {number: None for _, event in rows if (number := self.roster.standings.take(event))}:
            self.roster.stands(number)
        for job in moved.values():
            self.schedule.moved(job)
            if job.state.ended or job.state is JobState.WAITING:
                self._renew(job)

    def _renew(self, job: Job) -> None:
        view = self.roster.view(job.scope.device_no)
        wrote_ms = max((run.ended_ms or 0 for run in job.steps if run.wrote), default=0)
        if (
            view is None
            or not view.location
            or (view.as_of_ms > wrote_ms and (wrote_ms or not job.state.ended))
        ):
            return
        if job.after is not None:
            self.roster.took(view.location, job.after.state)
        else:
            self.roster.renew(view.location)

    def _identified(self, number: str) -> None:
        self.schedule.arrived(number)

    def _ready(self) -> None:
        self.roster.start()
        self.schedule.recover()
        self.desk.verified()

    # ---- the office's thread

    def _office_turn(self) -> None:
        with suppress(JournalError, Interrupted):
            self._office_calls.popleft()()

    def _started(self) -> None:
        """A start that fails ends the process; the next one may fare better."""
        try:
            self._begin()
        except JournalError as error:
            self._on_fatal(error)

    def _begin(self) -> None:
        clock = self.ground.clock
        self.reader.verify()
        self.journal.append(
            AgentStarted(boot=self.boot, version="0", pid=1, simulated=False, at_ms=clock.utc_ms())
        )
        for job in self.book.live():
            if job.open_steps and job.state is JobState.RUNNING:
                lost = Problem(
                    fault="ANSWER_LOST",
                    outcome=Outcome.UNKNOWN,
                    detail={"step": str(job.open_steps[0].id)},
                )
                self.journal.append(JobUnknown(job_id=job.job_id, problem=lost, at_ms=clock.utc_ms()))
        rows = self.reader.of_no_job()
        self.mailbox.post(lambda: self.roster.standings.read(rows))
        self.mailbox.post(self._ready)
        self.bus_changed()

    # ---- building

    def _build(self) -> None:
        ground, clock = self.ground, self.ground.clock
        latch = JournalLatch(self.journal, self.reader, clock, after_crash=self.reader.crashed())
        rules, challenges = Rules(), Challenges()
        self._challenges = challenges
        wheels = Wheels(
            clock=clock, timers=self.timers, mailbox=self.mailbox, background=self._office_calls.append
        )
        self.roster = type("TownRoster", (Roster,), {"queue_class": _TurnedQueue})(
            ground.source,
            Looks(ground.secrets, latch, simulation=False),
            wheels,
            self.journal,
            identified=self._identified,
            terms=Terms(monotonic=clock.monotonic),
        )
        tools = Tools(
            journal=self.journal,
            bureau=ground.bureau,
            clock=clock,
            secrets=ground.secrets,
            latch=latch,
            archives=TappedArchives(ground.folder / "backups", ground.tap),
            rules=rules,
            patience=Patience(),
            record=self._record,
            boot=self.boot,
            simulation=False,
            check_stop=self._check_stop,
            challenges=challenges,
            window_end_ms=lambda job: window_end_ms(job, clock.local(), rules),
        )
        self.schedule = Schedule(self.book, Runner(tools), self.roster, wheels)
        self.desk = JobDesk(
            Office(
                book=self.book,
                roster=self.roster,
                journal=self.journal,
                clock=clock,
                mailbox=self.mailbox,
                secrets=ground.secrets,
                latch=latch,
                rules=rules,
                consent=Consent(kinds=frozenset(JobKind), principals=frozenset({"auto"})),
                record=self._record,
                boot=self.boot,
                version="0",
                simulation=False,
                challenges=challenges,
                stop=lambda _principal, _key: None,
            )
        )

    def _check_stop(self) -> None:
        if self.fatal:
            raise Interrupted("DRAINING")

    def _record(self, job: Job, state: JobState, outcome: Outcome, problem: Problem | None) -> bytes:
        clock = self.ground.clock
        record = clearing_record(
            job, state, outcome, problem, ended_ms=clock.utc_ms(), sim_ms=None, version="0"
        )
        return encoded(record)
