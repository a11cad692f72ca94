"""What is asked of the desk and what it shows. Values only; the wire's shapes are the protocol's affair."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from enum import StrEnum
from typing import Literal, Protocol

from taxagent.model.device import DeviceState, Statistics
from taxagent.model.errors import AgentError
from taxagent.model.invoice import Invoice
from taxagent.model.job import Confirmed, Job, JobKind, Problem, Scope
from taxagent.model.period import Period
from taxagent.model.standing import Standing
from taxagent.model.usb import SeenDevice
from taxagent.model.value import Value


class Role(StrEnum):
    """What a principal may do; each includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    TECHNICIAN = "technician"
    ADMIN = "admin"

    __hash__ = str.__hash__  # Enum's own is written in Python, and each request looks roles up

    def covers(self, needed: Role) -> bool:
        """Return whether this role may do what `needed` may."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Principal(Value, frozen=True, kw_only=True):
    """Who asks: the configured name of a uid or key, and its role."""

    name: str
    role: Role


class Ask(Value, frozen=True, kw_only=True):
    """A request for a job. Empty `types` and `periods` mean all of the device and all that are due."""

    kind: JobKind
    device_no: str
    taxpayer_id: str = ""  # where given it must be the device's
    types: tuple[str, ...] = ()
    periods: tuple[Period, ...] = ()
    late: bool = False
    token: str = ""
    key: str = ""
    ref: str = ""
    request_sha256: str = ""
    sent_at_ms: int = 0
    ttl_ms: int = 0


class InvoiceAsk(Value, frozen=True, kw_only=True):
    """A question about one invoice: by code and number, or by the text of its QR code."""

    device_no: str
    code: str = ""
    number: str = ""
    qr: str = ""
    sent_at_ms: int = 0
    ttl_ms: int = 0


class FoundInvoice(Value, frozen=True, kw_only=True):
    """An invoice as the device has it, read just now."""

    device_no: str
    taxpayer_id: str
    clock: dt.datetime  # the device's own wall clock at the reading, naive
    invoice: Invoice
    period: Period  # the month it was issued in
    period_state: str  # PeriodState value; "" where the device has no monitor data of its type
    differs: tuple[str, ...]  # where the QR code and the device disagree: invoice_type, issued_at
    pending: tuple[tuple[str, int], ...]  # (invoice type, other invoices that are not uploaded), > 0


class TypeView(Value, frozen=True, kw_only=True):
    """One invoice type in a snapshot, with the state of each closed month that is not settled."""

    invoice_type: str
    group: str
    invoicing_deadline: dt.date
    last_report: dt.date
    pending_uploads: int
    locked: bool
    overdue: bool
    periods: tuple[tuple[Period, str], ...]  # (period, PeriodState value), oldest first


class DeviceView(Value, frozen=True, kw_only=True):
    """The newest snapshot of a device. `stale` when it is older than 15 minutes or the device is gone."""

    device_no: str
    location: str  # "" when it is not plugged now
    kind: str
    simulated: bool
    taxpayer_id: str
    taxpayer_name: str
    terminal_no: int
    held_by: str  # "" | "agent" | what is known of the other program
    held_since_ms: int
    as_of_ms: int
    stale: bool
    state: DeviceState | None  # None until it could be opened once
    types: tuple[TypeView, ...]
    problem: Problem | None  # why it cannot be read, where it cannot


class DeskStatus(Value, frozen=True, kw_only=True):
    """What the agent knows at once, from memory."""

    boot: str
    version: str
    started_ms: int
    simulated: bool
    verifying: bool  # the journal is still being verified: writes wait
    draining: bool
    devices: tuple[DeviceView, ...]
    seen: tuple[SeenDevice, ...]  # all that is on the bus, also what is not ours
    live_jobs: tuple[Job, ...]
    trouble: Problem | None = None  # why nothing can be seen on the bus, where that is so


class DeviceOrder(Value, frozen=True, kw_only=True):
    """What is to become of a device: left to others (for `minutes`; 0 = for good), used or tried again."""

    what: Literal["release", "hold", "retry"]
    device_no: str
    minutes: int = 0
    key: str = ""
    request_sha256: str = ""
    sent_at_ms: int = 0
    ttl_ms: int = 0


class DeviceDetails(Value, frozen=True, kw_only=True):
    """One device, all that is known of it at once."""

    view: DeviceView
    standing: Standing
    thing: SeenDevice | None  # as it is on the bus; None where it is not plugged
    live_jobs: tuple[Job, ...]


class Ordered(Value, frozen=True, kw_only=True):
    """An order that is durable; `known` when the key already had it."""

    details: DeviceDetails
    known: bool


class Prepared(Value, frozen=True, kw_only=True):
    """What a person must see before confirming, and the token that confirms exactly this."""

    token: str
    expires_ms: int
    kind: JobKind
    scope: Scope
    device: DeviceView
    totals: tuple[Statistics, ...]  # per type and closed month in scope
    confirmed: Confirmed
    consequences: tuple[str, ...]  # codes: SEAL:<group>:<period>, SUBMIT:.., CLEAR:<group>:<deadline or "">
    warnings: tuple[Problem, ...]


class Accepted(Value, frozen=True, kw_only=True):
    """A job that is durable; `known` when the key already had it."""

    job: Job
    known: bool


class Answer(Value, frozen=True, kw_only=True):
    """A person's answer to the verification code that a job waits with; no print shows its text."""

    job_id: str
    challenge_id: str
    text: str
    key: str

    def __repr__(self) -> str:
        """Name the question, never the answer."""
        return f"Answer({self.challenge_id} of {self.job_id})"


class Picture(Value, frozen=True, kw_only=True):
    """The picture of a verification code; `image` is empty where the question is text alone."""

    image: bytes
    image_type: str  # MIME


class Drained(Value, frozen=True, kw_only=True):
    """An agent that stops: the jobs that are being worked on, and how many others go on at the next start."""

    running: tuple[Job, ...]
    left: int


class Desk(Protocol):
    """What the loop asks of the jobs. Every `done` is called in the loop's thread, exactly once."""

    def status(self) -> DeskStatus: ...

    def accept(self, principal: Principal, ask: Ask, done: Callable[[Accepted | AgentError], None]) -> None:
        """Accept a job under its key, or say why not. A known key is answered before any other check."""

    def prepare(self, principal: Principal, ask: Ask, done: Callable[[Prepared | AgentError], None]) -> None:
        """Read the device afresh and give a token for what it shows."""

    def invoice(self, ask: InvoiceAsk, done: Callable[[FoundInvoice | AgentError], None]) -> None:
        """Look the invoice up on its device, afresh."""

    def cancel(self, principal: Principal, job_id: str, done: Callable[[Job | AgentError], None]) -> None:
        """Ask a job to stop before its next irreversible step; answers the job as it then is."""

    def resume(self, principal: Principal, job_id: str, done: Callable[[Job | AgentError], None]) -> None:
        """Let a job that needs a person go on; answers the job as it then is."""

    def close(
        self, principal: Principal, job_id: str, reason: str, done: Callable[[Job | AgentError], None]
    ) -> None:
        """End a job that needs a person as it stands, with a reason; answers the ended job."""

    def device(self, device_no: str) -> DeviceDetails:
        """Return a device from memory. Raises Refusal("DEVICE_UNKNOWN"); Unavailable while verifying."""

    def order(
        self, principal: Principal, order: DeviceOrder, done: Callable[[Ordered | AgentError], None]
    ) -> None:
        """Leave a device to others, use it again, or try it again. A known key is answered first."""

    def knows_order(self, principal: str, key: str) -> bool | None:
        """Return whether an order has this key, also one that is not durable yet; None while verifying."""

    def answer(self, principal: Principal, answer: Answer, done: Callable[[Job | AgentError], None]) -> None:
        """Let a job go on with a person's answer to its verification code; answers the job as it then is."""

    def picture(self, job: Job) -> Picture | None:
        """Return the picture of the question that the job waits with, from memory."""

    def drain(
        self, principal: Principal, boot: str, key: str, done: Callable[[Drained | AgentError], None]
    ) -> None:
        """Take no more work and stop the agent, if `boot` is this start of it."""

    def knows_drain(self, principal: str, boot: str, key: str) -> bool | None:
        """Return whether this start of the agent was told to stop under this key; None of another start."""

    def live(self, job_id: str) -> Job | None:
        """Return a job from memory: live ones, and those that ended in this boot (bounded)."""
