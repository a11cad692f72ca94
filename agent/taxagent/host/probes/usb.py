"""What is on the USB bus: ours, the vendors', and the rest. Opens nothing; knows no USB library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from taxagent.model.checks import made, of_problem
from taxagent.model.job import Problem
from taxagent.model.lines import CheckLine
from taxagent.model.usb import Recognised, SeenDevice

_SHOWN = 8  # of the things that are none of ours


def bus(
    seen: Callable[[], tuple[SeenDevice, ...]], trouble: Callable[[], Problem | None]
) -> Iterator[CheckLine]:
    """Yield a finding for each tax-control device that is plugged in, ours or a vendor's."""
    things = seen()
    problem = trouble()
    if problem is not None:
        yield of_problem("usb", problem)
        return
    for thing in things:
        facts = {"name": thing.name, "location": thing.location, "usb_id": _usb_id(thing)}
        if thing.recognised is Recognised.PROFILE:
            yield made("usb", "DEVICE_OURS", **facts)
        elif thing.recognised is Recognised.VENDOR:
            yield made("usb", "DEVICE_VENDORS", **facts)
    others = [thing for thing in things if thing.recognised is Recognised.OTHER]
    if len(others) == len(things):
        yield made("usb", "NO_DEVICE", count=str(len(things)))
    if others:
        yield made("usb", "USB_OTHERS", count=str(len(others)), names=_listed(others))


def _listed(things: Sequence[SeenDevice]) -> str:
    names = [f"{_usb_id(each)} {each.name}".strip() for each in things[:_SHOWN]]
    return ", ".join((*names, "...") if len(things) > _SHOWN else names)


def _usb_id(thing: SeenDevice) -> str:
    return f"{thing.vendor_id:04x}:{thing.product_id:04x}"
