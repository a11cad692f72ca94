"""A loop in a thread with a desk and a journal made of dictionaries, and clients to talk to it."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq

from taxagent.ipc.access import Access, AccessTable
from taxagent.ipc.gate import Rate
from taxagent.ipc.loop import Loop, LoopSettings
from taxagent.ipc.mailbox import Mailbox
from taxagent.ipc.readings import Answers
from taxagent.ipc.tcp import TcpDoor, TcpSettings
from taxagent.jobs.asks import (
    Accepted,
    Answer,
    Ask,
    DeskStatus,
    DeviceDetails,
    DeviceOrder,
    DeviceView,
    Drained,
    FoundInvoice,
    InvoiceAsk,
    Ordered,
    Picture,
    Prepared,
    Principal,
    Role,
)
from taxagent.model.checks import made
from taxagent.model.device import TriedPassword
from taxagent.model.errors import AgentError, Refusal
from taxagent.model.events import AnyEvent, AnyJobEvent, ChallengeAnswered
from taxagent.model.evidence import RecordProof
from taxagent.model.job import Confirmed, Job, JobState, Problem, Scope
from taxagent.model.period import period
from taxagent.model.standing import Standing
from taxagent.ports import JournalTx
from taxclient.protocol import messages as m
from taxclient.protocol import wire

T = TypeVar("T")
DEVICE = "661234567890"
TAXPAYER = "91440300123456789A"
KEY = "key-of-sixteen-chars"


class FakeClock:
    """ports.Clock: UTC stands where it is put; monotonic is real, since a socket waits in it."""

    def __init__(self) -> None:
        self.now_ms = time.time_ns() // 1_000_000

    def utc_ms(self) -> int:
        return self.now_ms

    def sim_ms(self) -> int | None:
        return None

    def local(self) -> dt.datetime:
        return dt.datetime(2026, 11, 3, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))

    def monotonic(self) -> float:
        return time.monotonic()


def job(number: int = 1, **changes: object) -> Job:
    """A job that was just accepted."""
    plain = Job(
        job_id=f"{number:026d}",
        kind="settle",  # type: ignore[arg-type]
        scope=Scope(device_no=DEVICE, taxpayer_id=TAXPAYER, types=("007",), periods=(period("2026-10"),)),
        principal="uid:0",
        key=KEY,
        ref="",
        accepted_ms=1_795_000_000_000,
        state=JobState.ACCEPTED,
    )
    return msgspec.structs.replace(msgspec.convert(msgspec.to_builtins(plain), Job), **changes)


def device_view(**changes: object) -> DeviceView:
    """A device that was never opened."""
    plain = DeviceView(
        device_no=DEVICE,
        location="1-1",
        kind="control_disk",
        simulated=True,
        taxpayer_id=TAXPAYER,
        taxpayer_name="测试商店",
        terminal_no=0,
        held_by="",
        held_since_ms=0,
        as_of_ms=1_795_000_000_000,
        stale=False,
        state=None,
        types=(),
        problem=None,
    )
    return msgspec.structs.replace(plain, **changes)


class FakeDesk:
    """asks.Desk in memory. `hold` keeps answers back until `answer_held`."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.asked: list[tuple[Principal, Ask]] = []
        self.answers: list[tuple[str, Answer]] = []
        self.pictures: dict[str, Picture] = {}
        self.drained: list[tuple[str, str]] = []  # (principal, key)
        self.ordered: list[tuple[str, DeviceOrder]] = []
        self.standings: dict[str, Standing] = {}
        self.known: bool | None = False  # whether keys that make no job are
        self.refusal: AgentError | None = None
        self.explode = False
        self.prepared = 0  # how often
        self.warnings: tuple[Problem, ...] = ()
        self.consequences: tuple[str, ...] = ("SEAL:007:2026-10",)
        self.hold = False
        self.held: list[Callable[[], None]] = []
        self.devices: tuple[DeviceView, ...] = (device_view(),)
        self.invoices: dict[str, FoundInvoice] = {}  # what each device has

    def status(self) -> DeskStatus:
        return DeskStatus(
            boot="boot-1",
            version="0.1.0",
            started_ms=1,
            simulated=True,
            verifying=False,
            draining=False,
            devices=self.devices,
            seen=(),
            live_jobs=tuple(job for job in self.jobs.values() if not job.state.ended),
        )

    def accept(self, principal: Principal, ask: Ask, done: Callable[[Accepted | AgentError], None]) -> None:
        if self.explode:
            raise ZeroDivisionError("a secret that must not leave")
        self.asked.append((principal, ask))
        if self.hold:
            self.held.append(lambda: done(self._accepted(principal, ask)))
        else:
            done(self.refusal or self._accepted(principal, ask))

    def _accepted(self, principal: Principal, ask: Ask) -> Accepted | AgentError:
        for known in self.jobs.values():
            if (known.principal, known.key) == (principal.name, ask.key):
                return Accepted(job=known, known=True)
        made = job(len(self.jobs) + 1, principal=principal.name, key=ask.key, kind=ask.kind, ref=ask.ref)
        self.jobs[made.job_id] = made
        return Accepted(job=made, known=False)

    def prepare(self, principal: Principal, ask: Ask, done: Callable[[Prepared | AgentError], None]) -> None:
        self.prepared += 1
        if self.refusal:
            done(self.refusal)
            return
        done(
            Prepared(
                token="token-1",
                expires_ms=1_795_000_600_000,
                kind=ask.kind,
                scope=job().scope,
                device=device_view(),
                totals=(),
                confirmed=Confirmed(types=(), by=principal.name, how="token", at_ms=1),
                consequences=self.consequences,
                warnings=self.warnings,
            )
        )

    def invoice(self, ask: InvoiceAsk, done: Callable[[FoundInvoice | AgentError], None]) -> None:
        answer = self.invoices.get(ask.device_no) or Refusal("INVOICE_UNKNOWN", device_no=ask.device_no)
        if self.hold:
            self.held.append(lambda: done(answer))
        else:
            done(answer)

    def cancel(self, principal: Principal, job_id: str, done: Callable[[Job | AgentError], None]) -> None:
        found = self.jobs.get(job_id)
        if found is None:
            done(Refusal("JOB_UNKNOWN", job_id=job_id))
            return
        self.jobs[job_id] = msgspec.structs.replace(found, cancel_requested=True)
        done(self.jobs[job_id])

    def resume(self, principal: Principal, job_id: str, done: Callable[[Job | AgentError], None]) -> None:
        done(self.jobs.get(job_id) or Refusal("JOB_UNKNOWN", job_id=job_id))

    def close(
        self, principal: Principal, job_id: str, reason: str, done: Callable[[Job | AgentError], None]
    ) -> None:
        done(self.jobs.get(job_id) or Refusal("JOB_UNKNOWN", job_id=job_id, what=reason))

    def answer(self, principal: Principal, answer: Answer, done: Callable[[Job | AgentError], None]) -> None:
        self.answers.append((principal.name, answer))
        told = self.jobs.get(answer.job_id) or Refusal("JOB_UNKNOWN", job_id=answer.job_id)
        if self.hold:
            self.held.append(lambda: done(told))
        else:
            done(told)

    def picture(self, job: Job) -> Picture | None:
        return self.pictures.get(job.job_id)

    def device(self, device_no: str) -> DeviceDetails:
        for view in self.status().devices:
            if view.device_no == device_no:
                standing = self.standings.get(device_no) or Standing(device_no=device_no)
                return DeviceDetails(view=view, standing=standing, thing=None, live_jobs=())
        raise Refusal("DEVICE_UNKNOWN", device_no=device_no)

    def order(
        self, principal: Principal, order: DeviceOrder, done: Callable[[Ordered | AgentError], None]
    ) -> None:
        self.ordered.append((principal.name, order))
        done(self.refusal or Ordered(details=self.device(order.device_no), known=False))

    def knows_order(self, principal: str, key: str) -> bool | None:
        return self.known

    def knows_drain(self, principal: str, boot: str, key: str) -> bool | None:
        return self.known

    def drain(
        self, principal: Principal, boot: str, key: str, done: Callable[[Drained | AgentError], None]
    ) -> None:
        if boot != "boot-1":
            done(Refusal("BOOT_OVER", expected=boot, found="boot-1"))
            return
        self.drained.append((principal.name, key))
        running = tuple(job for job in self.jobs.values() if job.state is JobState.RUNNING)
        done(Drained(running=running, left=len(self.jobs) - len(running)))

    def live(self, job_id: str) -> Job | None:
        return self.jobs.get(job_id)


class FakeReader:
    """ports.JournalReader over dictionaries."""

    def __init__(self) -> None:
        self.kept: dict[str, Job] = {}
        self.records: dict[str, bytes] = {}
        self.rows: list[tuple[int, AnyEvent]] = []

    def job(self, job_id: str) -> Job | None:
        return self.kept.get(job_id)

    def job_by_key(self, principal: str, key: str) -> Job | None:
        return next((j for j in self.kept.values() if (j.principal, j.key) == (principal, key)), None)

    def answer_by_key(self, principal: str, key: str) -> ChallengeAnswered | None:
        answers = (row for _, row in self.rows if isinstance(row, ChallengeAnswered))
        return next((row for row in answers if (row.principal, row.key) == (principal, key)), None)

    def jobs(
        self, *, device_no: str = "", live: bool = False, before: str = "", limit: int = 100
    ) -> Sequence[Job]:
        found = [self.kept[i] for i in sorted(self.kept, reverse=True) if not before or i < before]
        return [j for j in found if not (live and j.state.ended)][:limit]

    def record(self, job_id: str) -> bytes | None:
        return self.records.get(job_id)

    def events(self, since: int, limit: int) -> Sequence[tuple[int, AnyEvent]]:
        return [row for row in self.rows if row[0] > since][:limit]

    def job_events(self, job_id: str) -> Sequence[tuple[int, AnyJobEvent]]:
        return []

    def verify_job(self, job_id: str) -> tuple[int, int]:
        return (0, self.last_seq())

    def of_no_job(self) -> Sequence[AnyEvent]:
        return []

    def passwords(self, device_no: str) -> Sequence[TriedPassword]:
        return []

    def last_seq(self) -> int:
        return self.rows[-1][0] if self.rows else 0


def explain(args: m.WindowArgs, status: DeskStatus, lang: str, role: Role) -> m.WindowResult:
    """No findings, no rows; the moment as it was asked for."""
    return m.WindowResult(year=args.year, deadlines=(), findings=(), at=args.at or "2026-11-03T09:30:00")


def diagnose(args: m.DiagnoseArgs, status: DeskStatus, lang: str) -> m.DiagnoseResult:
    """No answers."""
    return m.DiagnoseResult(answers=())


class QuickJournal:
    """ports.Journal, as far as the door writes it: every unit is durable at once."""

    def __init__(self, told: Callable[[list[tuple[int, AnyEvent]]], None]) -> None:
        self._told = told
        self.rows: list[tuple[int, AnyEvent]] = []

    def append(self, *events: AnyEvent) -> int:
        self.rows.extend((len(self.rows) + 1 + n, event) for n, event in enumerate(events))
        return len(self.rows)

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        raise NotImplementedError

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        before = len(self.rows)
        result = work(self)  # type: ignore[arg-type]
        self._told(self.rows[before:])
        done(result)


class House:
    """A running loop and what it stands on."""

    def __init__(
        self,
        folder: Path,
        access: Access | None = None,
        rate: Rate | None = None,
        tcp: TcpSettings | None = None,
    ) -> None:
        self.endpoint = f"ipc://{folder}/agent.sock"
        self.clock = FakeClock()
        self.desk = FakeDesk()
        self.reader = FakeReader()
        self.mailbox = Mailbox()
        self.proofs: dict[str, RecordProof] = {}  # what is found of each record
        self.tcp = self._door(tcp) if tcp is not None else None
        self.loop = Loop(
            LoopSettings(
                endpoint=self.endpoint, boot="boot-1", version="0.1.0", language="en", rate=rate or Rate()
            ),
            access=access or Access(AccessTable()),
            mailbox=self.mailbox,
            desk=self.desk,
            reader=self.reader,
            clock=self.clock,
            answers=Answers(
                explain=explain,
                diagnose=diagnose,
                examine=lambda status: (made("clock", "CLOCK_OK", now="2026-11-03 09:30:00"),),
                contact="0531-12345678",
                page=lambda record, lang: f"{lang} {len(record)}",
                verify=self.proofs.get,
            ),
            tcp=self.tcp,
        )
        self.thread = threading.Thread(target=self.loop.run)

    def _door(self, settings: TcpSettings) -> TcpDoor:
        """A door whose rows are durable at once, and told to the loop as the daemon does."""

        def done(rows: list[tuple[int, AnyEvent]]) -> None:
            self.mailbox.post(lambda: self.loop.publish(rows))

        journal = QuickJournal(done)
        return TcpDoor(
            settings, self.mailbox.context, journal=journal, clock=self.clock, mailbox=self.mailbox
        )

    def inside(self, work: Callable[[], None]) -> None:
        """Do `work` in the loop's thread, and wait for it."""
        done = threading.Event()
        self.mailbox.post(lambda: (work(), done.set())[0])  # type: ignore[func-returns-value]
        assert done.wait(5)


@contextmanager
def house(
    folder: Path,
    access: Access | None = None,
    rate: Rate | None = None,
    jobs: Iterable[Job] = (),
    tcp: TcpSettings | None = None,
) -> Iterator[House]:
    """A loop that serves in a thread, and knows `jobs` from its first answer on."""
    made = House(folder, access, rate, tcp)
    made.desk.jobs.update((each.job_id, each) for each in jobs)
    made.loop.bind()
    made.thread.start()
    try:
        yield made
    finally:
        made.mailbox.post(made.loop.stop)
        made.thread.join(10)
        assert not made.thread.is_alive()
        made.mailbox.close()


@contextmanager
def peer(endpoint: str, kind: int = zmq.DEALER) -> Iterator[zmq.Socket[bytes]]:
    """A raw socket at the endpoint, with time limits."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDTIMEO, 5000)
    socket.setsockopt(zmq.RCVTIMEO, 5000)
    socket.connect(endpoint)
    try:
        yield socket
    finally:
        context.destroy(linger=0)


def reply_of(frames: Sequence[bytes]) -> m.Reply:
    """The reply in the frames, delimiter or not."""
    return msgspec.msgpack.decode(wire.split(frames), type=m.Reply)


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
