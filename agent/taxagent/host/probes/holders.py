"""Who has a tax-control device: a driver of the kernel, the agent, another program. Opens no device.

A program speaks to such a device through its USB node, or through the disk or sg node that the kernel's
usb-storage makes for it: all of them are looked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from taxagent.host.probes.nodes import place_of
from taxagent.host.probes.users import user_of
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.model.value import Value

Seen = Callable[[], tuple[SeenDevice, ...]]
_USBFS = "usbfs"  # what the kernel calls the "driver" while a program has claimed the interface


class Program(Value, frozen=True, kw_only=True):
    """A process that has a node open."""

    pid: int
    name: str
    user: str
    node: str


def held(seen: Seen, agent_pid: int = 0, root: Path = Path("/")) -> Iterator[CheckLine]:
    """Yield for each tax-control device its kernel driver, and each program that has it open.

    `agent_pid` is the agent's, 0 where it is not known; `root` is where /sys, /proc and /dev are looked for.
    Programs of others are seen by root alone: what could not be seen is said.
    """
    blind, is_blind = 0, False
    for thing in seen():
        place = place_of(thing.location)
        if place is None or thing.recognised is Recognised.OTHER:
            continue
        programs, blind = holders((place.node, *place.disks(root)), root)
        is_blind = blind > 0 or _hidden(root)
        unseen = "HELD_UNSEEN" if is_blind else "HELD_GONE"
        yield from _of_one(thing, place.driver(root), programs, agent_pid, unseen)
    if is_blind:
        yield made("held", "HOLDERS_HIDDEN", count=str(blind or ""))


def holders(nodes: Sequence[str], root: Path = Path("/")) -> tuple[list[Program], int]:
    """Return the programs that have one of `nodes` open, and how many processes could not be looked at."""
    found: list[Program] = []
    blind = 0
    for folder in sorted((root / "proc").glob("[0-9]*")):
        try:
            links = {str(link.readlink()) for link in (folder / "fd").iterdir()}
        except PermissionError:
            blind += 1
            continue
        except OSError:  # it has ended
            continue
        found += [_program(folder, node) for node in nodes if node in links]
    return found, blind


def _hidden(root: Path) -> bool:
    """Whether this process is shown its own user's processes alone: ProtectProc= of the unit, hidepid=."""
    return not (root / "proc/1").exists()


def _program(folder: Path, node: str) -> Program:
    try:
        name, user = (
            (folder / "comm").read_text("utf-8", "replace").strip(),
            user_of(folder.stat().st_uid).name,
        )
    except OSError:
        name, user = "?", "?"
    return Program(pid=int(folder.name), name=name, user=user, node=node)


def _of_one(
    thing: SeenDevice, driver: str, programs: Sequence[Program], agent_pid: int, unseen: str
) -> Iterator[CheckLine]:
    facts = {"location": thing.location, "name": thing.name, "driver": driver}
    ours = thing.recognised is Recognised.PROFILE
    if driver and driver != _USBFS:
        yield made("held", "KERNEL_DRIVER" if ours else "KERNEL_DRIVER_VENDORS", **facts)
    for one in programs:
        known = {**facts, "pid": str(one.pid), "program": one.name, "user": one.user, "node": one.node}
        if one.pid in (agent_pid, os.getpid()):
            yield made("held", "HELD_BY_AGENT", **known)
        else:
            yield made("held", "HELD_BY_PROGRAM" if ours else "HELD_VENDORS", **known)
    if driver == _USBFS and not programs:
        yield made("held", unseen, **facts)
    elif not driver and not programs:
        yield made("held", "HELD_BY_NONE", **facts)
