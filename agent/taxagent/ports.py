"""The seams of the agent: what the work needs of the world, as Protocols, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from taxagent.model.bureau import BureauStatus, Declaration, Receipt, Report, Ticket
from taxagent.model.device import (
    DeviceInfo,
    Hello,
    MonitorData,
    SealOrder,
    Statistics,
    Stock,
    TriedPassword,
    WriteRecord,
)
from taxagent.model.events import AnyEvent, AnyJobEvent, ChallengeAnswered, TokenIssued
from taxagent.model.invoice import Invoice
from taxagent.model.job import Job, Problem
from taxagent.model.lines import CheckLine
from taxagent.model.period import Period
from taxagent.model.usb import SeenDevice

T = TypeVar("T")
MayGoOn = Callable[[], None]  # raises Interrupted in a thread of which nothing more is wanted


class Clock(Protocol):
    """All time comes from here."""

    def utc_ms(self) -> int:
        """Return real UTC in integer ms (deadlines of requests, journal rows)."""

    def sim_ms(self) -> int | None:
        """Return the simulated UTC in ms, or None where time is real."""

    def local(self) -> dt.datetime:
        """Return the host's wall clock in Asia/Shanghai, aware: simulated where there is a simulation."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""


class Device(Protocol):
    """One tax-control device, claimed, used by one thread.

    Every method raises DeviceAbsent (gone before the command went out: not executed), AnswerLost (it may
    have been executed) or DeviceRefused (it answered no). Reads are safe to repeat. The command methods
    other than `hello` need `open` first.
    """

    def hello(self) -> Hello:
        """Start a session; needs no password."""

    def open(self, password: str) -> None:
        """Open the session. Raises PasswordRefused with the tries left; never call it twice with that one."""

    def close(self) -> None:
        """Close the session; never raises."""

    def info(self) -> DeviceInfo: ...
    def clock(self) -> dt.datetime: ...
    def monitor(self) -> tuple[MonitorData, ...]: ...
    def stock(self, invoice_type: str) -> Stock: ...

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics: ...

    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        """Yield the invoices issued in the closed interval, in the device's order, page by page."""

    def find_invoice(self, code: str, number: str) -> Invoice | None: ...

    def seal(self, order: SealOrder) -> None:
        """Close the period. Irreversible; refused unless last_report is as expected."""

    def seal_sha256(self, order: SealOrder) -> str:
        """Return the payload hash by which LAST_WRITE would remember this seal. No I/O."""

    def read_summary(self, group: str, month: Period) -> bytes:
        """Return the sealed summary of a sealed period (one of the last 12). A pure read."""

    def apply_clock_ticket(self, ticket: bytes) -> None:
        """Write the clock ticket. Irreversible."""

    def apply_ticket(self, ticket: bytes, expected_deadline: dt.date) -> None:
        """Write the clear ticket. Irreversible; refused unless invoicing_deadline is as expected."""

    def clock_ticket_sha256(self, ticket: bytes) -> str: ...
    def ticket_sha256(self, ticket: bytes, expected_deadline: dt.date) -> str: ...

    def last_writes(self) -> tuple[WriteRecord, ...]:
        """Return the last writes, newest first, at most 8."""

    def self_test(self) -> None:
        """Raise DeviceRefused where the device finds itself broken or full."""


class Watch(Protocol):
    """A running watch of the bus."""

    def stop(self) -> None:
        """End it and wait for its thread; no callback comes afterwards."""


class DeviceSource(Protocol):
    """A driver: finds its devices and hands each to one thread at a time (entry point `taxagent.devices`)."""

    def seen(self) -> tuple[SeenDevice, ...]:
        """Return what is plugged, from descriptors alone; never opens a device."""

    def trouble(self) -> Problem | None:
        """Return why nothing can be seen (no USB library, no server), or None where all is well."""

    def watch(self, on_change: Callable[[], None]) -> Watch:
        """Call `on_change` (from another thread) whenever `seen()` may have changed."""

    def hold(self, location: str, may_go_on: MayGoOn = ...) -> AbstractContextManager[Device]:
        """Claim the device at `location`, and give it (and the kernel's driver) back at the end.

        `may_go_on` is asked, in the same thread, before each command that goes out to the device, also in
        the middle of a call: what it raises ends the call unchanged, and nothing more of it is sent.
        Raises DeviceAbsent or DeviceInUse on entry.
        """


class Bureau(Protocol):
    """The bureau gateway. Methods block; each raises BureauDown (not executed), AnswerLost (after its own
    bounded retries, for repeatable calls) or BureauRefused (the bureau's no, with its words). Each may raise
    ChallengeAsked (a BureauDown: nothing was done): a person's answer, then the same call again.
    """

    def status(self) -> BureauStatus: ...
    def put_report(self, report: Report) -> Receipt: ...
    def get_report(self, device_no: str, group: str, month: Period) -> Receipt | None: ...
    def get_declaration(self, taxpayer_id: str, month: Period) -> Declaration: ...

    def put_ticket(self, device_no: str, group: str, month: Period, *, supersedes: str = "") -> Ticket:
        """Ask for the clear ticket; `supersedes` is the number of a ticket that the device found stale.

        Raises BureauRefused("NOT_DECLARED"), ("NOT_REPORTED") or another refusal.
        """

    def get_ticket(self, device_no: str, group: str, month: Period) -> Ticket | None: ...
    def confirm(self, device_no: str, group: str, month: Period, ticket_no: str) -> None: ...

    def answer_challenge(self, challenge_id: str, answer: str) -> None:
        """Give a person's answer to a verification code; an answer that was taken may be given again.

        Raises BureauRefused("CHALLENGE_WRONG") where it is wrong or too late: the next call asks anew.
        """


class JournalTx(Protocol):
    """One unit of work inside the journal's writer: reads see what was appended before it."""

    def append(self, event: AnyEvent) -> int:
        """Add a row and its projections; return its seq. Raises ClaimTaken, KeyTaken or TokenSpent."""

    def job_by_key(self, principal: str, key: str) -> tuple[Job, str] | None:
        """Return (job, request_sha256) for a known key, else None."""

    def answer_by_key(self, principal: str, key: str) -> ChallengeAnswered | None:
        """Return the answer to a bureau's question that was given under a key, else None."""

    def job(self, job_id: str) -> Job | None: ...
    def token(self, token_sha256: str) -> TokenIssued | None:
        """Return an issued token that was not redeemed; None otherwise."""

    def live_jobs(self, device_no: str) -> tuple[Job, ...]:
        """Return the live jobs of a device, oldest first."""

    def claimed_by(self, device_no: str, group: str, period: str) -> str | None:
        """Return the id of the live job that holds the claim, or None."""


class Journal(Protocol):
    """The durable truth of what we did. Synchronous; group commit happens behind it."""

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        """Run `work` in the writer and return its result once it is durable.

        What `work` raises undoes its rows and is raised here. Where the batch that it stands in fails, `work`
        is called again, for what it reads: it must change nothing but its rows. Raises JournalFull (nothing
        written) or JournalUnknown (may be durable: the caller stops at once).
        """

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        """As `transact`, but return at once; `done` is called in the writer's thread after the commit."""

    def append(self, *events: AnyEvent) -> int:
        """Append rows in one transaction; return the last seq."""


class JournalReader(Protocol):
    """Reads that write nothing, on their own connection."""

    def job(self, job_id: str) -> Job | None: ...
    def job_by_key(self, principal: str, key: str) -> Job | None: ...
    def answer_by_key(self, principal: str, key: str) -> ChallengeAnswered | None:
        """Return the answer to a bureau's question that was given under a key, else None."""

    def jobs(
        self, *, device_no: str = "", live: bool = False, before: str = "", limit: int = 100
    ) -> Sequence[Job]:
        """Return jobs, newest first, with ids below `before` (for paging)."""

    def record(self, job_id: str) -> bytes | None:
        """Return a job's record as JSON, or None."""

    def events(self, since: int, limit: int) -> Sequence[tuple[int, AnyEvent]]:
        """Return (seq, event) with seq > since, oldest first."""

    def job_events(self, job_id: str) -> Sequence[tuple[int, AnyJobEvent]]: ...
    def verify_job(self, job_id: str) -> tuple[int, int]:
        """Walk the hash chain around a job's rows; return the first and the last row that were looked at.

        Raises JournalBroken with the first bad row.
        """

    def of_no_job(self) -> Sequence[AnyEvent]:
        """Return the rows that belong to no job, but the tokens; oldest first."""

    def passwords(self, device_no: str) -> Sequence[TriedPassword]:
        """Return every password that was tried on the device, and what became of each."""

    def last_seq(self) -> int: ...


class Mailbox(Protocol):
    """How other threads reach the loop."""

    def post(self, item: Callable[[], None]) -> None:
        """Have the loop call `item` soon. Any thread; never blocks."""


class Surroundings(Protocol):
    """What a check asks of this computer. Methods take bounded time, write nothing and never raise."""

    def way(self) -> tuple[CheckLine, ...]:
        """Return the steps to the bureau (name, connection, TLS, HTTP), and loss and latency."""

    def place(self, device_no: str) -> tuple[CheckLine, ...]:
        """Return the agent's certificates, its disk, and the device's last back-up."""


class Secrets(Protocol):
    """Where passwords are kept; never in the configuration, arguments, journal, events or logs."""

    def get(self, name: str) -> str | None:
        """Return the secret, or None where there is none; `device-<device_no>` names a device's password."""

    def given(self, name: str) -> str:
        """Return a mark that is new whenever a person gives the secret anew, also the same; "" if unknown."""


class EventSink(Protocol):
    """Who is told what became durable."""

    def __call__(self, rows: Iterable[tuple[int, AnyEvent]]) -> None: ...
