"""A thin client of the tax-control device agent: TCA/1 over ZeroMQ, no USB, no database.

    with Client() as client:
        print(client.status().devices)

All names that are meant for use are here, and AsyncClient in taxclient.aio (asyncio is loaded by who uses
it alone); other modules may change without notice.
"""

from taxclient.caller import DEFAULT_ENDPOINT
from taxclient.conversation import new_key
from taxclient.events import EventStream
from taxclient.protocol.errors import (
    AgentUnavailable,
    ClientError,
    Closed,
    ConnectionLost,
    FrameError,
    KeyUnknown,
    NotAllowed,
    ProtocolError,
    RemoteError,
    Timeout,
)
from taxclient.protocol.messages import (
    AcceptedResult,
    AnswerView,
    CauseView,
    CheckArgs,
    DevicesResult,
    DeviceView,
    DiagnoseResult,
    ErrorBody,
    EventsResult,
    EventView,
    HelloResult,
    InvoiceArgs,
    InvoiceResult,
    InvoiceView,
    JobListArgs,
    JobListResult,
    JobView,
    JobWaitResult,
    Outcome,
    PendingView,
    PrepareArgs,
    PreparedResult,
    ProblemView,
    RecordListArgs,
    RecordListResult,
    RecordResult,
    Retry,
    StatusResult,
    SubmitArgs,
    WindowResult,
)
from taxclient.sync import Client

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_ENDPOINT",
    "AcceptedResult",
    "AgentUnavailable",
    "AnswerView",
    "CauseView",
    "CheckArgs",
    "Client",
    "ClientError",
    "Closed",
    "ConnectionLost",
    "DeviceView",
    "DevicesResult",
    "DiagnoseResult",
    "ErrorBody",
    "EventStream",
    "EventView",
    "EventsResult",
    "FrameError",
    "HelloResult",
    "InvoiceArgs",
    "InvoiceResult",
    "InvoiceView",
    "JobListArgs",
    "JobListResult",
    "JobView",
    "JobWaitResult",
    "KeyUnknown",
    "NotAllowed",
    "Outcome",
    "PendingView",
    "PrepareArgs",
    "PreparedResult",
    "ProblemView",
    "ProtocolError",
    "RecordListArgs",
    "RecordListResult",
    "RecordResult",
    "RemoteError",
    "Retry",
    "StatusResult",
    "SubmitArgs",
    "Timeout",
    "WindowResult",
    "__version__",
    "new_key",
]
