"""The jobs' world without sockets, disk or USB; a test turns its timers, its mailbox and its queues."""

from __future__ import annotations

import datetime as dt
import heapq
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import msgspec

from taxagent.jobs.asks import Ask, Principal, Role
from taxagent.jobs.book import Book
from taxagent.jobs.challenges import Challenges
from taxagent.jobs.desk import JobDesk
from taxagent.jobs.looks import Looks
from taxagent.jobs.office import Consent, Office
from taxagent.jobs.queue import DeviceQueue, Terms
from taxagent.jobs.roster import Roster
from taxagent.jobs.runner import Patience, Runner, Tools
from taxagent.jobs.schedule import Schedule
from taxagent.jobs.wheels import Wheels
from taxagent.model.bureau import Receipt
from taxagent.model.device import (
    DeviceInfo,
    DeviceKind,
    Hello,
    MonitorData,
    Statistics,
    Stock,
    StockRange,
    TriedPassword,
)
from taxagent.model.errors import (
    AgentError,
    BureauDown,
    ClaimTaken,
    DeviceAbsent,
    DeviceInUse,
    DeviceRefused,
    Interrupted,
    KeyTaken,
    PasswordRefused,
    Refusal,
    TokenSpent,
)
from taxagent.model.events import (
    AnyEvent,
    ChallengeAnswered,
    JobAccepted,
    JobEvent,
    TokenIssued,
    accepted,
    applied,
)
from taxagent.model.job import Baseline, Job, JobKind, JobState, Outcome, Problem, Step, StepId
from taxagent.model.period import Period
from taxagent.model.simtime import SHANGHAI
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.model.windows import Rules
from taxagent.ports import Bureau, Device, DeviceSource, JournalTx, MayGoOn
from taxagent.procedures.work import Archives, Work
from tests.builders.model import monitor, statistics, synthetic_taxpayer_id

T = TypeVar("T")
DEVICE_NO = "661234567890"
TAXPAYER = synthetic_taxpayer_id(1)
PASSWORD = "88888888"
START = dt.datetime(2026, 11, 3, 11, 30, tzinfo=SHANGHAI)
SHOP = Principal(name="shop", role=Role.OPERATOR)
LIMIT_S = 10.0


class FakeClock:
    """ports.Clock that stands where it is put."""

    def __init__(self) -> None:
        self.now_ms = round(START.timestamp() * 1000)
        self.sim: int | None = None

    def utc_ms(self) -> int:
        return self.now_ms

    def sim_ms(self) -> int | None:
        return self.sim

    def local(self) -> dt.datetime:
        return dt.datetime.fromtimestamp((self.sim or self.now_ms) / 1000, SHANGHAI)

    def monotonic(self) -> float:
        return self.now_ms / 1000


class FakeTimers:
    """The loop's timers; `pass_time` moves the clock and calls what falls due."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def call_later(self, delay_ms: int, call: Callable[[], None], /) -> object:
        self._count += 1
        heapq.heappush(self._heap, (self._clock.now_ms + delay_ms, self._count, call))
        return None

    def due(self, until_ms: int) -> Callable[[], None] | None:
        if not self._heap or self._heap[0][0] > until_ms:
            return None
        at_ms, _, call = heapq.heappop(self._heap)
        self._clock.now_ms = max(self._clock.now_ms, at_ms)
        return call

    def __len__(self) -> int:
        return len(self._heap)


class FakeMailbox:
    """ports.Mailbox: what other threads post is done when the test calls `empty`."""

    def __init__(self) -> None:
        self._items: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def post(self, item: Callable[[], None]) -> None:
        with self._lock:
            self._items.append(item)

    def take(self) -> Callable[[], None] | None:
        with self._lock:
            return self._items.pop(0) if self._items else None


class MemoryTx:
    """ports.JournalTx over the journal's dictionaries."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._of = journal

    def append(self, event: AnyEvent) -> int:
        of = self._of
        if isinstance(event, JobAccepted):
            self._claim(event)
            of.jobs_by_id[event.job_id] = accepted(event)
        elif isinstance(event, JobEvent):
            job = of.jobs_by_id.get(event.job_id)
            if job is None or job.state.ended:
                raise Refusal("JOB_ENDED" if job else "JOB_UNKNOWN", job_id=event.job_id)
            of.jobs_by_id[event.job_id] = applied(job, event)
        elif isinstance(event, TokenIssued):
            of.tokens[event.token_sha256] = event
        of.rows.append(event)
        return len(of.rows)

    def _claim(self, event: JobAccepted) -> None:
        of = self._of
        if event.key and (event.principal, event.key) in of.requests:
            raise KeyTaken(of.requests[event.principal, event.key][0])
        if event.token_sha256 and of.tokens.pop(event.token_sha256, None) is None:
            raise TokenSpent
        for group, month in event.claims:
            holder = self.claimed_by(event.scope.device_no, group, month)
            if holder is not None:
                raise ClaimTaken(holder, group=group, period=month)
            of.claims[event.scope.device_no, group, month] = event.job_id
        of.requests[event.principal, event.key] = (event.job_id, event.request_sha256)

    def job_by_key(self, principal: str, key: str) -> tuple[Job, str] | None:
        found = self._of.requests.get((principal, key))
        return (self._of.jobs_by_id[found[0]], found[1]) if found else None

    def answer_by_key(self, principal: str, key: str) -> ChallengeAnswered | None:
        answers = (row for row in self._of.rows if isinstance(row, ChallengeAnswered))
        return next((row for row in answers if (row.principal, row.key) == (principal, key)), None)

    def job(self, job_id: str) -> Job | None:
        return self._of.jobs_by_id.get(job_id)

    def token(self, token_sha256: str) -> TokenIssued | None:
        return self._of.tokens.get(token_sha256)

    def live_jobs(self, device_no: str) -> tuple[Job, ...]:
        jobs = (self._of.jobs_by_id[job_id] for job_id in sorted(self._of.jobs_by_id))
        return tuple(job for job in jobs if job.scope.device_no == device_no and not job.state.ended)

    def claimed_by(self, device_no: str, group: str, period: str) -> str | None:
        holder = self._of.claims.get((device_no, group, period))
        return holder if holder is not None and not self._of.jobs_by_id[holder].state.ended else None


class MemoryJournal:
    """ports.Journal at once and in memory. `fails` is raised by every unit while it is set."""

    def __init__(self) -> None:
        self.rows: list[AnyEvent] = []
        self.fails: AgentError | None = None
        self.sink: Callable[[list[AnyEvent]], None] = lambda rows: None
        self.jobs_by_id: dict[str, Job] = {}
        self.requests: dict[tuple[str, str], tuple[str, str]] = {}
        self.tokens: dict[str, TokenIssued] = {}
        self.claims: dict[tuple[str, str, str], str] = {}
        self._lock = threading.Lock()

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        with self._lock:
            if self.fails is not None:
                raise self.fails
            count = len(self.rows)
            result = work(MemoryTx(self))
            new = self.rows[count:]
            if new:
                self.sink(new)
        return result

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        try:
            answer: T | BaseException = self.transact(work)
        except Exception as error:  # noqa: BLE001 - as the writer: what a unit raises is its answer
            answer = error
        done(answer)

    def append(self, *events: AnyEvent) -> int:
        return self.transact(lambda tx: [tx.append(event) for event in events][-1])

    def job(self, job_id: str) -> Job:
        return self.jobs_by_id[job_id]


class MemoryLatch:
    """procedures.session.Latch in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], TriedPassword] = {}

    def tried(self, device_no: str) -> tuple[TriedPassword, ...]:
        return tuple(one for (number, _), one in self.kept.items() if number == device_no)

    def note(self, device_no: str, tried: TriedPassword) -> None:
        self.kept[device_no, tried.salted_sha256] = tried

    recall = note


class FakeDevice:
    """The reads of ports.Device; a test changes the fields. `fails` is raised by the clock's reading."""

    def __init__(self, device_no: str = DEVICE_NO, **changes: Any) -> None:
        self.device_no = device_no
        self.simulated = True
        self.kind = DeviceKind.CONTROL_DISK
        self.taxpayer_id = TAXPAYER
        self.password = PASSWORD
        self.tries_left = 5
        self.passwords_tried: list[str] = []
        self.monitors: tuple[MonitorData, ...] = (monitor(),)
        self.now = dt.datetime(2026, 11, 3, 11, 30)
        self.blanks: int | None = 500  # None: it knows no stock
        self.fails: Exception | None = None
        self.reads = 0
        self.session_open = False
        for name, value in changes.items():
            setattr(self, name, value)

    def claimed(self) -> None:
        """What the bus does before a hold is granted."""

    def hello(self) -> Hello:
        return Hello(
            device_no=self.device_no,
            kind=self.kind,
            simulated=self.simulated,
            firmware="1.0",
            tries_left=self.tries_left,
            session="00" * 8,
        )

    def open(self, password: str) -> None:
        self.passwords_tried.append(password)
        self.session_open = True
        if password != self.password:
            self.tries_left -= 1
            raise PasswordRefused(self.tries_left)

    def close(self) -> None:
        self.session_open = False

    def info(self) -> DeviceInfo:
        return DeviceInfo(
            device_no=self.device_no,
            taxpayer_id=self.taxpayer_id,
            taxpayer_name="某某商店",
            terminal_no=0,
            registered=True,
            certificate_from=dt.date(2025, 1, 1),
            certificate_to=dt.date(2030, 1, 1),
        )

    def clock(self) -> dt.datetime:
        self.reads += 1
        if self.fails is not None:
            raise self.fails
        return self.now

    def monitor(self) -> tuple[MonitorData, ...]:
        return self.monitors

    def stock(self, invoice_type: str) -> Stock:
        if self.blanks is None:
            raise DeviceRefused("NO_SUCH_DATA")
        numbers = StockRange(code="044002000111", number_from="00001000", count=self.blanks)
        return Stock(invoice_type=invoice_type, ranges=(numbers,) if self.blanks else ())

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        return statistics(invoice_type=invoice_type, date_from=day_from, date_to=day_to)


class FakeSource:
    """ports.DeviceSource: `plugged` by location. `refuses` is raised at a hold, `released` at its end."""

    def __init__(self) -> None:
        self.plugged: dict[str, FakeDevice] = {}
        self.refuses: Exception | None = None
        self.release_fails: Exception | None = None
        self.held: set[str] = set()
        self.boot = "boot-1"  # the machine's start; "" on a bus that cannot tell
        self.queues: list[HandQueue] = []  # made for its locations, by HandRoster

    def seen(self) -> tuple[SeenDevice, ...]:
        return tuple(
            SeenDevice(
                location=location,
                vendor_id=1,
                product_id=2,
                recognised=Recognised.PROFILE,
                name="device",
                arrival=f"{self.boot}:{location}" if self.boot else "",
            )
            for location in self.plugged
        )

    def trouble(self) -> Any:
        return None

    def watch(self, on_change: Callable[[], None]) -> Any:
        raise NotImplementedError

    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        if self.refuses is not None:
            raise self.refuses
        if location not in self.plugged:
            raise DeviceAbsent("DEVICE_ABSENT", location=location)
        device = self.plugged[location]
        device.claimed()
        if location in self.held:
            raise DeviceInUse("DEVICE_IN_USE", location=location, holder="taxagent")
        self.held.add(location)
        try:
            yield cast("Device", device)
        finally:
            self.held.discard(location)
        if self.release_fails is not None:
            raise self.release_fails


class HandQueue(DeviceQueue):
    """A device's queue without a thread: `turn` does the next piece of work in the test's own.

    While another thread of the test is in it, that is all there is: a device has one thread.
    """

    elsewhere = False

    def __init__(self, source: DeviceSource, location: str, *terms: Any, **hooks: Any) -> None:
        super().__init__(source, location, *terms, **hooks)
        cast("FakeSource", source).queues.append(self)

    def start(self) -> None:
        return

    def turn(self, *, block: bool = False) -> bool:
        return not self.elsewhere and super().turn(block=block)

    def join(self, timeout_s: float) -> bool:
        return True


class HandRoster(Roster):
    """A roster whose queues are turned by hand."""

    queue_class = HandQueue


class Scripted:
    """A procedure: each run does the next thing of the script; an exception is raised, a call is called."""

    def __init__(self) -> None:
        self.script: list[Exception | Callable[[Work], None] | None] = []
        self.runs: list[str] = []
        self.instead: Callable[[Work], None] | None = None  # does all runs, where it is set

    def __call__(self, work: Work) -> None:
        self.runs.append(work.job.job_id)
        if self.instead is not None:
            self.instead(work)
            return
        deed = self.script.pop(0) if self.script else None
        if isinstance(deed, Exception):
            raise deed
        if deed is not None:
            deed(work)


def bare_record(job: Job, state: JobState, outcome: Outcome, problem: Problem | None) -> bytes:
    """A recorder that keeps only how the job ended."""
    return msgspec.json.encode({"job_id": job.job_id, "state": state, "outcome": outcome})


class Passwords(dict[str, str]):
    """ports.Secrets as a dictionary."""

    def given(self, name: str) -> str:
        return ""


class Answering:
    """The bureau as far as it takes answers: each is heard, and met with what is next in `says`, if any.

    Asked for a report it tells `report`, or raises it.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.says: list[AgentError] = []
        self.report: Receipt | AgentError | None = BureauDown("BUREAU_DOWN")

    def get_report(self, device_no: str, group: str, period: Period) -> Receipt | None:
        if isinstance(self.report, AgentError):
            raise self.report
        return self.report

    def answer_challenge(self, challenge_id: str, answer: str) -> None:
        self.heard.append((challenge_id, answer))
        if self.says:
            raise self.says.pop(0)


class House:
    """The jobs' parts put together as the daemon does, with a test turning every wheel."""

    def __init__(self, *, consent: bool = True, simulation: bool = False, keep: bool = False) -> None:
        self.clock = FakeClock()
        self.terms = Terms(keep=keep, monotonic=self.clock.monotonic)
        self.timers = FakeTimers(self.clock)
        self.mailbox = FakeMailbox()
        self.journal = MemoryJournal()
        self.source = FakeSource()
        self.secrets = Passwords({f"device-{DEVICE_NO}": PASSWORD})
        self.latch = MemoryLatch()
        self.procedure = Scripted()
        self.office: list[Callable[[], None]] = []
        self.window_end_ms: int | None = None
        self.stopping = False
        self.stopped_by: list[tuple[str, str]] = []
        self.answering = Answering()
        self.identified: list[str] = []  # what the roster told, in order
        self.simulation = simulation
        self.consent = Consent(
            kinds=frozenset(JobKind) if consent else frozenset(), principals=frozenset({"shop"})
        )
        self.build(())

    def build(self, live: Iterable[Job]) -> None:
        """Build everything on the journal, as a start of the process does."""
        self.book = Book(live)
        self.challenges = Challenges()
        self.wheels = Wheels(
            clock=self.clock, timers=self.timers, mailbox=self.mailbox, background=self.office.append
        )
        self.roster = HandRoster(
            self.source,
            Looks(self.secrets, self.latch, simulation=self.simulation),
            self.wheels,
            self.journal,
            identified=self._identified,
            terms=self.terms,
        )
        self.roster.standings.read(row for row in self.journal.rows if not isinstance(row, JobEvent))
        self.runner = Runner(self._tools(), self.procedure)
        self.schedule = Schedule(self.book, self.runner, self.roster, self.wheels)
        self.desk = JobDesk(
            Office(
                book=self.book,
                roster=self.roster,
                journal=self.journal,
                clock=self.clock,
                mailbox=self.mailbox,
                secrets=self.secrets,
                latch=self.latch,
                rules=Rules(),
                consent=self.consent,
                record=bare_record,
                boot="boot-1",
                version="0.1.0",
                simulation=self.simulation,
                challenges=self.challenges,
                stop=self._stop,
            )
        )
        self.journal.sink = self._committed
        self.roster.start()
        self.desk.verified()

    def _stop(self, principal: str, key: str) -> None:
        """What the daemon does on the word of an admin."""
        self.stopped_by.append((principal, key))
        self.desk.draining = self.stopping = True

    def restart(self) -> None:
        """The process died; another begins on the same journal."""
        self.timers = FakeTimers(self.clock)
        self.mailbox = FakeMailbox()
        self.source.queues[:], self.office[:] = [], []
        self.source.held.clear()
        self.build([job for job in self.journal.jobs_by_id.values() if not job.state.ended])
        self.schedule.recover()
        self.settle()

    def plug(self, location: str = "1-1", device: FakeDevice | None = None) -> FakeDevice:
        """Plug a device in and let it be identified."""
        device = device or FakeDevice()
        self.source.plugged[location] = device
        self.bus_changed()
        return device

    def unplug(self, location: str = "1-1") -> None:
        """Take the device at `location` out."""
        del self.source.plugged[location]
        self.bus_changed()

    def bus_changed(self) -> None:
        seen = self.source.seen()
        self.mailbox.post(lambda: self.roster.changed(seen))
        self.settle()

    def settle(self) -> None:
        """Turn all wheels until nothing moves; no time passes."""
        while self._turn():
            pass

    def loop(self) -> None:
        """Turn the loop alone: no device works, no office."""
        while (item := self.mailbox.take()) is not None:
            item()

    def pass_time(self, ms: int) -> None:
        """Let `ms` pass, with all that falls due in it."""
        until = self.clock.now_ms + ms
        self.settle()
        while (call := self.timers.due(until)) is not None:
            call()
            self.settle()
        self.clock.now_ms = until

    def accept(self, **changes: Any) -> Any:
        """Ask for a job and return the answer."""
        answers: list[Any] = []
        self.desk.accept(SHOP, self.ask(**changes), answers.append)
        self.settle()
        assert len(answers) == 1
        return answers[0]

    def accepted(self, **changes: Any) -> str:
        """Ask for a job that is accepted; return its id."""
        answer = self.accept(**changes)
        assert not isinstance(answer, AgentError), answer
        job_id: str = answer.job.job_id
        return job_id

    def ask(self, **changes: Any) -> Ask:
        """A request for a settle of what is due, sent now."""
        fields: dict[str, Any] = {
            "kind": JobKind.SETTLE,
            "device_no": DEVICE_NO,
            "key": "key-of-sixteen-chars",
            "request_sha256": "ab" * 32,
            "sent_at_ms": self.clock.now_ms,
            "ttl_ms": 10_000,
        }
        return Ask(**{**fields, **changes})

    def job(self, job_id: str) -> Job:
        return self.journal.job(job_id)

    def _turn(self) -> bool:
        item = self.mailbox.take()
        if item is not None:
            item()
            return True
        if self.office:
            self.office.pop(0)()
            return True
        return any(queue.turn() for queue in self.source.queues)

    def _identified(self, device_no: str) -> None:
        self.identified.append(device_no)
        self.schedule.arrived(device_no)

    def _committed(self, rows: list[AnyEvent]) -> None:
        for event in rows:
            self.challenges.committed(event)
        self.mailbox.post(lambda: self._take(rows))

    def _take(self, rows: list[AnyEvent]) -> None:
        moved = {job.job_id: job for event in rows if (job := self.book.take(event)) is not None}
        stood = {number for event in rows if (number := self.roster.standings.take(event))}
        for number in stood:
            self.roster.stands(number)
        for job in moved.values():
            self.schedule.moved(job)
            self.roster.waited_for(job)

    def _check_stop(self) -> None:
        if self.stopping:
            raise Interrupted("DRAINING")

    def _tools(self) -> Tools:
        return Tools(
            journal=self.journal,
            bureau=cast("Bureau", self.answering),
            clock=self.clock,
            secrets=self.secrets,
            latch=self.latch,
            archives=cast("Archives", None),
            rules=Rules(),
            patience=Patience(),
            record=bare_record,
            boot="boot-1",
            simulation=self.simulation,
            check_stop=self._check_stop,
            challenges=self.challenges,
            window_end_ms=lambda job: self.window_end_ms,
        )


def period(text: str = "2026-10") -> Period:
    """A period; October 2026 is what is due."""
    return Period(text)


SEAL = StepId(step=Step.SEAL, group="007", period="2026-10")
BASELINE = Baseline(
    last_report=dt.date(2026, 9, 30),
    invoicing_deadline=dt.date(2026, 11, 16),
    write_no=0,
    payload_sha256="ab" * 32,
)


def sealing(
    then: Exception | None = None, outcome: Outcome | None = Outcome.EXECUTED
) -> Callable[[Work], None]:
    """Begin the seal and end it as `outcome` (None: no end is known); then raise `then`."""

    def deed(work: Work) -> None:
        work.ledger.begin_irreversible(SEAL, BASELINE)
        if outcome is not None:
            work.ledger.end(SEAL, outcome)
        if then is not None:
            raise then

    return deed


def settled(work: Work) -> None:
    """Find by reading that the seal was done."""
    work.ledger.end(SEAL, Outcome.EXECUTED, "reconciled")
