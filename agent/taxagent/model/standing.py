"""How a device stands with the agent beyond its jobs: did it hang, was it given up for others. Pure."""

from __future__ import annotations

import msgspec

from taxagent.model.events import (
    AnyDeviceEvent,
    DeviceFreed,
    DeviceHeld,
    DeviceHung,
    DeviceQuarantined,
    DeviceReleased,
)
from taxagent.model.value import Value

QUARANTINED_AFTER = 2
"""So often a device may hang at one plugging before it is left alone."""


class Release(Value, frozen=True, kw_only=True):
    """The agent leaves the device alone: by whose wish, since when, until when (ms UTC; None = no end)."""

    by: str
    since_ms: int
    until_ms: int | None = None

    def holds(self, now_ms: int) -> bool:
        """Return whether it still is so."""
        return self.until_ms is None or now_ms < self.until_ms


class Standing(Value, frozen=True, kw_only=True):
    """What the journal's rows say of a device; `location` and `arrival`: where it hung or was released last.

    The same plugging has the same `arrival`; where that is "", nobody can tell after a restart who is there.
    """

    device_no: str
    location: str = ""
    arrival: str = ""
    hung: int = 0  # how often since a person has seen to it
    hung_ms: int = 0
    quarantined: bool = False
    release: Release | None = None

    def is_at(self, location: str, arrival: str) -> bool:
        """Return whether that is the plugging at which it hung or was released."""
        return arrival == self.arrival if arrival and self.arrival else location == self.location


def stood(before: Standing, event: AnyDeviceEvent) -> Standing:
    """Return the standing after `event`. The one place that says what an event does to a device."""
    change = msgspec.structs.replace
    match event:
        case DeviceHung(location=location, arrival=arrival, at_ms=at_ms):
            return change(before, location=location, arrival=arrival, hung=before.hung + 1, hung_ms=at_ms)
        case DeviceQuarantined(location=location, arrival=arrival):
            return change(before, location=location, arrival=arrival, quarantined=True)
        case DeviceFreed():
            return change(before, hung=0, hung_ms=0, quarantined=False)
        case DeviceReleased(location=location, principal=by, at_ms=at_ms, until_ms=until_ms):
            release = Release(by=by, since_ms=at_ms, until_ms=until_ms)
            if location:
                before = change(before, location=location, arrival=event.arrival)
            return change(before, release=release)
        case DeviceHeld():
            return change(before, release=None)
