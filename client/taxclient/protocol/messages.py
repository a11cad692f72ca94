"""TCA/1's envelopes, and the arguments and results of each op, typed (docs/protocol.md). Knows no bytes.

Enumerations are text here: a value that this version does not know is kept, not refused. Absent optional
fields take their defaults; unknown fields are ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

MINOR = 0  # additions raise it; see hello
TTL_MAX_MS = 3_600_000
SKEW_MS = 30_000
WAIT_MAX_MS = 60_000

NOTHING = msgspec.Raw()  # the result of an error

RequestId = Annotated[str, Meta(min_length=1, max_length=64)]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{16,64}\Z")]
OptionalKey = Annotated[str, Meta(pattern=r"^([A-Za-z0-9._-]{16,64})?\Z")]
Ref = Annotated[str, Meta(max_length=128)]
Milliseconds = Annotated[int, Meta(ge=0, le=1 << 53)]
Ttl = Annotated[int, Meta(ge=1, le=TTL_MAX_MS)]
DeviceNo = Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
OptionalDeviceNo = Annotated[str, Meta(pattern=r"^([0-9]{12})?\Z")]
TaxpayerId = Annotated[str, Meta(pattern=r"^([0-9A-Z]{15}|[0-9A-Z]{17,18}|[0-9A-Z]{20})?\Z")]
InvoiceType = Annotated[str, Meta(pattern=r"^[0-9]{3}\Z")]
Month = Annotated[str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])\Z")]
JobId = Annotated[str, Meta(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}\Z")]
OptionalJobId = Annotated[str, Meta(pattern=r"^([0-9A-HJKMNP-TV-Z]{26})?\Z")]
Limit = Annotated[int, Meta(ge=1, le=500)]


class Status(StrEnum):
    """What a reply is."""

    OK = "ok"
    ACCEPTED = "accepted"  # a job is durable
    ERROR = "error"


class Outcome(StrEnum):
    """Whether the thing was done."""

    NOT_EXECUTED = "not_executed"
    EXECUTED = "executed"
    PARTLY_EXECUTED = "partly_executed"
    UNKNOWN = "unknown"


class Retry(StrEnum):
    """What may be repeated, and when."""

    NEVER = "never"
    SAME_KEY = "same_key"  # the same request under the same key
    AFTER_MS = "after_ms"  # later; `retry_after_ms` says when, where it is known
    AFTER_FIX = "after_fix"  # after `remedy`
    ASK_HUMAN = "ask_human"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all that is on the wire."""


class Args(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The base of arguments. Defaults are left out, so that a later optional field changes no identity."""


class Request(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What a client sends. `args` stays untyped until its op is known."""

    id: RequestId
    op: Annotated[str, Meta(min_length=1, max_length=64)]
    sent_at: Milliseconds  # real UTC
    ttl_ms: Ttl
    args: dict[str, Any] = {}
    key: OptionalKey = ""
    ref: Ref = ""
    lang: Annotated[str, Meta(max_length=16)] = ""  # "zh" | "en"; "" = the agent's own


class ErrorBody(Message, frozen=True, kw_only=True):
    """Why not, who can mend it, and what may be repeated."""

    code: str
    message: str
    outcome: str
    retry: str
    who: str  # here | bureau | vendor | tax_hall
    remedy: str
    title: str = ""  # `message` in one short line
    retry_after_ms: int | None = None
    detail: dict[str, str] = {}
    device_code: str = ""  # the vendor's own, beside ours


class Reply(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What an agent sends. `id` is "" where the request's could not be read."""

    id: str
    status: str
    boot: str  # new at each start of the agent
    result: msgspec.Raw = NOTHING
    error: ErrorBody | None = None


# ------------------------------------------------------------------ arguments


class NoArgs(Args, frozen=True, kw_only=True):
    """hello, status, device.list."""


class CheckArgs(Args, frozen=True, kw_only=True):
    """check: empty `types` and `periods` mean all of the device and all that are due."""

    device_no: DeviceNo
    taxpayer_id: TaxpayerId = ""
    types: tuple[InvoiceType, ...] = ()
    periods: tuple[Month, ...] = ()


class PrepareArgs(CheckArgs, frozen=True, kw_only=True):
    """prepare: what would be submitted."""

    kind: Annotated[str, Meta(pattern=r"^(report|clear|settle)\Z")]
    late: bool = False  # outside the filing window, on a technician's responsibility


class SubmitArgs(CheckArgs, frozen=True, kw_only=True):
    """submit: `token` confirms what prepare showed; none is needed for check and backup."""

    kind: Annotated[str, Meta(pattern=r"^(check|backup|report|clear|settle)\Z")]
    late: bool = False
    token: Annotated[str, Meta(max_length=128)] = ""


class JobGetArgs(Args, frozen=True, kw_only=True):
    """job.get: exactly one of the two."""

    job_id: OptionalJobId = ""
    key: OptionalKey = ""


class JobWaitArgs(Args, frozen=True, kw_only=True):
    """job.wait: answered when the job is no longer at `rev` (until="change") or has ended (until="end")."""

    job_id: JobId
    rev: Annotated[str, Meta(max_length=64)] = ""  # of the job as last seen; "" = as it is now
    until: Annotated[str, Meta(pattern=r"^(change|end)\Z")] = "change"
    timeout_ms: Annotated[int, Meta(ge=0, le=WAIT_MAX_MS)] = 20_000


class JobListArgs(Args, frozen=True, kw_only=True):
    """job.list: newest first; `before` is `next` of the page before."""

    device_no: OptionalDeviceNo = ""
    live: bool = False
    before: OptionalJobId = ""
    limit: Limit = 50


class JobArgs(Args, frozen=True, kw_only=True):
    """job.cancel and record.get."""

    job_id: JobId


class RecordListArgs(Args, frozen=True, kw_only=True):
    """record.list: newest first."""

    device_no: OptionalDeviceNo = ""
    before: OptionalJobId = ""
    limit: Limit = 50


class EventsArgs(Args, frozen=True, kw_only=True):
    """events.since: the events after `since`, oldest first."""

    since: Milliseconds
    limit: Limit = 200


class WindowArgs(Args, frozen=True, kw_only=True):
    """window.explain: year 0 means the current one; a device's findings, or those of all."""

    year: Annotated[int, Meta(ge=0, le=9999)] = 0
    device_no: OptionalDeviceNo = ""


# ------------------------------------------------------------------ results


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


class ProblemView(Message, frozen=True, kw_only=True):
    """A fault in words; `code` is of the fault catalogue."""

    code: str
    message: str
    outcome: str
    who: str
    remedy: str
    title: str = ""  # `message` in one short line
    detail: dict[str, str] = {}
    device_code: str = ""


class WaitView(Message, frozen=True, kw_only=True):
    """Why a job waits, and when it looks again (ms UTC; None = by event, or for ever)."""

    reason: str
    code: str
    message: str
    remedy: str
    who: str
    since_ms: int
    next_ms: int | None
    until_ms: int | None
    title: str = ""
    detail: dict[str, str] = {}


class StepView(Message, frozen=True, kw_only=True):
    """A step of a job; its outcome is `unknown` between begin and end."""

    step: str
    group: str
    period: str
    outcome: str
    begun_ms: int
    ended_ms: int | None
    note: str = ""
    facts: dict[str, str] = {}


class TicketView(Message, frozen=True, kw_only=True):
    """A clear ticket that is stored; its bytes stay with the agent."""

    group: str
    ticket_no: str
    period: str
    deadline: str


class BackupView(Message, frozen=True, kw_only=True):
    """A back-up that was read back; `path` is on the agent's machine."""

    period: str
    path: str
    sha256: str
    before: str


class ConfirmedView(Message, frozen=True, kw_only=True):
    """Who confirmed, by what, when."""

    by: str
    how: str
    at_ms: int


class ScopeView(Message, frozen=True, kw_only=True):
    """What a job is about."""

    device_no: str
    taxpayer_id: str
    types: tuple[str, ...]
    periods: tuple[str, ...]


class JobView(Message, frozen=True, kw_only=True):
    """A job as the journal has it. `rev` changes whenever anything of it does."""

    job_id: str
    rev: str
    kind: str
    state: str
    ended: bool
    outcome: str
    scope: ScopeView
    principal: str
    key: str
    ref: str
    accepted_ms: int
    ended_ms: int | None
    late: bool
    cancel_requested: bool
    confirmed: ConfirmedView | None
    wait: WaitView | None
    problem: ProblemView | None
    steps: tuple[StepView, ...]
    tickets: tuple[TicketView, ...]
    backups: tuple[BackupView, ...]
    record_sha256: str


class PeriodView(Message, frozen=True, kw_only=True):
    """State of one closed month: report_due, clear_due, settled."""

    period: str
    state: str


class TypeView(Message, frozen=True, kw_only=True):
    """One invoice type of a device."""

    invoice_type: str
    group: str
    invoicing_deadline: str
    last_report: str
    pending_uploads: int
    locked: bool
    overdue: bool
    periods: tuple[PeriodView, ...]


class DeviceView(Message, frozen=True, kw_only=True):
    """The newest snapshot of a device."""

    device_no: str
    location: str
    kind: str
    simulated: bool
    firmware: str
    taxpayer_id: str
    taxpayer_name: str
    terminal_no: int
    held_by: str
    held_since_ms: int
    as_of_ms: int
    stale: bool
    clock: str  # the device's own wall clock, Asia/Shanghai; "" where it was never read
    tries_left: int | None
    types: tuple[TypeView, ...]
    problem: ProblemView | None


class SeenView(Message, frozen=True, kw_only=True):
    """A thing on the bus, from its descriptors alone."""

    location: str
    usb_id: str  # "vvvv:pppp", hex
    recognised: str
    name: str


class DevicesResult(Message, frozen=True, kw_only=True):
    """device.list."""

    devices: tuple[DeviceView, ...]
    seen: tuple[SeenView, ...]


class StatusResult(DevicesResult, frozen=True, kw_only=True):
    """What the agent knows at once."""

    version: str
    started_ms: int
    simulated: bool
    verifying: bool
    draining: bool
    live_jobs: tuple[JobView, ...]
    trouble: ProblemView | None = None  # why nothing can be seen on the bus, where that is so


class TotalsView(Message, frozen=True, kw_only=True):
    """Statistics of one type in a closed month: counts, and sums in fen."""

    invoice_type: str
    date_from: str
    date_to: str
    opening: int
    bought: int
    returned: int
    positive: int
    positive_voided: int
    negative: int
    negative_voided: int
    blank_voided: int
    closing: int
    positive_amount: int
    positive_tax: int
    positive_voided_amount: int
    positive_voided_tax: int
    negative_amount: int
    negative_tax: int
    negative_voided_amount: int
    negative_voided_tax: int


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


class RecordRow(Message, frozen=True, kw_only=True):
    """A line of record.list."""

    job_id: str
    kind: str
    device_no: str
    taxpayer_id: str
    types: tuple[str, ...]
    periods: tuple[str, ...]
    state: str
    outcome: str
    ended_ms: int
    sha256: str


class RecordListResult(Message, frozen=True, kw_only=True):
    """A page; `next` is "" on the last."""

    records: tuple[RecordRow, ...]
    next: str


class EventView(Message, frozen=True, kw_only=True):
    """An event: ids and states only. The same on the event channel, with `boot`."""

    seq: int
    boot: str  # "" in events.since: the journal spans boots
    topic: str  # job.<job_id> | device.<device_no> | agent
    type: str
    at: int
    job_id: str = ""
    device_no: str = ""
    state: str = ""
    step: str = ""
    group: str = ""
    period: str = ""
    outcome: str = ""


class EventsResult(Message, frozen=True, kw_only=True):
    """Events in order; ask again from `next` while `next` < `last`."""

    events: tuple[EventView, ...]
    next: int
    last: int


class DeadlineView(Message, frozen=True, kw_only=True):
    """The filing deadline of a month, and where it comes from: official, rule or override."""

    month: int
    deadline: str
    source: str
    provisional: bool


class FindingView(Message, frozen=True, kw_only=True):
    """A window that is shut for one device: a hard one forbids, a soft one only warns."""

    device_no: str
    rule: str  # which window
    acts: tuple[str, ...]  # report | clear: for which work it counts
    hard: bool
    code: str  # of the fault catalogue
    title: str
    message: str
    remedy: str
    opens: str  # ISO 8601 wall clock of Asia/Shanghai; "" where waiting alone does not help
    detail: dict[str, str] = {}


class WindowResult(Message, frozen=True, kw_only=True):
    """The year's deadlines, and what stands in the way now."""

    year: int
    deadlines: tuple[DeadlineView, ...]
    findings: tuple[FindingView, ...]


class Op(Message, frozen=True, kw_only=True):
    """An op's shapes; `keyed` ops make a job and need a key."""

    args: type[Args]
    result: type[Message]
    keyed: bool = False


OPS: dict[str, Op] = {
    "hello": Op(args=NoArgs, result=HelloResult),
    "status": Op(args=NoArgs, result=StatusResult),
    "device.list": Op(args=NoArgs, result=DevicesResult),
    "check": Op(args=CheckArgs, result=AcceptedResult, keyed=True),
    "prepare": Op(args=PrepareArgs, result=PreparedResult),
    "submit": Op(args=SubmitArgs, result=AcceptedResult, keyed=True),
    "job.get": Op(args=JobGetArgs, result=JobResult),
    "job.wait": Op(args=JobWaitArgs, result=JobWaitResult),
    "job.list": Op(args=JobListArgs, result=JobListResult),
    "job.cancel": Op(args=JobArgs, result=JobResult),
    "record.get": Op(args=JobArgs, result=RecordResult),
    "record.list": Op(args=RecordListArgs, result=RecordListResult),
    "events.since": Op(args=EventsArgs, result=EventsResult),
    "window.explain": Op(args=WindowArgs, result=WindowResult),
}
