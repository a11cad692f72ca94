"""What the judge reads, in shapes of its own: journal rows, a device's and the bureau's books, what was told.

It knows the files by their pages (docs/journal.md, simulator.md, bureau-gateway.md, protocol.md), nothing of
the agent's code. Fields and event types that it does not name are passed over.
"""

from __future__ import annotations

import datetime as dt

import msgspec


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Read only; unknown fields are ignored."""


# ---- the journal


class StepId(Shape, frozen=True, kw_only=True):
    """Which step."""

    step: str
    group: str = ""
    period: str = ""

    def __str__(self) -> str:
        return ".".join(part for part in (self.step, self.group, self.period) if part)


class Scope(Shape, frozen=True, kw_only=True):
    """What a job is about."""

    device_no: str = ""
    taxpayer_id: str = ""
    types: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()


class Baseline(Shape, frozen=True, kw_only=True):
    """The device before a write, and the hash of what is about to be sent."""

    last_report: dt.date
    invoicing_deadline: dt.date
    write_no: int
    payload_sha256: str


class Backup(Shape, frozen=True, kw_only=True):
    """A back-up that was read back."""

    period: str
    path: str
    sha256: str
    before: str


class Ticket(Shape, frozen=True, kw_only=True):
    """A clear ticket."""

    ticket_no: str
    device_no: str
    group: str
    period: str
    deadline: dt.date
    issued_ms: int = 0


class Tried(Shape, frozen=True, kw_only=True):
    """A try with a password."""

    salted_sha256: str
    verdict: str


class Problem(Shape, frozen=True, kw_only=True):
    """A fault as it happened."""

    fault: str = ""
    outcome: str = ""
    detail: dict[str, str] = {}


class Row(Shape, frozen=True, kw_only=True):
    """A journal row of any event type; what its type lacks is empty."""

    event: str
    at_ms: int
    sim_ms: int | None = None
    seq: int = 0
    job_id: str = ""
    kind: str = ""
    scope: Scope = Scope()
    claims: tuple[tuple[str, str], ...] = ()
    principal: str = ""
    key: str = ""
    late: bool = False
    id: StepId = StepId(step="")
    baseline: Baseline | None = None
    outcome: str = ""
    note: str = ""
    facts: dict[str, str] = {}
    backup: Backup | None = None
    ticket: Ticket | None = None
    state: str = ""
    problem: Problem | None = None
    record: msgspec.Raw = msgspec.Raw(b"null")
    record_sha256: str = ""
    device_no: str = ""
    tried: Tried | None = None


class Link(Shape, frozen=True, kw_only=True):
    """A row as the file has it."""

    seq: int
    body: bytes
    digest: bytes


class Standing(Shape, frozen=True, kw_only=True):
    """A job as the journal's projection shows it."""

    job_id: str
    state: str
    ended: bool


class JobRecord(Shape, frozen=True, kw_only=True):
    """The record of an ended job."""

    job_id: str
    kind: str
    scope: Scope
    state: str
    outcome: str
    bureau_confirmed: bool
    types: tuple[TypeLine, ...] = ()
    tickets: tuple[TicketLine, ...] = ()
    steps: tuple[StepLine, ...] = ()


class TypeLine(Shape, frozen=True, kw_only=True):
    """One invoice type in a record."""

    invoice_type: str
    group: str
    last_report_before: dt.date
    invoicing_deadline_before: dt.date
    last_report_after: dt.date | None = None
    invoicing_deadline_after: dt.date | None = None


class TicketLine(Shape, frozen=True, kw_only=True):
    """A ticket in a record."""

    group: str
    ticket_no: str
    deadline: dt.date


class StepLine(Shape, frozen=True, kw_only=True):
    """A step in a record."""

    id: StepId
    outcome: str
    note: str = ""
    facts: dict[str, str] = {}


# ---- the device


class Write(Shape, frozen=True, kw_only=True):
    """What the device remembers of a write."""

    write_no: int
    kind: str  # seal | clock_ticket | apply_ticket | change_password
    payload_sha256: str
    accepted: bool
    before: dt.date
    after: dt.date


class LoggedWrite(Shape, frozen=True, kw_only=True):
    """A line of a device's log of writes."""

    at_ms: int  # real UTC
    device_clock: dt.datetime
    device_no: str
    group: str
    code: str
    write: Write


class RefusedTry(Shape, frozen=True, kw_only=True):
    """A line of a device's log of refused passwords."""

    at_ms: int
    device_no: str
    password_sha256: str


class GroupMemory(Shape, frozen=True, kw_only=True):
    """Where a group of invoice types stands."""

    group: str
    last_report: dt.date
    invoicing_deadline: dt.date


class DeviceMemory(Shape, frozen=True, kw_only=True):
    """A device's state file."""

    device_no: str
    groups: tuple[GroupMemory, ...]


# ---- the bureau


class Receipt(Shape, frozen=True, kw_only=True):
    """The bureau's receipt for a report."""

    receipt_no: str
    received_ms: int = 0


class Report(Shape, frozen=True, kw_only=True):
    """A report that the bureau holds."""

    taxpayer_id: str
    receipt: Receipt


class Issued(Shape, frozen=True, kw_only=True):
    """A ticket that the bureau issued."""

    ticket: Ticket
    confirmed_ms: int | None = None


class Return(Shape, frozen=True, kw_only=True):
    """A VAT return at the bureau."""

    taxpayer_id: str = ""
    period: str = ""
    state: str
    filed_ms: int | None = None


class BureauMemory(Shape, frozen=True, kw_only=True):
    """The bureau's state file. Reports and tickets are under "device/group/period"."""

    reports: dict[str, Report] = {}
    tickets: dict[str, tuple[Issued, ...]] = {}
    returns: dict[str, Return] = {}  # under "taxpayer/period", the newest
    filings: tuple[Return, ...] = ()  # every one that was ever filed, oldest first


class Pause(Shape, frozen=True, kw_only=True):
    """A maintenance, by the bureau's clock: from, and up to without."""

    from_ms: int
    until_ms: int


class Call(Shape, frozen=True, kw_only=True):
    """A line of the bureau's log."""

    at_ms: int = 0  # by the bureau's clock
    op: str
    device_no: str
    group: str
    period: str
    key: str
    result: str  # accepted | repeated | answered | refused
    code: str = ""
    reference: str = ""
    maintenance: Pause | None = None  # of a status: as it was told


# ---- what was told


class StepView(Shape, frozen=True, kw_only=True):
    """A step in a reply."""

    step: str
    group: str = ""
    period: str = ""
    outcome: str
    note: str = ""


class JobView(Shape, frozen=True, kw_only=True):
    """A job in a reply."""

    job_id: str
    state: str
    ended: bool
    outcome: str
    principal: str = ""
    key: str = ""
    steps: tuple[StepView, ...] = ()
    record_sha256: str = ""


class Result(Shape, frozen=True, kw_only=True):
    """What the judge looks at of a reply's result."""

    job: JobView | None = None
    jobs: tuple[JobView, ...] = ()
    live_jobs: tuple[JobView, ...] = ()


class Error(Shape, frozen=True, kw_only=True):
    """A reply's error."""

    code: str
    outcome: str
    remedy: str = ""


class Reply(Shape, frozen=True, kw_only=True):
    """A reply of TCA/1."""

    status: str  # ok | accepted | error
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Error | None = None


class Told(Shape, frozen=True, kw_only=True):
    """A line of a transcript: one request of one client and its reply, null where none came.

    Lines of one principal stand in the order in which the requests were sent. Times are real UTC in ms.
    """

    sent_ms: int
    told_ms: int  # when the reply came; as `sent_ms` where none did
    principal: str
    op: str
    key: str = ""  # of the request; for a job.get by key the key that was asked about
    reply: Reply | None = None

    def views(self) -> tuple[JobView, ...]:
        """Return every job that the reply shows."""
        if self.reply is None or bytes(self.reply.result) == b"null":
            return ()
        try:
            result = msgspec.json.decode(self.reply.result, type=Result)
        except msgspec.ValidationError:
            return ()  # a result about something else
        one = (result.job,) if result.job is not None else ()
        return (*one, *result.jobs, *result.live_jobs)
