"""What all of TCA/1's messages stand on: the base, constrained texts and numbers, enumerations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

MINOR = 2  # additions raise it; docs/protocol.md, Versions, says what came with which
TTL_MAX_MS = 3_600_000
SKEW_MS = 30_000
RELEASE_MAX_MINUTES = 7 * 24 * 60
WAIT_MAX_MS = 60_000
RequestId = Annotated[str, Meta(min_length=1, max_length=64)]
KEY, OPTIONAL_KEY = r"^[A-Za-z0-9._-]{16,64}\Z", r"^([A-Za-z0-9._-]{16,64})?\Z"
DEVICE_NO, OPTIONAL_DEVICE_NO = r"^[0-9]{12}\Z", r"^([0-9]{12})?\Z"
TAXPAYER_ID = r"^([0-9A-Z]{15}|[0-9A-Z]{17,18}|[0-9A-Z]{20})?\Z"
INVOICE_TYPE = r"^[0-9]{3}\Z"
MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])\Z"
JOB_ID, OPTIONAL_JOB_ID = r"^[0-9A-HJKMNP-TV-Z]{26}\Z", r"^([0-9A-HJKMNP-TV-Z]{26})?\Z"
CLIENT_NAME, OPTIONAL_CLIENT_NAME = r"^[a-z0-9][a-z0-9._-]{0,31}\Z", r"^([a-z0-9][a-z0-9._-]{0,31})?\Z"
ROLE = r"^(viewer|operator|technician|admin)\Z"
Z85_KEY = r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}\Z"
Key = Annotated[str, Meta(pattern=KEY)]
OptionalKey = Annotated[str, Meta(pattern=OPTIONAL_KEY)]
Ref = Annotated[str, Meta(max_length=128)]
Milliseconds = Annotated[int, Meta(ge=0, le=1 << 53)]
Ttl = Annotated[int, Meta(ge=1, le=TTL_MAX_MS)]
DeviceNo = Annotated[str, Meta(pattern=DEVICE_NO)]
OptionalDeviceNo = Annotated[str, Meta(pattern=OPTIONAL_DEVICE_NO)]
TaxpayerId = Annotated[str, Meta(pattern=TAXPAYER_ID)]
InvoiceType = Annotated[str, Meta(pattern=INVOICE_TYPE)]
Month = Annotated[str, Meta(pattern=MONTH)]
JobId = Annotated[str, Meta(pattern=JOB_ID)]
OptionalJobId = Annotated[str, Meta(pattern=OPTIONAL_JOB_ID)]
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
