"""What simulated devices and the simulated bureau seal for each other, and how they check it.

The real formats are secret; the agent treats both as opaque. Every key here is made from a public text, so
that a device and a bureau that never met trust each other: good for simulation, worthless for anything else.

A sealed thing is `magic (4) | length (u32, big endian) | canonical JSON | Ed25519 signature (64)`; the
signature covers all that stands before it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from taxagent.model.device import DeviceKind, Statistics
from taxagent.model.period import Period
from taxagent.model.value import Value, to_json

SUMMARY_MAGIC = b"TCS1"
CLEAR_MAGIC = b"TCT1"
CLOCK_MAGIC = b"TCK1"
_SIGNATURE = 64


class SealError(ValueError):
    """The bytes are not what they should be, or another key signed them."""


class Summary(Value, frozen=True, kw_only=True):
    """汇总密文: what the device sealed."""

    device_no: str
    kind: DeviceKind  # it tells the bureau which sort of ticket the device takes
    taxpayer_id: str
    group: str
    period: Period
    statistics: tuple[Statistics, ...]


class ClearTicket(Value, frozen=True, kw_only=True):
    """清卡密文: moves `invoicing_deadline` of a group to `deadline`."""

    ticket_no: str
    serial: int  # grows with each ticket that the bureau issues for this device
    device_no: str
    group: str
    period: Period
    deadline: dt.date


class ClockTicket(Value, frozen=True, kw_only=True):
    """Sets a device's clock; control_disk wants one before each clear ticket."""

    ticket_no: str  # of the clear ticket that it goes with
    serial: int
    device_no: str
    clock: dt.datetime  # naive, Asia/Shanghai


SealedV = TypeVar("SealedV", Summary, ClearTicket, ClockTicket)

_MAGIC: dict[type[Value], bytes] = {
    Summary: SUMMARY_MAGIC,
    ClearTicket: CLEAR_MAGIC,
    ClockTicket: CLOCK_MAGIC,
}


def sealed(value: Summary | ClearTicket | ClockTicket) -> bytes:
    """Return `value` signed by its device (Summary) or by the simulated bureau (tickets)."""
    body = to_json(value)
    head = _MAGIC[type(value)] + struct.pack(">I", len(body)) + body
    return head + _key(value).sign(head)


def unsealed(data: bytes, kind: type[SealedV]) -> SealedV:
    """Return the value in `data`; SealError where its form, its kind or its signature is wrong."""
    if len(data) < 8 + _SIGNATURE or data[:4] != _MAGIC[kind]:
        msg = f"not a sealed {kind.__name__}"
        raise SealError(msg)
    (length,) = struct.unpack(">I", data[4:8])
    head, signature = data[: 8 + length], data[8 + length :]
    try:
        value = msgspec.json.decode(head[8:], type=kind)
        _key(value).public_key().verify(signature, head)
    except (msgspec.DecodeError, InvalidSignature) as error:
        msg = f"a {kind.__name__} with a bad body or signature"
        raise SealError(msg) from error
    return value


def _key(value: Summary | ClearTicket | ClockTicket) -> Ed25519PrivateKey:
    owner = f"device {value.device_no}" if isinstance(value, Summary) else "bureau"
    seed = hashlib.sha256(f"taxagent simulator {owner}".encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed)
