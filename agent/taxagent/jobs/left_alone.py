"""Devices that are plugged and not used: they hang, are quarantined, or were released; and how that ends.

Follows from each device's standing, and from threads of this process that hang. Lives in the loop's thread.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import structlog

from taxagent.jobs.device_views import bare_view
from taxagent.jobs.fence import Command
from taxagent.jobs.plugged import Plugged
from taxagent.jobs.standings import Standings
from taxagent.jobs.view_book import ViewBook
from taxagent.jobs.wheels import Wheels
from taxagent.model.errors import DeviceAbsent, DeviceLent, JournalError, Unavailable
from taxagent.model.events import AnyDeviceEvent, DeviceFreed
from taxagent.ports import Journal

_log = structlog.get_logger(__name__)


class Places(Protocol):
    """Who uses the devices: the roster."""

    def use(self, location: str) -> None:
        """Make a queue for a place and read the device there."""

    def renew(self, location: str) -> None:
        """Read the device at a place afresh."""

    def drop(self, location: str) -> None:
        """What was asked of a place is void."""

    def arrival(self, location: str) -> str:
        """Return which plugging is at a place (SeenDevice.arrival), "" where the bus cannot tell."""

    def news(self, device_no: str) -> None:
        """What is known of a device has changed."""


class LeftAlone:
    """Decides for each place whether its device is used, and remembers what is to be remembered."""

    def __init__(
        self,
        places: Places,
        plugged: Plugged,
        views: ViewBook,
        standings: Standings,
        wheels: Wheels,
        journal: Journal,
    ) -> None:
        self._places = places
        self._plugged = plugged
        self._views = views
        self._standings = standings
        self._wheels = wheels
        self._journal = journal
        self._returned: set[str] = set()  # devices that left after they hung: their next arrival is a new one

    def unwanted(self, device_no: str, location: str) -> Unavailable | None:
        """Return why the device is left alone: also where a thread of ours hangs with it in its hands."""
        stuck = self._plugged.stuck(location) if location else None
        why = self._standings.unwanted(device_no, location, self._places.arrival(location))
        return why or (DeviceAbsent("DEVICE_HUNG", device_no=device_no, **stuck.detail) if stuck else None)

    def from_before(self, location: str) -> bool:
        """Leave alone what is known to be at a place without a touch; return whether that is so."""
        standing = self._standings.at(self._places.arrival(location))
        why = self.unwanted(standing.device_no, location) if standing is not None else None
        if why is None or standing is None:
            return False
        self._leave(standing.device_no, location, why)
        return True

    def stands(self, device_no: str) -> None:
        """Do what the device's standing asks for now: leave it alone, or use it again."""
        view = self._views.kept(device_no)
        if view is None or not view.location:
            return
        location, why = view.location, self.unwanted(device_no, view.location)
        if why is not None:
            self._leave(device_no, location, why)
        elif self._plugged.bar(location) is not None:
            self._views.put(msgspec.structs.replace(view, problem=None, held_by="", held_since_ms=0))
            self._places.use(location)
        else:
            self._places.renew(location)

    def hung(self, location: str, command: Command) -> None:
        """A thread was given up: show it, remember it, and leave the device alone where it was twice."""
        arrival = self._places.arrival(location)
        view, before = self._views.at(location), self._standings.at(arrival)
        number = view.device_no if view is not None else ""
        if not number and before is not None and before.hung:
            number = before.device_no  # it hangs at this plugging again, before it could say who it is
        self._places.drop(location)
        hanging = self._plugged.stuck(location)
        if hanging is None:
            return
        if number:
            why = DeviceAbsent("DEVICE_HUNG", device_no=number, **hanging.detail)
            self._leave(number, location, why)
            self._note(*self._standings.hanging(number, location, arrival, command))
        else:
            view = view or bare_view("", None, self._wheels.clock.utc_ms())
            self._views.put(msgspec.structs.replace(view, location=location, problem=hanging.problem()))

    def back(self, location: str) -> None:
        """A call that hung at a place has returned: the device is taken afresh, unless it is left alone."""
        view = self._views.at(location)
        if view is not None and view.device_no:
            self.stands(view.device_no)
        else:
            self._places.use(location)

    def gone(self, device_no: str) -> None:
        """A device was unplugged."""
        if self._standings.of(device_no).hung:
            self._returned.add(device_no)

    def came(self, device_no: str, location: str) -> None:
        """A device that hung at its last plugging says at a new one who it is: that counts no more."""
        standing, clock = self._standings.of(device_no), self._wheels.clock
        if standing.hung and (
            device_no in self._returned or not standing.is_at(location, self._places.arrival(location))
        ):
            self._returned.discard(device_no)
            freed = DeviceFreed(
                device_no=device_no, how="replugged", at_ms=clock.utc_ms(), sim_ms=clock.sim_ms()
            )
            self._note(freed)

    def hanging(self) -> tuple[str, ...]:
        """Return the devices that hang and are not quarantined: a new process would try them once more."""
        return tuple(
            view.device_no
            for view in self._views
            if view.location
            and self._plugged.stuck(view.location) is not None
            and not self._standings.of(view.device_no).quarantined
        )

    def _leave(self, device_no: str, location: str, why: Unavailable) -> None:
        self._plugged.shut(location, why)
        self._places.drop(location)
        view = self._views.kept(device_no) or bare_view(device_no, None, self._wheels.clock.utc_ms())
        self._views.put(
            msgspec.structs.replace(
                view, location=location, problem=why.problem(), held_by="", held_since_ms=0
            )
        )
        if isinstance(why, DeviceLent) and why.until_ms is not None:
            left_ms = max(0, why.until_ms - self._wheels.clock.utc_ms())
            self._wheels.timers.call_later(left_ms, lambda: self.stands(device_no))
        self._places.news(device_no)

    def _note(self, *events: AnyDeviceEvent) -> None:
        def noted() -> None:
            try:
                self._journal.append(*events)
            except JournalError as error:
                _log.error("device_not_journaled", fault=error.fault, device_no=events[0].device_no)

        self._wheels.background(noted)
