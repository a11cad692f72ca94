"""Events and journals for tests: every builder is complete, keywords change what a test is about."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from taxagent.journal import JOURNAL_NAME, JournalWriter, Reader
from taxagent.model.bureau import Ticket
from taxagent.model.checks import made
from taxagent.model.device import DeviceInfo, DeviceKind, DeviceState, Hello, PasswordVerdict, TriedPassword
from taxagent.model.events import (
    AgentReloaded,
    AgentStarted,
    AgentStopped,
    AnyEvent,
    BackupWritten,
    CancelRequested,
    ChallengeAnswered,
    CheckMade,
    ClientPaired,
    ClientRefused,
    ClientRevoked,
    ClientRoleChanged,
    DeviceFreed,
    DeviceHeld,
    DeviceHung,
    DeviceQuarantined,
    DeviceReleased,
    JobAccepted,
    JobEnded,
    JobNeedsHuman,
    JobResumed,
    JobRunning,
    JobUnknown,
    JobWaiting,
    PairingClosed,
    PairingOpened,
    PasswordTried,
    StateRead,
    StepBegun,
    StepEnded,
    TicketStored,
    TokenIssued,
)
from taxagent.model.job import (
    Backup,
    Baseline,
    Confirmed,
    JobKind,
    JobState,
    Outcome,
    Problem,
    Reading,
    Scope,
    Step,
    StepId,
    Wait,
    WaitReason,
)
from taxagent.model.period import Period
from tests.builders.model import monitor

AT_MS = 1_795_561_200_000
DEVICE_NO = "661000000001"
SEAL = StepId(step=Step.SEAL, group="007", period="2026-10")
ROOT = Path(__file__).parents[2]  # where a child process finds `tests`
LIMIT_S = 30.0  # no test waits longer for anything


def scope(device_no: str = DEVICE_NO) -> Scope:
    return Scope(
        device_no=device_no, taxpayer_id="91310000MA1FL00001", types=("007",), periods=(Period("2026-10"),)
    )


def accept(number: int = 1, **changes: Any) -> JobAccepted:
    """The accept of job `number`, which claims (007, 2026-10) of a device of its own."""
    fields: dict[str, Any] = {
        "at_ms": AT_MS + number,
        "job_id": job_id(number),
        "kind": JobKind.SETTLE,
        "scope": scope(f"{661_000_000_000 + number}"),
        "claims": (("007", "2026-10"),),
        "principal": "shop",
        "key": f"key-{number:016d}",
        "request_sha256": f"{number:064x}",
    }
    return JobAccepted(**{**fields, **changes})


def job_id(number: int = 1) -> str:
    return f"01JOB{number:021d}"


def started() -> AgentStarted:
    return AgentStarted(at_ms=AT_MS, boot="boot-1", version="0.1.0", pid=1, simulated=True)


def running(number: int = 1) -> JobRunning:
    return JobRunning(at_ms=AT_MS, job_id=job_id(number), boot="boot-1")


def waiting(number: int = 1) -> JobWaiting:
    wait = Wait(
        reason=WaitReason.DECLARATION, fault="NOT_DECLARED", since_ms=AT_MS, next_ms=None, until_ms=None
    )
    return JobWaiting(at_ms=AT_MS, job_id=job_id(number), wait=wait)


def begun(number: int = 1) -> StepBegun:
    baseline = Baseline(
        last_report=dt.date(2026, 9, 30),
        invoicing_deadline=dt.date(2026, 11, 16),
        write_no=4,
        payload_sha256="ab" * 32,
    )
    return StepBegun(at_ms=AT_MS, job_id=job_id(number), id=SEAL, baseline=baseline)


def ended_step(number: int = 1) -> StepEnded:
    return StepEnded(at_ms=AT_MS, job_id=job_id(number), id=SEAL, outcome=Outcome.EXECUTED)


def ended(number: int = 1) -> JobEnded:
    return JobEnded(
        at_ms=AT_MS,
        job_id=job_id(number),
        state=JobState.DONE,
        outcome=Outcome.EXECUTED,
        problem=None,
        record=msgspec.Raw(b'{"job_id":"%s"}' % job_id(number).encode()),
        record_sha256="cd" * 32,
    )


def token(sha256: str = "ef" * 32) -> TokenIssued:
    return TokenIssued(
        at_ms=AT_MS,
        token_sha256=sha256,
        principal="shop",
        kind=JobKind.SETTLE,
        scope=scope(),
        confirmed=Confirmed(types=(), by="shop", how="token", at_ms=AT_MS),
        expires_ms=AT_MS + 600_000,
    )


def tried(
    verdict: PasswordVerdict = PasswordVerdict.REFUSED, *, tries_left: int = 4, sha256: str = "0b" * 32
) -> PasswordTried:
    password = TriedPassword(salt="0a" * 16, salted_sha256=sha256, tries_left=tries_left, verdict=verdict)
    return PasswordTried(at_ms=AT_MS, device_no=DEVICE_NO, tried=password)


def seen_state() -> Reading:
    """What a device showed of itself."""
    hello = Hello(
        device_no=DEVICE_NO,
        kind=DeviceKind.CONTROL_DISK,
        simulated=True,
        firmware="1.0",
        tries_left=5,
        session="00" * 8,
    )
    info = DeviceInfo(
        device_no=DEVICE_NO,
        taxpayer_id="91310000MA1FL00001",
        taxpayer_name="某某商店",
        terminal_no=0,
        registered=True,
        certificate_from=dt.date(2025, 1, 1),
        certificate_to=dt.date(2030, 1, 1),
    )
    state = DeviceState(hello=hello, info=info, clock=dt.datetime(2026, 11, 3, 9, 30), monitor=(monitor(),))
    return Reading(state=state, totals=())


def problem() -> Problem:
    return Problem(fault="STATE_DISAGREES", outcome=Outcome.UNKNOWN, detail={"what": "last_report"})


def ticket() -> Ticket:
    return Ticket(
        ticket_no="T-1",
        device_no=DEVICE_NO,
        group="007",
        period=Period("2026-10"),
        deadline=dt.date(2026, 12, 15),
        clear_ticket=b"\x01\x02",
        clock_ticket=b"\x03",
        issued_ms=AT_MS,
    )


def troubled_job(number: int) -> tuple[AnyEvent, ...]:
    """A job that meets everything that the quiet ones do not."""
    at: dict[str, Any] = {"at_ms": AT_MS, "job_id": job_id(number), "sim_ms": AT_MS + 1}
    backup = Backup(period=Period("2026-10"), path="/b.zip", sha256="aa" * 32, before=Step.SEAL)
    return (
        accept(number),
        StateRead(**at, when="before", reading=seen_state()),
        CheckMade(**at, lines=(made("clock", "CLOCK_CLOSE", "host", seconds="3"),)),
        BackupWritten(**at, backup=backup),
        TicketStored(**at, group="007", ticket=ticket()),
        JobUnknown(**at, problem=problem()),
        JobNeedsHuman(**at, problem=problem()),
        ChallengeAnswered(**at, challenge_id="C00000001", principal="shop", key="k" * 16),
        JobResumed(**at, principal="technician"),
        CancelRequested(**at, principal="shop"),
    )


def troubled_device() -> tuple[AnyEvent, ...]:
    """A device that hung, was quarantined, tried again, given up and taken again."""
    at: dict[str, Any] = {"at_ms": AT_MS, "device_no": DEVICE_NO}
    order: dict[str, Any] = {
        "principal": "technician",
        "key": "device-key-000001",
        "request_sha256": "cd" * 32,
    }
    here = "usb:1-2#7"
    return (
        DeviceHung(**at, location=here, command="monitor", limit_s=90),
        DeviceQuarantined(**at, location=here, times=2),
        DeviceFreed(**at, how="retry", **order),
        DeviceReleased(**at, location=here, until_ms=AT_MS + 60_000, **order),
        DeviceHeld(**at, **order),
    )


def paired(name: str = "till-1", public_key: str = "k" * 40, role: str = "operator") -> ClientPaired:
    return ClientPaired(
        at_ms=AT_MS, name=name, role=role, public_key=public_key, principal="root", key="pair-key-00000001"
    )


def seen_clients() -> tuple[AnyEvent, ...]:
    """A client that was paired, got another role and was revoked, and one that was not let in."""
    at: dict[str, Any] = {"at_ms": AT_MS, "name": "till-1"}
    order: dict[str, Any] = {"principal": "root", "request_sha256": "cd" * 32}
    return (
        PairingOpened(
            **at, role="operator", principal="root", key="pair-key-00000001", expires_ms=AT_MS + 300_000
        ),
        paired(),
        PairingClosed(**at, how="redeemed"),
        ClientRoleChanged(**at, role="viewer", key="role-key-00000001", **order),
        ClientRevoked(**at, key="revoke-key-000001", **order),
        ClientRefused(**at, reason="revoked", address="127.0.0.1", public_key="k" * 40),
    )


def whole_job(number: int = 1) -> tuple[AnyEvent, ...]:
    """A job from accept to end."""
    return (
        accept(number),
        running(number),
        begun(number),
        ended_step(number),
        waiting(number),
        running(number),
        ended(number),
    )


def varied() -> tuple[AnyEvent, ...]:
    """Every type of event; every projection has something to hold after these."""
    redeemed, open_token = token("01" * 32), token("02" * 32)
    return (
        started(),
        redeemed,
        open_token,
        *whole_job(1),
        accept(2, token_sha256=redeemed.token_sha256),
        running(2),
        begun(2),
        tried(PasswordVerdict.TRYING, tries_left=5),
        tried(),
        accept(3, kind=JobKind.CHECK, claims=(), key=""),
        accept(4, kind=JobKind.CHECK, claims=(), key=""),
        AgentReloaded(
            at_ms=AT_MS,
            boot="boot-1",
            changed=("support.contact", "devices"),
            needs_restart=("ipc.endpoint",),
        ),
        AgentReloaded(at_ms=AT_MS, boot="boot-1", refused="CONFIG_INVALID", at_key="device.read_s"),
        *troubled_device(),
        *seen_clients(),
        *troubled_job(5),
        AgentStopped(at_ms=AT_MS, boot="boot-1", reason="drained", principal="admin", key="k" * 16),
    )


class Heard:
    """An EventSink and an `on_fatal` that keep what they heard, for any thread to wait for."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, AnyEvent]]] = []
        self.fatal: list[Exception] = []
        self.fatal_told = threading.Event()

    def __call__(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        self.batches.append(list(rows))

    def on_fatal(self, error: Exception) -> None:
        self.fatal.append(error)
        self.fatal_told.set()

    @property
    def seqs(self) -> list[int]:
        return [seq for batch in self.batches for seq, _ in batch]


@contextmanager
def journal(folder: Path, heard: Heard | None = None, **options: Any) -> Iterator[JournalWriter]:
    """A started writer over a journal in `folder`."""
    heard = heard or Heard()
    writer = JournalWriter(folder / JOURNAL_NAME, sink=heard, on_fatal=heard.on_fatal, **options)
    writer.start()
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def reading(folder: Path) -> Iterator[Reader]:
    """A reader of the journal in `folder`."""
    reader = Reader(folder / JOURNAL_NAME)
    try:
        yield reader
    finally:
        reader.close()
