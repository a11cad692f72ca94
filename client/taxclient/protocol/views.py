"""The values that results are made of (docs/protocol.md, Values). Enumerations are text; any is kept."""

from __future__ import annotations

from taxclient.protocol.base import Message


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


class LimitView(Message, frozen=True, kw_only=True):
    """How much of an invoice type may still be issued. Sums in fen; a limit of 0 is none."""

    invoice_type: str
    single_limit: int
    month_limit: int
    month_limit_left: int
    offline_hours: int
    offline_hours_left: int
    offline_amount: int
    offline_amount_left: int
    upload_deadline: str  # a date; "" = none
    capacity_left: int  # invoices that still fit
    blanks: int | None  # blank invoices; nil where the device does not tell


class InvoiceView(Message, frozen=True, kw_only=True):
    """An invoice as its device has it. Sums in fen; those of a red invoice are negative."""

    invoice_type: str
    code: str
    number: str
    issued_at: str  # the device's wall clock, ISO 8601
    mark: str  # positive | positive_voided | negative | negative_voided | blank_voided
    amount: int  # without tax
    tax: int
    buyer: str
    uploaded: bool


class PendingView(Message, frozen=True, kw_only=True):
    """Invoices of one type that are not uploaded."""

    invoice_type: str
    count: int


class ChallengeView(Message, frozen=True, kw_only=True):
    """A verification code that the bureau wants from a person; answered by job.answer."""

    challenge_id: str
    question: str
    image: bytes = b""  # at most 65,536 bytes; empty in status and job.list, and where the question is text
    image_type: str = ""  # MIME type


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
    challenge: ChallengeView | None = None  # what a person has to answer


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
    expected_ms: int | None = None  # while it runs: what it usually takes here; None = no history


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


class CheckLineView(Message, frozen=True, kw_only=True):
    """A line of a check, or of the doctor: what was looked at, how it is, and what to do."""

    line: str  # what was looked at
    subject: str  # which one of several: an invoice type, a window, a clock; "" = there is one
    name: str  # the line in words
    state: str  # ok | warn | not_asked | unknown | fail
    code: str  # of what was found; where it is one of the fault catalogue, that fault
    fact: str
    who: str  # who can mend it; "" where nothing is to be mended
    remedy: str
    opens: str = ""  # of a window that is shut: ISO 8601 wall clock of Asia/Shanghai
    detail: dict[str, str] = {}
    device_code: str = ""


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
    findings: tuple[ProblemView, ...] = ()  # what would shut or warn, when it looked
    lines: tuple[CheckLineView, ...] = ()  # of a check: its result; empty in status and job.list


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


class CheckView(Message, frozen=True, kw_only=True):
    """One thing that record.verify looked at; hashes are SHA-256 in hex."""

    what: str  # record | row | chain | backup
    verdict: str  # holds | differs | missing | unreadable
    subject: str  # a path; of a row its number; of the chain "FIRST-LAST", or the first bad row
    expected: str = ""
    found: str = ""


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


class VendorCodeView(Message, frozen=True, kw_only=True):
    """A vendor's code beside a fault of ours."""

    code: str
    kinds: tuple[str, ...]  # of device
    words: str
    tries_left: int | None = None


class FaultView(Message, frozen=True, kw_only=True):
    """An entry of the fault catalogue, in words."""

    code: str
    title: str
    message: str  # the cause
    remedy: str
    who: str
    outcome: str  # of the step that meets it; what a job did before stands in the job
    retry: str
    prompt: str  # of the guide's nine; "" where it is none of them
    vendor_codes: tuple[VendorCodeView, ...] = ()


class WindowView(Message, frozen=True, kw_only=True):
    """A window at one moment, open or not; its words are "" where it is open."""

    device_no: str  # "" for the windows that no device decides, where none was read
    rule: str  # which window
    name: str  # the rule in words
    acts: tuple[str, ...]  # report | clear: for which work it counts
    hard: bool  # while it is shut nothing is done; a soft one only warns
    open: bool
    late: bool  # shut, and who asks may go on all the same with `late`
    opens: str  # ISO 8601 wall clock of Asia/Shanghai; "" where it is open, or waiting alone does not help
    closes: str  # the same; "" where it is shut, or it is no matter of time
    opens_in_s: int | None = None  # from `at`, by the clock that decides
    closes_in_s: int | None = None
    code: str = ""
    title: str = ""
    message: str = ""
    remedy: str = ""
    who: str = ""
    detail: dict[str, str] = {}


class CauseView(Message, frozen=True, kw_only=True):
    """Why no invoice can be issued, or soon none: the fact, who can mend it, and the next command."""

    case: str  # name; never re-used
    number: str  # two digits, to be read over the phone
    blocks: str  # yes | doubt | no
    title: str
    message: str
    who: str
    remedy: str
    next: str  # the command to type, "" where none helps
    detail: dict[str, str] = {}


class AnswerView(Message, frozen=True, kw_only=True):
    """Whether invoices of one type can be issued with one device, by its newest reading."""

    device_no: str  # "" where no device was seen, or it did not tell
    location: str  # "" where it is not plugged
    taxpayer_id: str
    taxpayer_name: str
    simulated: bool
    as_of_ms: int  # of the reading; 0 = never read
    stale: bool
    invoice_type: str  # "" where the device's types are not known
    verdict: str  # can | cannot | unknown
    hours_left: int | None  # until it locks, in the last days before that; 0 once it is locked
    case_code: str  # the type and the numbers of the causes, to be read over the phone
    causes: tuple[CauseView, ...]  # what blocks first; at most three


class ClientView(Message, frozen=True, kw_only=True):
    """A client with a key of its own; its principal is `client:` and the name."""

    name: str
    role: str
    public_key: str  # Z85
    paired_ms: int
    revoked_ms: int = 0  # 0 = it counts
