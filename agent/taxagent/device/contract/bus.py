"""Checks of ports.DeviceSource: what is seen, who holds it, what a watch leaves behind."""

from __future__ import annotations

import threading
from contextlib import suppress

from taxagent.device.contract.bench import Bench
from taxagent.device.contract.verdict import NotKept, NotTried, demand, instance, ruled, same
from taxagent.model.errors import AgentError, DeviceAbsent, DeviceInUse
from taxagent.model.faults import fault
from taxagent.model.job import Problem
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Device, DeviceSource

_NOWHERE = "nowhere:0-0#0"
_USB_ID = 0xFFFF
_QUIET_S = 0.3  # so long a stopped watch is listened to


class _Left(Exception):
    """Leaves a hold as a defect would."""


def driver_loads(bench: Bench) -> str:
    """The factory takes the backend's text and gives a DeviceSource, without opening anything."""
    try:
        source = bench.source_again()
    except ValueError as error:
        raise NotKept("backend_refused", backend=bench.plan.backend, error=error) from error
    for member in ("seen", "trouble", "watch", "hold"):
        ruled(
            f"{type(source).__name__}.{member}", "?", "callable", kept=callable(getattr(source, member, None))
        )
    bench.sourced(source)
    return type(source).__name__


def trouble_is_told(bench: Bench) -> str:
    """trouble() is None, or the problem for which nothing can be seen."""
    bench.source.seen()
    trouble = bench.source.trouble()
    if trouble is None:
        return ""
    instance("trouble()", trouble, Problem)
    ruled("trouble().fault", trouble.fault, "a code of the fault catalogue", kept=fault(trouble.fault).known)
    same("seen()", (), bench.source.seen())
    facts = " ".join(f"{name}={fact}" for name, fact in trouble.detail.items())
    raise NotTried("trouble", fault=trouble.fault, detail=facts)


def seen_is_described(bench: Bench) -> str:
    """seen() is a tuple of SeenDevice, each with a location of its own."""
    seen = bench.source.seen()
    instance("seen()", seen, tuple)
    for one in seen:
        instance("seen()[]", one, SeenDevice)
        ruled("location", one.location, "1..200 printable characters", kept=_is_location(one.location))
        instance("recognised", one.recognised, Recognised)
        instance("name", one.name, str)
        for number in (one.vendor_id, one.product_id):
            ruled("vendor_id, product_id", number, "0..0xffff", kept=0 <= number <= _USB_ID)
    locations = [one.location for one in seen]
    ruled("locations", locations, "all different", kept=len(set(locations)) == len(locations))
    return f"seen={len(seen)}"


def seen_is_repeatable(bench: Bench) -> str:
    """While nothing is plugged or unplugged, seen() says the same again and again."""
    first = bench.source.seen()
    for _ in range(3):
        same("seen()", first, bench.source.seen())
    return ""


def seen_opens_nothing(bench: Bench) -> str:
    """A look at the bus, also by another program, leaves a held device and its session alone."""
    with bench.held() as device:
        opened = bench.plan.password is not None and _opened(bench, device)
        if not opened:
            device.hello()
        for source in (bench.source, bench.source_again()):
            locations = [one.location for one in source.seen()]
            if source is bench.source:
                ruled("seen()", locations, f"has {bench.location}", kept=bench.location in locations)
        if opened:
            device.clock()
            device.close()
        else:
            device.hello()
    return "" if opened else "session=no"


def device_is_found(bench: Bench) -> str:
    """The device that is meant is recognised, can be held, and says HELLO with its number."""
    candidates = [one for one in bench.source.seen() if one.recognised is Recognised.PROFILE]
    if not candidates:
        raise NotKept("none_recognised", seen=len(bench.source.seen()))
    found, numbers = {}, []
    for one in candidates:
        try:
            with bench.source.hold(one.location) as device:
                found[one.location] = device.hello()
                numbers.append(found[one.location].device_no)
        except (DeviceInUse, DeviceAbsent) as error:
            bench.errors.append(error)
            numbers.append(f"{one.location} ({error})")
    wanted = [at for at, hello in found.items() if bench.plan.device_no in ("", hello.device_no)]
    demand(wanted, "not_among", device_no=bench.plan.device_no or "?", found=", ".join(numbers) or "-")
    demand(len(wanted) == 1, "several_devices", found=", ".join(numbers))
    bench.found(wanted[0], found[wanted[0]])
    return f"device_no={bench.hello.device_no} kind={bench.hello.kind} location={bench.location}"


def unknown_location_is_absent(bench: Bench) -> str:
    """hold() of a place where nothing is raises DeviceAbsent on entry."""
    bench.refusal(lambda: _touch(bench, _NOWHERE), f"hold({_NOWHERE!r})", DeviceAbsent)
    return ""


def hold_is_exclusive(bench: Bench) -> str:
    """While a device is held, holding it again raises DeviceInUse, and the first holder goes on."""
    with bench.held() as device:
        number = device.hello().device_no
        bench.refusal(lambda: _touch(bench, bench.location), "a second hold()", DeviceInUse)
        same("device_no", number, device.hello().device_no)
    _touch(bench, bench.location)
    return ""


def hold_is_exclusive_between_programs(bench: Bench) -> str:
    """The same between two sources: what one holds, the other is refused."""
    _ = bench.location
    other = bench.source_again()
    at = [one.location for one in other.seen() if one.location == bench.location]
    if not at:
        raise NotTried("seen_elsewhere", location=bench.location)
    with bench.held() as device:
        device.hello()
        bench.refusal(lambda: _greet(other, at[0]), "hold() by a second source", DeviceInUse, DeviceAbsent)
        device.hello()
    return ""


def hold_is_given_back(bench: Bench) -> str:
    """An exception leaves the block unchanged, and the device can be held again."""
    try:
        with bench.held() as device:
            device.hello()
            raise _Left
    except _Left:
        pass
    else:
        raise NotKept("swallowed")
    try:
        _touch(bench, bench.location)
    except AgentError as error:
        raise NotKept("not_given_back", error=error) from error
    return ""


def watch_stops(bench: Bench) -> str:
    """stop() ends the watch with its threads; no call comes afterwards; another watch can be begun."""
    before, calls = set(threading.enumerate()), [0]

    def changed() -> None:
        calls[0] += 1

    for _ in range(2):
        watch = bench.source.watch(changed)
        bench.source.seen()
        watch.stop()
    heard = calls[0]
    threading.Event().wait(_QUIET_S)
    same("calls after stop()", heard, calls[0])
    left = [one.name for one in set(threading.enumerate()) - before]
    demand(not left, "threads_left", threads=", ".join(left))
    return ""


def _opened(bench: Bench, device: Device) -> bool:
    with suppress(NotTried):
        bench.open(device)
        return True
    return False


def _touch(bench: Bench, location: str) -> None:
    _greet(bench.source, location)


def _greet(source: DeviceSource, location: str) -> None:
    with source.hold(location) as device:
        device.hello()


def _is_location(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= 200 and text.isprintable()
