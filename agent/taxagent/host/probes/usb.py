"""What is on the USB bus, and whether the agent's user may open it. Opens nothing; knows no USB library."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from taxagent.host.probes.users import User
from taxagent.model.checks import made, of_problem
from taxagent.model.job import Problem
from taxagent.model.lines import CheckLine
from taxagent.model.usb import Recognised, SeenDevice

_LOCATION = re.compile(r"usb:(\d+)-[\d.]+#(\d+)")


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
    if not any(thing.recognised is not Recognised.OTHER for thing in things):
        yield made("usb", "NO_DEVICE", count=str(len(things)))


def permissions(
    seen: Callable[[], tuple[SeenDevice, ...]], user: User, root: Path = Path("/")
) -> Iterator[CheckLine]:
    """Yield whether `user` may open the node of each device of ours; Linux alone has nodes.

    `root` is where /dev is looked for.
    """
    for thing in seen():
        place = _LOCATION.fullmatch(thing.location)
        if thing.recognised is not Recognised.PROFILE or place is None or os.name != "posix":
            continue
        node = root / f"dev/bus/usb/{int(place[1]):03d}/{int(place[2]):03d}"
        facts = {"path": str(node), "user": user.name}
        try:
            may = user.may_write(node.stat())
        except FileNotFoundError:
            yield made("permissions", "NODE_MISSING", **facts)
            continue
        yield made("permissions", "NODE_OPEN" if may else "NODE_SHUT", **facts)


def _usb_id(thing: SeenDevice) -> str:
    return f"{thing.vendor_id:04x}:{thing.product_id:04x}"
