"""What is said on a simulator's control connection. Values only; `control` has the protocol."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, get_args

from msgspec import Meta

from taxagent.model.value import Value
from taxagent.simulator.faults import Act, Point
from taxagent.simulator.scenario import Battery, Count, LocalTime
from taxagent.simulator.state import LoggedWrite

BusId = Annotated[str, Meta(pattern=r"^[1-9][0-9]?-[1-9][0-9]?(\.[1-9][0-9]?){0,5}$")]


class Order(Value, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """A command. `id` comes back in the reply. `device` is a device number or a busid."""

    id: int = 0


class Plug(Order, frozen=True, kw_only=True, tag="plug"):
    """Plug the device in, in its port or another one that is free."""

    device: str
    port: BusId | None = None


class Unplug(Order, frozen=True, kw_only=True, tag="unplug"):
    """Pull the device out."""

    device: str


class PowerCycle(Order, frozen=True, kw_only=True, tag="power_cycle"):
    """Take the power from the device and give it back: a new address, in its port or another one."""

    device: str
    port: BusId | None = None


class Hang(Order, frozen=True, kw_only=True, tag="hang"):
    """Let the device answer nothing any more, not even control transfers, until it loses power."""

    device: str


class Silence(Order, frozen=True, kw_only=True, tag="silence"):
    """Let the device say nothing on its bulk pipes, until it loses power."""

    device: str


class SetUsb(Order, frozen=True, kw_only=True, tag="usb"):
    """Change the device's manners as hardware; what is left out stays as it is."""

    device: str
    readable_strings: bool | None = None
    empty_reads: Annotated[int, Meta(ge=0, le=8)] | None = None


class Show(Order, frozen=True, kw_only=True, tag="show"):
    """List the devices."""


class SetClock(Order, frozen=True, kw_only=True, tag="clock"):
    """Let the device's clock stand at `set`, put it forward by `advance_s`, or give it another battery."""

    device: str
    set: LocalTime | None = None
    advance_s: Annotated[int, Meta(ge=-(10**9), le=10**9)] | None = None
    battery: Battery | None = None


class SetPassword(Order, frozen=True, kw_only=True, tag="password"):
    """Change the device's password; all tries are there again."""

    device: str
    set: Annotated[str, Meta(min_length=1, max_length=32)]


class Upload(Order, frozen=True, kw_only=True, tag="upload"):
    """Count the invoices issued so far as uploaded."""

    device: str


class OrderFault(Order, frozen=True, kw_only=True, tag="fault"):
    """Arm a fault; the reply has its id in `fault`."""

    device: str
    command: str
    act: Act
    point: Point = Point.BEFORE
    nth: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    code: Annotated[str, Meta(max_length=8)] = ""


class Release(Order, frozen=True, kw_only=True, tag="release"):
    """End a hold."""

    fault: Count


class ClearFaults(Order, frozen=True, kw_only=True, tag="clear_faults"):
    """Forget what has not struck yet, and release every hold."""


class Log(Order, frozen=True, kw_only=True, tag="log"):
    """Return the device's write log."""

    device: str


class Quit(Order, frozen=True, kw_only=True, tag="quit"):
    """End the simulator."""


AnyOrder = (
    Plug
    | Unplug
    | PowerCycle
    | Hang
    | Silence
    | SetUsb
    | Show
    | SetClock
    | SetPassword
    | Upload
    | OrderFault
    | Release
    | ClearFaults
    | Log
    | Quit
)


ORDERS = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyOrder))
"""The names of the orders."""


class Shown(Value, frozen=True, kw_only=True):
    """One device in the answer to Show."""

    busid: str
    device_no: str
    kind: str
    taxpayer_id: str
    plugged: bool
    held_by_host: bool  # a host has imported it
    address: int  # new with each plug
    state: str  # working, silent, hung
    battery: str  # of its clock: good, dead, broken
    pending_uploads: int
    readable_strings: bool
    empty_reads: int
    largest_read: int
    terminal_no: int
    clock: dt.datetime
    tries_left: int
    groups: dict[str, tuple[dt.date, dt.date]]  # group -> (last_report, invoicing_deadline)


class Reply(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to an order: `ok`, or what is wrong."""

    reply: int  # the order's id
    ok: bool
    error: str | None = None
    fault: int | None = None
    devices: tuple[Shown, ...] | None = None
    writes: tuple[LoggedWrite, ...] | None = None


class HelloEvent(Value, frozen=True, kw_only=True, tag_field="event", tag="hello"):
    """The first line on each connection: what is plugged now, and which run of the server this is."""

    devices: tuple[str, ...]
    server: str = ""


class PlugEvent(Value, frozen=True, kw_only=True):
    """A device came or went; `event` is "arrival" or "removal"."""

    event: str
    busid: str


class ReachedEvent(Value, frozen=True, kw_only=True, tag_field="event", tag="reached"):
    """A fault has struck; a hold stands still until Release."""

    fault: int
    device_no: str
    command: str
    point: Point
    act: Act
