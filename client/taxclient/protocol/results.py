"""The result of each op (docs/protocol.md, Operations)."""

from __future__ import annotations

from taxclient.protocol.base import Message
from taxclient.protocol.views import (
    AnswerView,
    CheckLineView,
    CheckView,
    ClientView,
    DeadlineView,
    DeviceView,
    EventView,
    FaultView,
    FindingView,
    InvoiceView,
    JobView,
    LimitView,
    PendingView,
    ProblemView,
    RecordRow,
    ScopeView,
    SeenView,
    TotalsView,
    WindowView,
)


class HelloResult(Message, frozen=True, kw_only=True):
    """Who answers, how late it is there, and what it takes."""

    protocol: str
    minor: int
    version: str
    now: int  # real UTC in ms
    sim_now: int | None  # where the agent lives in simulated time
    simulated: bool
    principal: str
    role: str
    seq: int  # of the newest event: the authority for a subscriber
    events: str  # endpoint of the event channel
    ops: tuple[str, ...]
    limits: dict[str, int]
    draining: bool = False  # it stops: no new work is taken


class DevicesResult(Message, frozen=True, kw_only=True):
    """device.list."""

    devices: tuple[DeviceView, ...]
    seen: tuple[SeenView, ...]


class DeviceResult(Message, frozen=True, kw_only=True):
    """device.get, device.release, device.hold, device.retry: one device, all that is known at once."""

    device: DeviceView
    usb_id: str  # vendor:product in hex; "" where it is not plugged
    name: str  # as it says on the bus
    registered: bool | None  # nil until it was read
    certificate_from: str
    certificate_to: str
    limits: tuple[LimitView, ...]
    live_jobs: tuple[JobView, ...]
    hung: int  # how often since a person has seen to it
    hung_ms: int
    quarantined: bool
    released_by: str  # "" = the agent uses it
    released_ms: int
    released_until_ms: int | None  # nil = until device.hold
    known: bool = False  # the key had made this order before


class InvoiceResult(Message, frozen=True, kw_only=True):
    """device.invoices: the invoice, how its month stands, and what else is not uploaded."""

    device_no: str
    taxpayer_id: str
    clock: str  # the device's own, at the reading
    invoice: InvoiceView
    period: str
    period_state: str  # open | report_due | clear_due | settled; "" where the device does not tell
    record_job_id: str  # of the newest record of report, clear or settle that covers it; "" where none
    differs: tuple[str, ...]  # where the QR code and the device disagree: invoice_type, issued_at
    pending: tuple[PendingView, ...]  # other invoices, per type


class StatusResult(DevicesResult, frozen=True, kw_only=True):
    """What the agent knows at once."""

    version: str
    started_ms: int
    simulated: bool
    verifying: bool
    draining: bool
    live_jobs: tuple[JobView, ...]  # the oldest; job.list has all
    live_count: int = 0  # of all live jobs
    trouble: ProblemView | None = None  # why nothing can be seen on the bus, where that is so


class PreparedResult(Message, frozen=True, kw_only=True):
    """What a person must see before confirming; `token` confirms exactly this."""

    token: str
    expires_ms: int
    kind: str
    scope: ScopeView
    device: DeviceView
    totals: tuple[TotalsView, ...]
    consequences: tuple[str, ...]
    warnings: tuple[ProblemView, ...]


class AcceptedResult(Message, frozen=True, kw_only=True):
    """A durable job; `known` when the key already had it."""

    job: JobView
    known: bool


class JobResult(Message, frozen=True, kw_only=True):
    """job.get, job.cancel."""

    job: JobView


class JobWaitResult(Message, frozen=True, kw_only=True):
    """job.wait; `timed_out` when neither a change nor the end came."""

    job: JobView
    timed_out: bool


class JobListResult(Message, frozen=True, kw_only=True):
    """A page; `next` is "" on the last."""

    jobs: tuple[JobView, ...]
    next: str


class RecordResult(Message, frozen=True, kw_only=True):
    """A clearing record: the JSON text as it was journaled, the SHA-256 of its UTF-8 bytes, and a page."""

    job_id: str
    sha256: str
    json: str
    page: str = ""  # the same as text, in the request's language


class RecordVerifyResult(Message, frozen=True, kw_only=True):
    """record.verify: what was looked at, each with its verdict; `holds` where all of it holds."""

    job_id: str
    sha256: str
    holds: bool
    checks: tuple[CheckView, ...]


class RecordListResult(Message, frozen=True, kw_only=True):
    """A page; `next` is "" on the last."""

    records: tuple[RecordRow, ...]
    next: str


class EventsResult(Message, frozen=True, kw_only=True):
    """Events in order; ask again from `next` while `next` < `last`."""

    events: tuple[EventView, ...]
    next: int
    last: int


class DoctorResult(Message, frozen=True, kw_only=True):
    """doctor: what the agent finds of itself and of the computer it runs on."""

    lines: tuple[CheckLineView, ...]
    contact: str  # whom to ask for help, as configured


class DrainResult(Message, frozen=True, kw_only=True):
    """drain: what still runs and is waited for; `left` other live jobs go on after the next start."""

    boot: str
    running: tuple[JobView, ...]
    left: int


class WindowResult(Message, frozen=True, kw_only=True):
    """The year's deadlines, and each window of each device at one moment."""

    year: int
    deadlines: tuple[DeadlineView, ...]
    findings: tuple[FindingView, ...]  # what is shut
    at: str = ""  # the moment, wall clock of Asia/Shanghai
    windows: tuple[WindowView, ...] = ()  # all, open or shut


class ExplainResult(Message, frozen=True, kw_only=True):
    """explain: the faults that are meant, in the catalogue's order."""

    faults: tuple[FaultView, ...]


class DiagnoseResult(Message, frozen=True, kw_only=True):
    """diagnose: an answer a device and invoice type."""

    answers: tuple[AnswerView, ...]
    contact: str = ""  # whom to ask for help, as configured


class PairOpenResult(Message, frozen=True, kw_only=True):
    """pair.open: the code, for one client, until `expires_ms`; no other answer and no row has it."""

    code: str
    name: str
    role: str
    expires_ms: int
    endpoint: str
    server_key: str  # Z85

    def __repr__(self) -> str:
        """Name the client, never the code."""
        return f"PairOpenResult(name={self.name!r}, role={self.role!r})"


class ClientResult(Message, frozen=True, kw_only=True):
    """pair.redeem, client.role, client.revoke: the client as it then is."""

    client: ClientView
    known: bool = False  # the key already had it


class ClientsResult(Message, frozen=True, kw_only=True):
    """client.list: all that were ever paired, the revoked ones too; and for whom a code is out just now."""

    clients: tuple[ClientView, ...]
    pairing: str = ""  # the name, "" where no code counts
    pairing_until_ms: int = 0
