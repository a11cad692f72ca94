"""The arguments of each op (docs/protocol.md, Operations)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from taxclient.protocol.base import (
    CLIENT_NAME,
    OPTIONAL_CLIENT_NAME,
    RELEASE_MAX_MINUTES,
    ROLE,
    WAIT_MAX_MS,
    Z85_KEY,
    Args,
    DeviceNo,
    InvoiceType,
    JobId,
    Limit,
    Milliseconds,
    Month,
    OptionalDeviceNo,
    OptionalJobId,
    OptionalKey,
    TaxpayerId,
)

# What must be matched; forms.py has the words for each.
INVOICE_CODE = r"^([0-9]{10}|[0-9]{12})?\Z"
INVOICE_NUMBER = r"^([0-9]{8}|[0-9]{20})?\Z"
KIND_IRREVERSIBLE = r"^(report|clear|settle)\Z"
KIND = r"^(check|backup|report|clear|settle)\Z"
UNTIL = r"^(change|end)\Z"


class NoArgs(Args, frozen=True, kw_only=True):
    """hello, status, device.list, doctor, client.list."""


class InvoiceArgs(Args, frozen=True, kw_only=True):
    """device.invoices: `code` and `number` (20 digits without a code are a fully digital one's), or `qr`."""

    device_no: DeviceNo
    code: Annotated[str, Meta(pattern=INVOICE_CODE)] = ""
    number: Annotated[str, Meta(pattern=INVOICE_NUMBER)] = ""
    qr: Annotated[str, Meta(max_length=1024)] = ""


class DeviceArgs(Args, frozen=True, kw_only=True):
    """device.get, device.hold and device.retry."""

    device_no: DeviceNo


class ReleaseArgs(DeviceArgs, frozen=True, kw_only=True):
    """device.release: for so many minutes, 0 = until device.hold."""

    minutes: Annotated[int, Meta(ge=0, le=RELEASE_MAX_MINUTES)] = 0


class CheckArgs(Args, frozen=True, kw_only=True):
    """check: empty `types` and `periods` mean all of the device and all that are due."""

    device_no: DeviceNo
    taxpayer_id: TaxpayerId = ""
    types: tuple[InvoiceType, ...] = ()
    periods: tuple[Month, ...] = ()


class PrepareArgs(CheckArgs, frozen=True, kw_only=True):
    """prepare: what would be submitted."""

    kind: Annotated[str, Meta(pattern=KIND_IRREVERSIBLE)]
    late: bool = False  # outside the filing window, on a technician's responsibility


class SubmitArgs(CheckArgs, frozen=True, kw_only=True):
    """submit: `token` confirms what prepare showed; none is needed for check and backup."""

    kind: Annotated[str, Meta(pattern=KIND)]
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
    until: Annotated[str, Meta(pattern=UNTIL)] = "change"
    timeout_ms: Annotated[int, Meta(ge=0, le=WAIT_MAX_MS)] = 20_000


class JobListArgs(Args, frozen=True, kw_only=True):
    """job.list: newest first; `before` is `next` of the page before."""

    device_no: OptionalDeviceNo = ""
    live: bool = False
    before: OptionalJobId = ""
    limit: Limit = 50


class JobArgs(Args, frozen=True, kw_only=True):
    """job.cancel, job.resume, record.get and record.verify."""

    job_id: JobId


class JobCloseArgs(JobArgs, frozen=True, kw_only=True):
    """job.close: why a person ends the job as it stands."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class JobAnswerArgs(JobArgs, frozen=True, kw_only=True):
    """job.answer: what a person answers to the verification code that the job waits with."""

    challenge_id: Annotated[str, Meta(min_length=1, max_length=64)]
    answer: Annotated[str, Meta(min_length=1, max_length=64)]

    def __repr__(self) -> str:
        """Name the question, never the answer: what is printed may be kept."""
        return f"JobAnswerArgs(job_id={self.job_id!r}, challenge_id={self.challenge_id!r})"


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
    """window.explain: year 0 means that of `at`; a device's findings, or those of all."""

    year: Annotated[int, Meta(ge=0, le=9999)] = 0
    device_no: OptionalDeviceNo = ""
    at: Annotated[str, Meta(max_length=40)] = ""  # ISO 8601, wall clock of Asia/Shanghai; "" = now


class ExplainArgs(Args, frozen=True, kw_only=True):
    """explain: a code, a vendor's code, a prompt or a part of the words; "" for the whole catalogue."""

    what: Annotated[str, Meta(max_length=200)] = ""


class DrainArgs(Args, frozen=True, kw_only=True):
    """drain: the start of the agent that is meant, as hello and every reply name it."""

    boot: Annotated[str, Meta(min_length=1, max_length=64)]


class DiagnoseArgs(Args, frozen=True, kw_only=True):
    """diagnose: one device, or "" for all that the agent knows of."""

    device_no: OptionalDeviceNo = ""


class PairOpenArgs(Args, frozen=True, kw_only=True):
    """pair.open: for one client more, of this name ("" = the agent's choice) and role."""

    name: Annotated[str, Meta(pattern=OPTIONAL_CLIENT_NAME)] = ""
    role: Annotated[str, Meta(pattern=ROLE)] = "operator"


class PairRedeemArgs(Args, frozen=True, kw_only=True):
    """pair.redeem: the public key (Z85) by which the client will come from now on."""

    public_key: Annotated[str, Meta(pattern=Z85_KEY)]


class ClientArgs(Args, frozen=True, kw_only=True):
    """client.revoke: which client."""

    name: Annotated[str, Meta(pattern=CLIENT_NAME)]


class ClientRoleArgs(ClientArgs, frozen=True, kw_only=True):
    """client.role: what the client may do from now on."""

    role: Annotated[str, Meta(pattern=ROLE)]
