"""Checks in which a person unplugs the device and plugs it in again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from taxagent.device.contract.bench import Bench
from taxagent.device.contract.session import closed
from taxagent.device.contract.verdict import NotTried, demand, ruled, same
from taxagent.model.device import Hello
from taxagent.model.errors import DeviceAbsent
from taxagent.model.usb import Recognised

_LOOK_S = 0.05


def watch_tells(bench: Bench) -> str:
    """A watch calls when the device goes and when it comes; seen() says so; the location is a new one."""
    _need_a_person(bench)
    heard = threading.Event()
    old = bench.location
    watch = bench.source.watch(heard.set)
    try:
        with _unplugged(bench):
            _heard(bench, heard, "removal")
            demand(_until(bench, lambda: old not in _locations(bench)), "still_seen", location=old)
            heard.clear()
        _heard(bench, heard, "arrival")
        _is_found_again(bench, old)
    finally:
        watch.stop()
    return f"{old} -> {bench.location}"


def absent_is_told(bench: Bench) -> str:
    """Commands to a device that was unplugged, and hold() of its old place, raise DeviceAbsent."""
    _need_a_person(bench)
    old = bench.location
    with contextlib.ExitStack() as stack:
        with bench.held() as device:
            device.hello()
            stack.enter_context(_unplugged(bench))
            bench.refusal(device.hello, "hello() of an unplugged device", DeviceAbsent)
            closed(device)
        bench.refusal(lambda: _greet(bench, old), "hold() of its old place", DeviceAbsent)
    _is_found_again(bench, old)
    return f"{old} -> {bench.location}"


def _need_a_person(bench: Bench) -> None:
    _ = bench.location
    if not bench.plan.interactive:
        raise NotTried("needs_a_person")


@contextlib.contextmanager
def _unplugged(bench: Bench) -> Iterator[None]:
    """Have the device unplugged for the length of the block; plugged in again it is looked for."""
    bench.tell("unplug")
    try:
        yield
    finally:
        bench.tell("plug")
        with contextlib.suppress(Exception):  # whatever the driver does now: the check itself says it
            _until(bench, lambda: _find(bench))


def _find(bench: Bench) -> bool:
    for location in _locations(bench):
        hello = _greet(bench, location)
        if hello.device_no == bench.hello.device_no:
            bench.found(location, hello)
            return True
    return False


def _is_found_again(bench: Bench, old: str) -> None:
    before = bench.hello
    demand(_until(bench, lambda: _find(bench)), "unseen", device_no=before.device_no)
    ruled("location", bench.location, f"!= {old}", kept=bench.location != old)
    for name in ("kind", "simulated", "firmware"):
        same(name, getattr(before, name), getattr(bench.hello, name))


def _heard(bench: Bench, heard: threading.Event, what: str) -> None:
    demand(heard.wait(bench.plan.heard_s), "unheard", what=what, seconds=bench.plan.heard_s)


def _greet(bench: Bench, location: str) -> Hello:
    with bench.source.hold(location) as device:
        return device.hello()


def _locations(bench: Bench) -> list[str]:
    return [one.location for one in bench.source.seen() if one.recognised is Recognised.PROFILE]


def _until(bench: Bench, holds: Callable[[], object]) -> bool:
    """Look until it holds, at most as long as a change may take to be seen."""
    for _ in range(max(1, round(bench.plan.heard_s / _LOOK_S))):
        if holds():
            return True
        threading.Event().wait(_LOOK_S)
    return False
