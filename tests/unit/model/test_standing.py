"""How a device stands, as the journal's rows about it say."""

from __future__ import annotations

from taxagent.model.events import (
    AnyDeviceEvent,
    DeviceFreed,
    DeviceHeld,
    DeviceHung,
    DeviceQuarantined,
    DeviceReleased,
)
from taxagent.model.standing import Release, Standing, stood

NO = "661234567890"
HERE = "usb:1-2#7"
HUNG = DeviceHung(device_no=NO, location=HERE, command="seal", limit_s=150, at_ms=1)
QUARANTINED = DeviceQuarantined(device_no=NO, location=HERE, times=2, at_ms=2)
FREED = DeviceFreed(device_no=NO, how="retry", principal="tech", key="k", request_sha256="", at_ms=3)
RELEASED = DeviceReleased(
    device_no=NO, location=HERE, until_ms=10, principal="shop", key="k", request_sha256="", at_ms=4
)
HELD = DeviceHeld(device_no=NO, principal="shop", key="k", request_sha256="", at_ms=5)


def after(*rows: AnyDeviceEvent) -> Standing:
    standing = Standing(device_no=NO)
    for row in rows:
        standing = stood(standing, row)
    return standing


def test_hangs_are_counted_until_a_person_has_seen_to_it() -> None:
    twice = after(HUNG, HUNG, QUARANTINED)
    assert (twice.hung, twice.hung_ms, twice.quarantined, twice.location) == (2, 1, True, HERE)
    freed = stood(twice, FREED)
    assert (freed.hung, freed.quarantined) == (0, False)


def test_a_release_holds_until_its_time_or_until_it_is_held_again() -> None:
    release = after(RELEASED).release
    assert release == Release(by="shop", since_ms=4, until_ms=10)
    assert release.holds(9)
    assert not release.holds(10)
    assert after(RELEASED, HELD).release is None


def test_a_release_without_an_end_holds() -> None:
    assert Release(by="shop", since_ms=1).holds(1 << 60)


def test_hanging_and_being_released_are_apart() -> None:
    both = after(HUNG, RELEASED, FREED)
    assert (both.hung, both.release is not None) == (0, True)
