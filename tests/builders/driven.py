"""A bench whose device is asked through the real driver and its frames; only USB is left out.

What the driver adds to a kind (sealing by reading, waiting until a seal shows) is part of the work then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from taxagent.device.commands import Command
from taxagent.device.profile import ProfileDevice
from taxagent.device.transport import CommandFailed, Transport
from taxagent.device.wire import Execute, Fetch, parse_cdb
from taxagent.model.device import QUIRKS, DeviceKind
from taxagent.model.period import Period
from taxagent.ports import Device
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.exchange import Exchange
from taxagent.simulator.kinds import last_report_of
from taxagent.simulator.scenario import Blanks
from tests.builders.scenario import CODE, OCTOBER
from tests.builders.tap import Tap
from tests.builders.work import Bench
from tests.builders.work_ports import ModelDevice
from tests.builders.world import due

SETTLES_MS = 1_200
TYPES = {
    DeviceKind.CONTROL_DISK: ("007", "004"),
    DeviceKind.GOLDEN_DISK: ("004", "007", "026"),
    DeviceKind.UKEY: ("007", "026"),
}
GROUPS = {
    DeviceKind.CONTROL_DISK: ("007", "004"),
    DeviceKind.GOLDEN_DISK: ("004+007", "026"),
    DeviceKind.UKEY: ("007+026",),
}
_NAMES = {"apply_clock_ticket": "clock_ticket"}  # as the other adapter's taps have it
_NO_IO = frozenset({"seal_sha256", "ticket_sha256", "clock_ticket_sha256"})


class DrivenBench(Bench):
    """A device of `kind` of which `periods` are to be reported. Its clock moves where the driver pauses."""

    def __init__(
        self,
        folder: Path,
        kind: DeviceKind,
        periods: tuple[Period, ...] = (OCTOBER,),
        *,
        names: tuple[str, ...] = (),
        **device: Any,
    ) -> None:
        fields: dict[str, Any] = {"kind": kind, "types": kind_types(kind, periods, names)}
        if QUIRKS[kind].seal_by_reading:
            fields["settles_ms"] = SETTLES_MS
        super().__init__(folder, **(fields | device))
        self.adapter = cast("Callable[[], ModelDevice]", self.driver)

    def driver(self) -> Device:
        """Return the driver on the device as it would be held anew, every call and frame passing the tap."""
        carried = ProfileDevice(self.transport(), self.clock.monotonic, self._passes)
        return tapped(carried, self.tap)

    def transport(self) -> Transport:
        """Return what carries the driver's command blocks to the device."""
        self.carried = Carried(self.device, self.tap)
        return self.carried

    def _passes(self, seconds: float) -> None:
        self.tap.pass_by("settling")
        self.clock.now += dt.timedelta(seconds=seconds)


class Carried:
    """transport.Transport to a simulated device of this process. A reading of a summary passes the tap."""

    def __init__(self, device: VirtualDevice, tap: Tap) -> None:
        self._exchange = Exchange(device)
        self._tap = tap

    def swap(self, device: VirtualDevice) -> None:
        """Another device is in the port from now on."""
        self._exchange = Exchange(device)

    def command(self, cdb: bytes, *, data_out: bytes = b"", data_in: int = 0, timeout_ms: int) -> bytes:
        try:
            return self._carried(parse_cdb(cdb), data_out)
        except Denied as denied:
            raise CommandFailed(denied.sense()) from denied

    def _carried(self, block: Execute | Fetch | None, data_out: bytes) -> bytes:
        if isinstance(block, Fetch):
            return self._exchange.fetch(block)
        assert block is not None
        request = self._exchange.admit(block, data_out)
        if request.command == Command.READ_SUMMARY:
            self._tap.call("reading", lambda: self._exchange.execute(request))
        else:
            self._exchange.execute(request)
        return b""


def tapped(device: ProfileDevice, tap: Tap) -> Device:
    """Return the device with every call of it passing the tap."""
    return cast("Device", _Tapped(device, tap))


class _Tapped:
    """Every method of a device, between the two passes of its name."""

    def __init__(self, device: ProfileDevice, tap: Tap) -> None:
        self._device = device
        self._tap = tap

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._device, name)
        if name in _NO_IO:
            return method
        return lambda *args: self._tap.call(_NAMES.get(name, name), lambda: method(*args))


def kind_types(
    kind: DeviceKind, periods: tuple[Period, ...] = (OCTOBER,), names: tuple[str, ...] = ()
) -> tuple[Any, ...]:
    """Return the invoice types (all, or `names`) of a kind's device, standing as the kind stores it."""
    before = Period((dt.date.fromisoformat(f"{periods[0]}-01") - dt.timedelta(days=1)).isoformat()[:7])
    return tuple(
        due(
            name,
            *periods,
            last_report=last_report_of(before, QUIRKS[kind]),
            stock=(Blanks(code=f"{CODE[:7]}{name}", number_from="00000001", count=50),),
        )
        for name in names or TYPES[kind]
    )
