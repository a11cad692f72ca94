"""What is seen on the bus, from descriptors alone. Knows no USB library."""

from __future__ import annotations

from enum import StrEnum

from taxagent.model.value import Value


class Recognised(StrEnum):
    """What a descriptor says a thing is."""

    PROFILE = "profile"  # speaks TCDP/1: ours to drive
    VENDOR = "vendor"  # a vendor's tax-control device: named, never touched
    OTHER = "other"  # listed, never touched


class SeenDevice(Value, frozen=True, kw_only=True):
    """A thing on the bus. `location` names the port and the arrival; it changes when it is replugged.

    `arrival` names this very plugging beyond the life of this process: no other plugging is ever given the
    same word, not after a restart of the machine or of the bus either. "" where the bus cannot tell.
    """

    location: str
    vendor_id: int
    product_id: int
    recognised: Recognised
    name: str  # manufacturer and product, or what the list of identities says; "" if unreadable
    arrival: str = ""
