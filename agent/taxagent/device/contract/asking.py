"""Checks in which a person unplugs the device and plugs it in again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from taxagent.device.contract.bench import Bench
from taxagent.device.contract.session import closed
from taxagent.device.contract.verdict import NotTried, demand, ruled, same
from taxagent.model.device import Hello
from taxagent.model.errors import DeviceAbsent
from taxagent.model.usb import Recognised

_HEARD_S = 5.0  # an unplugged device is to be seen within 1 s, one that is plugged in within 3 s
_LOOK_S = 0.05


def watch_tells(bench: Bench) -> str:
    """A watch calls when the device goes and when it comes; seen() says so; the location is a new one."""
    _need_a_person(bench)
    heard = threading.Event()
    old = bench.location
    watch = bench.source.watch(heard.set)
    try:
        bench.tell("unplug")
        demand(heard.wait(_HEARD_S), "unheard", what="removal", seconds=_HEARD_S)
        demand(_until(lambda: old not in _locations(bench)), "still_seen", location=old)
        heard.clear()
        bench.tell("plug")
        demand(heard.wait(_HEARD_S), "unheard", what="arrival", seconds=_HEARD_S)
        _found_again(bench, old)
    finally:
        watch.stop()
    return f"{old} -> {bench.location}"


def absent_is_told(bench: Bench) -> str:
    """Commands to a device that was unplugged, and hold() of its old place, raise DeviceAbsent."""
    _need_a_person(bench)
    old = bench.location
    try:
        with bench.held() as device:
            device.hello()
            bench.tell("unplug")
            bench.refusal(device.hello, "hello() of an unplugged device", DeviceAbsent)
            closed(device)
        bench.refusal(lambda: _greet(bench, old), "hold() of its old place", DeviceAbsent)
    finally:
        bench.tell("plug")
    _found_again(bench, old)
    return f"{old} -> {bench.location}"


def _need_a_person(bench: Bench) -> None:
    _ = bench.location
    if not bench.plan.interactive:
        raise NotTried("needs_a_person")


def _found_again(bench: Bench, old: str) -> None:
    """Find the device where it is now."""
    demand(_until(lambda: _locations(bench)), "unseen", device_no=bench.hello.device_no)
    for location in _locations(bench):
        hello = _greet(bench, location)
        if hello.device_no == bench.hello.device_no:
            ruled("location", location, f"!= {old}", kept=location != old)
            for name in ("kind", "simulated", "firmware"):
                same(name, getattr(bench.hello, name), getattr(hello, name))
            bench.found(location, hello)
            return
    demand(kept=False, reason="unseen", device_no=bench.hello.device_no)


def _greet(bench: Bench, location: str) -> Hello:
    with bench.source.hold(location) as device:
        return device.hello()


def _locations(bench: Bench) -> list[str]:
    return [one.location for one in bench.source.seen() if one.recognised is Recognised.PROFILE]


def _until(holds: Callable[[], object]) -> bool:
    """Look until it holds, at most as long as a change may take to be seen."""
    for _ in range(round(_HEARD_S / _LOOK_S)):
        if holds():
            return True
        threading.Event().wait(_LOOK_S)
    return False
