"""How descriptors alone say that a device speaks TCDP/1. Knows no USB library and opens nothing.

docs/device-profile.md, "Recognition", is the authority.
"""

from __future__ import annotations

import struct

from taxagent.device.layout import KIND_NUMBERS
from taxagent.model.device import DeviceKind
from taxagent.model.value import Value

INTERFACE_CLASS = (0x08, 0x06, 0x50)  # mass storage, SCSI transparent, Bulk-Only
DESCRIPTOR_TYPE = 0x24  # CS_INTERFACE
DESCRIPTOR_SUBTYPE = 0x01
SIMULATOR_ID = (0x1209, 0x0007)  # of pid.codes' range for tests, 1209:0001 to 1209:0010: never on a product
PROFILE_IDS = frozenset({SIMULATOR_ID})  # devices that count as TCDP/1 without its descriptor

_DESCRIPTOR = struct.Struct("<BBB4sHBBB")
_MAGIC = b"TCDP"
_VERSION = 0x0100
_SIMULATED = 0x01


class ProfileDescriptor(Value, frozen=True, kw_only=True):
    """The class-specific descriptor behind the interface's. HELLO is the authority for kind and simulated."""

    version: int = _VERSION  # BCD: 0x0100 is 1.00
    kind: DeviceKind | None  # None = not said here, or a number that this version does not know
    simulated: bool


def encode_descriptor(descriptor: ProfileDescriptor) -> bytes:
    """Return the 12 bytes that stand between the interface's and the first endpoint's descriptor."""
    return _DESCRIPTOR.pack(
        _DESCRIPTOR.size,
        DESCRIPTOR_TYPE,
        DESCRIPTOR_SUBTYPE,
        _MAGIC,
        descriptor.version,
        KIND_NUMBERS[descriptor.kind] if descriptor.kind else 0,
        _SIMULATED if descriptor.simulated else 0,
        0,
    )


def decode_descriptor(data: bytes) -> ProfileDescriptor | None:
    """Return what one descriptor says, or None where it is not TCDP's or of another major version.

    Later minor versions may make it longer; what follows the first 12 bytes is ignored.
    """
    if len(data) < _DESCRIPTOR.size or data[0] < _DESCRIPTOR.size:
        return None
    _, kind_of, subtype, magic, version, number, flags, _ = _DESCRIPTOR.unpack_from(data)
    if (kind_of, subtype, magic) != (DESCRIPTOR_TYPE, DESCRIPTOR_SUBTYPE, _MAGIC):
        return None
    if version >> 8 != _VERSION >> 8:
        return None
    kinds = {value: kind for kind, value in KIND_NUMBERS.items()}
    return ProfileDescriptor(version=version, kind=kinds.get(number), simulated=bool(flags & _SIMULATED))


def find_descriptor(extra: bytes) -> ProfileDescriptor | None:
    """Return TCDP's descriptor among the extra descriptors of an interface, or None. Never raises."""
    while len(extra) >= 2 and 2 <= extra[0] <= len(extra):
        found = decode_descriptor(extra[: extra[0]])
        if found:
            return found
        extra = extra[extra[0] :]
    return None


def speaks_profile(
    vendor_id: int, product_id: int, interface_class: tuple[int, int, int], extra: bytes
) -> bool:
    """Return whether a device with this interface (class, subclass, protocol; extra descriptors) is one."""
    if interface_class != INTERFACE_CLASS:
        return False
    return (vendor_id, product_id) in PROFILE_IDS or find_descriptor(extra) is not None
