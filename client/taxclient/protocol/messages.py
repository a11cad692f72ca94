"""TCA/1's envelopes and the table of its ops, typed (docs/protocol.md). Knows no bytes.

All messages can be had from here. Enumerations are text on the wire: a value that this version does not know
is kept, not refused. Absent optional fields take their defaults; unknown fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from taxclient.protocol.arguments import (
    CheckArgs,
    ClientArgs,
    ClientRoleArgs,
    DeviceArgs,
    DiagnoseArgs,
    DrainArgs,
    EventsArgs,
    ExplainArgs,
    InvoiceArgs,
    JobAnswerArgs,
    JobArgs,
    JobCloseArgs,
    JobGetArgs,
    JobListArgs,
    JobWaitArgs,
    NoArgs,
    PairOpenArgs,
    PairRedeemArgs,
    PrepareArgs,
    RecordListArgs,
    ReleaseArgs,
    SubmitArgs,
    WindowArgs,
)
from taxclient.protocol.base import (
    MINOR,
    SKEW_MS,
    TTL_MAX_MS,
    WAIT_MAX_MS,
    Args,
    DeviceNo,
    InvoiceType,
    JobId,
    Key,
    Limit,
    Message,
    Milliseconds,
    Month,
    OptionalDeviceNo,
    OptionalJobId,
    OptionalKey,
    Outcome,
    Ref,
    RequestId,
    Retry,
    Status,
    TaxpayerId,
    Ttl,
)
from taxclient.protocol.results import (
    AcceptedResult,
    ClientResult,
    ClientsResult,
    DeviceResult,
    DevicesResult,
    DiagnoseResult,
    DoctorResult,
    DrainResult,
    EventsResult,
    ExplainResult,
    HelloResult,
    InvoiceResult,
    JobListResult,
    JobResult,
    JobWaitResult,
    PairOpenResult,
    PreparedResult,
    RecordListResult,
    RecordResult,
    RecordVerifyResult,
    StatusResult,
    WindowResult,
)
from taxclient.protocol.views import (
    AnswerView,
    BackupView,
    CauseView,
    ChallengeView,
    CheckLineView,
    CheckView,
    ClientView,
    ConfirmedView,
    DeadlineView,
    DeviceView,
    EventView,
    FaultView,
    FindingView,
    InvoiceView,
    JobView,
    LimitView,
    PendingView,
    PeriodView,
    ProblemView,
    RecordRow,
    ScopeView,
    SeenView,
    StepView,
    TicketView,
    TotalsView,
    TypeView,
    VendorCodeView,
    WaitView,
    WindowView,
)

NOTHING = msgspec.Raw()  # the result of an error


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


class Op(Message, frozen=True, kw_only=True):
    """An op's shapes; `keyed` ops change something and need a key."""

    args: type[Args]
    result: type[Message]
    keyed: bool = False

    @property
    def makes_job(self) -> bool:
        """Whether the key names a job: job.get finds it by the key."""
        return self.keyed and self.result is AcceptedResult


OPS: dict[str, Op] = {
    "hello": Op(args=NoArgs, result=HelloResult),
    "status": Op(args=NoArgs, result=StatusResult),
    "device.list": Op(args=NoArgs, result=DevicesResult),
    "device.get": Op(args=DeviceArgs, result=DeviceResult),
    "device.release": Op(args=ReleaseArgs, result=DeviceResult, keyed=True),
    "device.hold": Op(args=DeviceArgs, result=DeviceResult, keyed=True),
    "device.retry": Op(args=DeviceArgs, result=DeviceResult, keyed=True),
    "device.invoices": Op(args=InvoiceArgs, result=InvoiceResult),
    "check": Op(args=CheckArgs, result=AcceptedResult, keyed=True),
    "prepare": Op(args=PrepareArgs, result=PreparedResult),
    "submit": Op(args=SubmitArgs, result=AcceptedResult, keyed=True),
    "job.get": Op(args=JobGetArgs, result=JobResult),
    "job.wait": Op(args=JobWaitArgs, result=JobWaitResult),
    "job.list": Op(args=JobListArgs, result=JobListResult),
    "job.cancel": Op(args=JobArgs, result=JobResult),
    "job.resume": Op(args=JobArgs, result=JobResult),
    "job.close": Op(args=JobCloseArgs, result=JobResult),
    "job.answer": Op(args=JobAnswerArgs, result=JobResult, keyed=True),
    "record.get": Op(args=JobArgs, result=RecordResult),
    "record.list": Op(args=RecordListArgs, result=RecordListResult),
    "record.verify": Op(args=JobArgs, result=RecordVerifyResult),
    "events.since": Op(args=EventsArgs, result=EventsResult),
    "window.explain": Op(args=WindowArgs, result=WindowResult),
    "explain": Op(args=ExplainArgs, result=ExplainResult),
    "diagnose": Op(args=DiagnoseArgs, result=DiagnoseResult),
    "doctor": Op(args=NoArgs, result=DoctorResult),
    "drain": Op(args=DrainArgs, result=DrainResult, keyed=True),
    "pair.open": Op(args=PairOpenArgs, result=PairOpenResult, keyed=True),
    "pair.redeem": Op(args=PairRedeemArgs, result=ClientResult, keyed=True),
    "client.list": Op(args=NoArgs, result=ClientsResult),
    "client.role": Op(args=ClientRoleArgs, result=ClientResult, keyed=True),
    "client.revoke": Op(args=ClientArgs, result=ClientResult, keyed=True),
}


__all__ = [
    "MINOR",
    "NOTHING",
    "OPS",
    "SKEW_MS",
    "TTL_MAX_MS",
    "WAIT_MAX_MS",
    "AcceptedResult",
    "AnswerView",
    "Args",
    "BackupView",
    "CauseView",
    "ChallengeView",
    "CheckArgs",
    "CheckLineView",
    "CheckView",
    "ClientArgs",
    "ClientResult",
    "ClientRoleArgs",
    "ClientView",
    "ClientsResult",
    "ConfirmedView",
    "DeadlineView",
    "DeviceArgs",
    "DeviceNo",
    "DeviceResult",
    "DeviceView",
    "DevicesResult",
    "DiagnoseArgs",
    "DiagnoseResult",
    "DoctorResult",
    "DrainArgs",
    "DrainResult",
    "ErrorBody",
    "EventView",
    "EventsArgs",
    "EventsResult",
    "ExplainArgs",
    "ExplainResult",
    "FaultView",
    "FindingView",
    "HelloResult",
    "InvoiceArgs",
    "InvoiceResult",
    "InvoiceType",
    "InvoiceView",
    "JobAnswerArgs",
    "JobArgs",
    "JobCloseArgs",
    "JobGetArgs",
    "JobId",
    "JobListArgs",
    "JobListResult",
    "JobResult",
    "JobView",
    "JobWaitArgs",
    "JobWaitResult",
    "Key",
    "Limit",
    "LimitView",
    "Message",
    "Milliseconds",
    "Month",
    "NoArgs",
    "Op",
    "OptionalDeviceNo",
    "OptionalJobId",
    "OptionalKey",
    "Outcome",
    "PairOpenArgs",
    "PairOpenResult",
    "PairRedeemArgs",
    "PendingView",
    "PeriodView",
    "PrepareArgs",
    "PreparedResult",
    "ProblemView",
    "RecordListArgs",
    "RecordListResult",
    "RecordResult",
    "RecordRow",
    "RecordVerifyResult",
    "Ref",
    "ReleaseArgs",
    "Reply",
    "Request",
    "RequestId",
    "Retry",
    "ScopeView",
    "SeenView",
    "Status",
    "StatusResult",
    "StepView",
    "SubmitArgs",
    "TaxpayerId",
    "TicketView",
    "TotalsView",
    "Ttl",
    "TypeView",
    "VendorCodeView",
    "WaitView",
    "WindowArgs",
    "WindowResult",
    "WindowView",
]
