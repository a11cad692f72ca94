"""The gateway's wire: paths, headers, bodies and codes (docs/bureau-gateway.md). Knows no HTTP library."""

from __future__ import annotations

import datetime as dt
import hashlib
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import msgspec

from taxagent.model.period import Period
from taxagent.model.value import Value

VERSION = "v1"
KEY_HEADER = "Idempotency-Key"
KEY_LIFE_DAYS = 400  # 13 months and a margin: a return may be corrected until the next year's same month
IMAGE_LIMIT = 64 << 10  # bytes of a challenge's picture
BODY_LIMIT = 1 << 20  # bytes of a request or an answer; a summary of eight types is below 16 KiB


class Op(StrEnum):
    """The calls of the gateway. A PUT is repeatable under its key, a GET always."""

    STATUS = "status"
    REPORT_PUT = "report.put"
    REPORT_GET = "report.get"
    DECLARATION_GET = "declaration.get"
    TICKET_PUT = "ticket.put"
    TICKET_GET = "ticket.get"
    CONFIRM = "confirm"
    CHALLENGE_ANSWER = "challenge.answer"

    @property
    def method(self) -> str:
        """The HTTP method: PUT under an Idempotency-Key, GET, or POST for a person's answer."""
        if self is Op.CHALLENGE_ANSWER:
            return "POST"
        return "PUT" if self in (Op.REPORT_PUT, Op.TICKET_PUT, Op.CONFIRM) else "GET"

    @property
    def writes(self) -> bool:
        """True where the bureau may remember something after the call."""
        return self.method != "GET"

    @property
    def repeatable(self) -> bool:
        """True where the call may be made again though an earlier one may have been carried out.

        A person's answer carries no key, and a wrong one given twice may cost two tries.
        """
        return self is not Op.CHALLENGE_ANSWER


class Code(StrEnum):
    """The codes of an ErrorAnswer that this version knows. Others may come; they are kept as text."""

    # Rules of order, the taxpayer's to mend (409)
    NOT_REPORTED = "NOT_REPORTED"  # `missing` says which groups and periods
    MACHINE_NOT_REPORTED = "MACHINE_NOT_REPORTED"  # other machines of the taxpayer; `missing` names them
    NOT_DECLARED = "NOT_DECLARED"  # `missing` says which periods
    DECLARATION_MISMATCH = "DECLARATION_MISMATCH"  # 一窗式比对不符
    PERIOD_NOT_ENDED = "PERIOD_NOT_ENDED"  # by the bureau's clock
    REPORT_DIFFERS = "REPORT_DIFFERS"  # another summary of that period is held
    ALREADY_CLEARED = "ALREADY_CLEARED"  # a later period of the group was ticketed
    TICKET_UNKNOWN = "TICKET_UNKNOWN"  # a confirm or a `supersedes` of a ticket that was never issued
    KEY_CONFLICT = "KEY_CONFLICT"  # the key was used with another payload
    # Who asks (403), and what was sent (400, 404, 413, 422, 426)
    DEVICE_UNKNOWN = "DEVICE_UNKNOWN"
    TAXPAYER_MISMATCH = "TAXPAYER_MISMATCH"
    AUTH = "AUTH"  # the certificate is valid but may not do this (401 or 403)
    SEAL_INVALID = "SEAL_INVALID"
    BAD_REQUEST = "BAD_REQUEST"
    TOO_LARGE = "TOO_LARGE"
    AGENT_TOO_OLD = "AGENT_TOO_OLD"
    ABSENT = "ABSENT"  # 404 of a GET: the bureau holds no such thing (which is an answer, not an error)
    # Not now (429, 503): certainly not carried out
    TOO_SOON = "TOO_SOON"  # least interval between questions about one device
    BUSY = "BUSY"
    MAINTENANCE = "MAINTENANCE"
    CHALLENGE = "CHALLENGE"  # with `challenge`: a person has to answer; without: the client waits
    CHALLENGE_WRONG = "CHALLENGE_WRONG"  # 422 of challenge.answer: wrong, or too late


PeriodText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Sha256Hex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class MaintenanceMessage(Value, frozen=True, kw_only=True):
    """A time without service, ms UTC."""

    from_ms: int
    until_ms: int
    text: str


class FilingRowMessage(Value, frozen=True, kw_only=True):
    """The last day of the filing window of `month` (the month in which is filed)."""

    month: PeriodText
    deadline: dt.date


class StatusAnswer(Value, frozen=True, kw_only=True):
    """Answer of `status`."""

    clock_ms: int
    maintenance: MaintenanceMessage | None = None
    minimum_agent_version: str = ""
    filing_calendar: tuple[FilingRowMessage, ...] = ()
    notices: tuple[str, ...] = ()


class ReportBody(Value, frozen=True, kw_only=True):
    """Body of `report.put`; `summary` is base64 in JSON."""

    taxpayer_id: str
    summary: bytes
    device_kind: str = ""  # golden_disk, control_disk, ukey; "" = not said
    terminal_no: int | None = None  # 开票机号: 0 = main machine, 1.. = sub machines; null = not said


class ReceiptAnswer(Value, frozen=True, kw_only=True):
    """Answer of `report.put` and `report.get`."""

    receipt_no: str
    device_no: str
    group: str
    period: PeriodText
    summary_sha256: Sha256Hex
    received_ms: int


class MachineMessage(Value, frozen=True, kw_only=True):
    """A machine of a taxpayer."""

    device_no: str
    terminal_no: int = 0
    device_kind: str = ""


class DeclarationAnswer(Value, frozen=True, kw_only=True):
    """Answer of `declaration.get`; `state` is not_due, missing, mismatch or accepted."""

    taxpayer_id: str
    period: PeriodText
    state: str
    text: str
    filed_ms: int | None = None
    unreported: tuple[MachineMessage, ...] = ()  # machines whose report is missing


class TicketBody(Value, frozen=True, kw_only=True):
    """Body of `ticket.put`; `supersedes` is the number of a ticket that the device found stale, or empty."""

    supersedes: str = ""


class TicketAnswer(Value, frozen=True, kw_only=True):
    """Answer of `ticket.put` and `ticket.get`; the tickets are base64 in JSON."""

    ticket_no: str
    device_no: str
    group: str
    period: PeriodText
    deadline: dt.date
    clear_ticket: bytes
    clock_ticket: bytes | None = None
    issued_ms: int


class ConfirmBody(Value, frozen=True, kw_only=True):
    """Body of `confirm`."""

    ticket_no: str


class ConfirmAnswer(Value, frozen=True, kw_only=True):
    """Answer of `confirm`."""

    device_no: str
    group: str
    period: PeriodText
    ticket_no: str
    confirmed_ms: int


class Missing(Value, frozen=True, kw_only=True):
    """What stands in the way; `group` is empty where a return is missing.

    `device_no` and `terminal_no` name another machine than the one that was asked about.
    """

    period: PeriodText
    group: str = ""
    device_no: str = ""
    terminal_no: int | None = None


class ChallengeMessage(Value, frozen=True, kw_only=True):
    """A verification code (验证码) that a person has to answer; `image` is base64 in JSON."""

    challenge_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z._-]{1,64}$")]
    text: Annotated[str, msgspec.Meta(max_length=400)]  # the question, shown as it is
    image: Annotated[bytes, msgspec.Meta(max_length=IMAGE_LIMIT)] = b""
    image_type: Annotated[str, msgspec.Meta(max_length=40)] = ""  # image/png


class ChallengeBody(Value, frozen=True, kw_only=True):
    """Body of `challenge.answer`."""

    answer: str


class ChallengeAnswer(Value, frozen=True, kw_only=True):
    """Answer of `challenge.answer`: it was right."""

    challenge_id: str
    accepted_ms: int


class ErrorAnswer(Value, frozen=True, kw_only=True):
    """Body of every answer that is not 200."""

    code: str
    text: str  # the bureau's words, shown as they are
    retry_after_s: float | None = None
    missing: tuple[Missing, ...] = ()
    challenge: ChallengeMessage | None = None  # with CHALLENGE
    minimum_agent_version: str = ""  # with AGENT_TOO_OLD


def challenge_path(challenge_id: str) -> str:
    """Return the path of `challenge.answer`."""
    return f"/{VERSION}/challenges/{quote(challenge_id, safe='')}"


def device_path(op: Op, device_no: str, group: str, month: Period) -> str:
    """Return the path of a call about a device's group and period."""
    collection = _COLLECTIONS[op]
    return f"/{VERSION}/{collection}/{quote(device_no, safe='')}/{quote(group, safe='')}/{month}"


def declaration_path(taxpayer_id: str, month: Period) -> str:
    """Return the path of `declaration.get`."""
    return f"/{VERSION}/{_COLLECTIONS[Op.DECLARATION_GET]}/{quote(taxpayer_id, safe='')}/{month}"


STATUS_PATH = f"/{VERSION}/status"

_COLLECTIONS: dict[Op, str] = {
    Op.REPORT_PUT: "reports",
    Op.REPORT_GET: "reports",
    Op.DECLARATION_GET: "declarations",
    Op.TICKET_PUT: "tickets",
    Op.TICKET_GET: "tickets",
    Op.CONFIRM: "confirmations",
}


def idempotency_key(op: Op, device_no: str, group: str, month: Period, payload: bytes) -> str:
    """Return the key of a write: SHA-256 hex over the five facts, each on a line of its own.

    `payload` is the summary (report.put), or `supersedes` or `ticket_no` in UTF-8 (ticket.put, confirm).
    """
    payload_sha256 = hashlib.sha256(payload).hexdigest()
    text = f"{device_no}\n{group}\n{month}\n{op}\n{payload_sha256}\n"
    return hashlib.sha256(text.encode()).hexdigest()
