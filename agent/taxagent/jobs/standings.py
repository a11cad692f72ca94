"""What is durable of each device that hung or was given up, in memory. Belongs to the loop's thread.

Its values are replaced, never changed: other threads may look a device up.
"""

from __future__ import annotations

from collections.abc import Iterable

from taxagent.jobs.fence import Command
from taxagent.model.errors import DeviceAbsent, DeviceLent, Unavailable
from taxagent.model.events import (
    AgentStopped,
    AnyDeviceEvent,
    AnyEvent,
    DeviceFreed,
    DeviceHeld,
    DeviceHung,
    DeviceQuarantined,
    DeviceReleased,
)
from taxagent.model.simtime import local_time
from taxagent.model.standing import QUARANTINED_AFTER, Standing, stood
from taxagent.ports import Clock

RESTARTED = "device_hung"
"""The reason of a stop by which the agent means to get rid of a thread that hangs."""


class Standings:
    """The standing of every device, and the orders by their keys. Never ahead of the journal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_number: dict[str, Standing] = {}
        self._orders: dict[tuple[str, str], tuple[str, str]] = {}
        self.restarted_ms: int | None = None  # when the agent last restarted itself for a hung device
        self.changes = 0

    def read(self, rows: Iterable[AnyEvent]) -> None:
        """Take the journal's rows at the start, oldest first."""
        for event in rows:
            self.take(event)

    def take(self, event: AnyEvent) -> str:
        """Apply a committed row; return the device whose standing it is about, or ""."""
        if isinstance(event, AgentStopped) and event.reason == RESTARTED:
            self.restarted_ms = event.at_ms
        if not isinstance(event, DeviceHung | DeviceQuarantined | DeviceFreed | DeviceReleased | DeviceHeld):
            return ""
        if not isinstance(event, DeviceHung | DeviceQuarantined) and event.key:
            self._orders[event.principal, event.key] = (event.request_sha256, event.device_no)
        number = event.device_no
        self._by_number = {**self._by_number, number: stood(self.of(number), event)}
        self.changes += 1
        return number

    def of(self, device_no: str) -> Standing:
        """Return how the device stands; well, where nothing is known."""
        return self._by_number.get(device_no) or Standing(device_no=device_no)

    def at(self, arrival: str) -> Standing | None:
        """Return the standing of the device that hung or was released at this very plugging, or None.

        A place alone tells nothing: its name begins anew with the machine and with the bus.
        """
        here = (one for one in self._by_number.values() if arrival and one.arrival == arrival)
        return next((one for one in here if one.hung or one.quarantined or one.release), None)

    def order(self, principal: str, key: str) -> tuple[str, str] | None:
        """Return (request_sha256, device_no) of the order that this key made, or None."""
        return self._orders.get((principal, key))

    def unwanted(self, device_no: str, location: str = "", arrival: str = "") -> Unavailable | None:
        """Return why the device is left alone, or None. It is quarantined at one plugging; "" = at any."""
        standing = self.of(device_no)
        facts = {"device_no": device_no, **({"location": location} if location else {})}
        if standing.quarantined and (not location or standing.is_at(location, arrival)):
            return DeviceAbsent("DEVICE_QUARANTINED", times=str(standing.hung), **facts)
        return self.released(device_no)

    def released(self, device_no: str) -> DeviceLent | None:
        """Return by whom the device was given up, or None."""
        release = self.of(device_no).release
        if release is None or not release.holds(self._clock.utc_ms()):
            return None
        until = local_time(release.until_ms).strftime("%m-%d %H:%M") if release.until_ms else ""
        facts = {"device_no": device_no, "holder": release.by, **({"until": until} if until else {})}
        return DeviceLent(until_ms=release.until_ms, **facts)

    def hanging(
        self, device_no: str, location: str, arrival: str, command: Command
    ) -> tuple[AnyDeviceEvent, ...]:
        """Return the rows for a device that hangs in `command`: it is quarantined where it did before."""
        at_ms, sim_ms = self._clock.utc_ms(), self._clock.sim_ms()
        times = self.of(device_no).hung + 1
        hung = DeviceHung(
            device_no=device_no,
            location=location,
            arrival=arrival,
            command=command.name,
            limit_s=round(command.limit_s),
            at_ms=at_ms,
            sim_ms=sim_ms,
        )
        quarantined = DeviceQuarantined(
            device_no=device_no, location=location, arrival=arrival, times=times, at_ms=at_ms, sim_ms=sim_ms
        )
        return (hung, quarantined) if times >= QUARANTINED_AFTER else (hung,)
