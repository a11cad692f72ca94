"""The devices: what is plugged, the queue of each, and the newest snapshot. Lives in the loop's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import structlog

from taxagent.jobs.asks import DeviceView
from taxagent.jobs.device_views import away, bare_view, view_of
from taxagent.jobs.fence import Command
from taxagent.jobs.looks import Looks, shut_out
from taxagent.jobs.plugged import Plugged
from taxagent.jobs.queue import DeviceQueue, Terms
from taxagent.jobs.standings import Standings
from taxagent.jobs.wheels import Wheels
from taxagent.model.device import DeviceState, Hello
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceAbsent,
    DeviceInUse,
    DeviceLent,
    Interrupted,
    JournalError,
    Refusal,
    Unavailable,
)
from taxagent.model.events import AnyDeviceEvent, DeviceFreed
from taxagent.model.job import Problem
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Device, DeviceSource, Journal

_log = structlog.get_logger(__name__)
_STALE_MS = 15 * 60_000
_NEVER_MS = 1 << 62
_GLANCE_MS = 1_000  # least time between two looks for a password that was given
_PASSING_MS = 30_000  # until a device that could not be read for a passing reason is looked at again


class Roster:
    """Keeps a queue for every plugged profile device and a view of every device seen since the start."""

    queue_class: ClassVar[type[DeviceQueue]] = DeviceQueue

    def __init__(
        self,
        source: DeviceSource,
        looks: Looks,
        wheels: Wheels,
        journal: Journal,
        *,
        identified: Callable[[str], None],
        terms: Terms | None = None,
    ) -> None:
        self._looks = looks
        self._wheels = wheels
        self._clock = wheels.clock
        self._timers = wheels.timers
        self._journal = journal
        self._identified = identified
        self.standings = Standings(wheels.clock)
        self._plugged = Plugged(
            self.queue_class,
            source,
            terms or Terms(),
            wheels,
            hung=self._hung,
            back=self._back,
            gripped=self._changed,
        )
        self._renewing: set[str] = set()  # locations whose reading is queued
        self._retrying: set[str] = set()  # locations that have a timer for another look
        self._returned: set[str] = set()  # devices that left after they hung: their next arrival is a new one
        self._glanced_ms = 0
        self._views: dict[str, DeviceView] = {}  # by device_no
        self.changes = 0  # grows with every change of a view or of what is seen
        self.seen: tuple[SeenDevice, ...] = ()
        self.trouble: Problem | None = None

    def start(self) -> None:
        """Renew every snapshot from time to time, where the device is free."""
        self._timers.call_later(_STALE_MS, self._renew_all)

    def changed(self, seen: tuple[SeenDevice, ...]) -> None:
        """Take what is on the bus now: a queue for each new location, none for one that is gone."""
        self.seen = seen
        self.changes += 1
        now = {thing.location for thing in seen if thing.recognised is Recognised.PROFILE}
        for location in self._plugged.places - now:
            self._gone(location)
        for location in sorted(now - self._plugged.places):
            standing = self.standings.at(location)
            why = self._unwanted(standing.device_no, location) if standing is not None else None
            if why is None or standing is None:
                self._open(location)
            else:  # it is known from before, without a touch
                self._leave_alone(standing.device_no, location, why)

    def _open(self, location: str) -> None:
        if self._plugged.open(location):
            self.renew(location)

    def _renew_all(self) -> None:
        for location in self._plugged.places:
            self.renew(location)
        self._timers.call_later(_STALE_MS, self._renew_all)

    def renew(self, location: str) -> None:
        """Read the device afresh when its queue comes to it, once however often it is asked meanwhile."""
        queue = self._plugged.queue(location)
        if queue is None or location in self._renewing:
            return
        if queue.put(
            lambda device: self._snapshot(queue, device),
            lambda error: self._unreadable(queue, None, error),
        ):
            self._renewing.add(location)

    def queue_of(self, device_no: str) -> DeviceQueue | None:
        """Return the queue of a device that is plugged, identified and used, or None."""
        view = self._views.get(device_no)
        return self._plugged.queue(view.location) if view is not None else None

    def missing(self, device_no: str) -> Unavailable:
        """Return why there is no queue of a device: released, quarantined, it hangs, or is not plugged."""
        view = self._views.get(device_no)
        barred = self._plugged.bar(view.location) if view is not None else None
        return barred or self._unwanted(device_no, "") or DeviceAbsent("DEVICE_ABSENT", device_no=device_no)

    def view(self, device_no: str) -> DeviceView | None:
        """Return the newest view of a device that was seen since the start, or None."""
        view = self._views.get(device_no)
        return self._aged(view) if view is not None else None

    def views(self) -> tuple[DeviceView, ...]:
        """Return every device seen since the start, by number."""
        return tuple(self._aged(self._views[number]) for number in sorted(self._views))

    def stale_ms(self) -> int:
        """Return the UTC in ms at which the next view turns stale by age; very late where none does."""
        ages = [view.as_of_ms + _STALE_MS + 1 for view in self._views.values() if not view.stale]
        now = self._clock.utc_ms()
        return min((at_ms for at_ms in ages if at_ms > now), default=_NEVER_MS)

    def took(self, location: str, state: DeviceState) -> None:
        """Take a reading that a job or a prepare has made; the device may have gone since.

        A stock that it did not read is as it was known: no work of ours changes it.
        """
        here = location in self._plugged.places
        barred = self._plugged.bar(location)
        known = self._views.get(state.hello.device_no)
        if state.stock is None and known is not None and known.state is not None:
            state = msgspec.structs.replace(state, stock=known.state.stock)
        view = view_of(location if here else "", state, self._clock.utc_ms())
        if barred is not None:
            view = msgspec.structs.replace(view, problem=barred.problem())
        if here:
            self._put(view)
        elif known is None or not known.location:
            self._views[view.device_no] = msgspec.structs.replace(view, stale=True)
            self.changes += 1

    def close(self, timeout_s: float) -> bool:
        """As Plugged.close. Any thread."""
        return self._plugged.close(timeout_s)

    @property
    def hanging(self) -> tuple[str, ...]:
        """The devices that hang in this process and are not quarantined: a new process would try them."""
        return tuple(
            view.device_no
            for view in self._views.values()
            if view.location
            and self._plugged.stuck(view.location) is not None
            and not self.standings.of(view.device_no).quarantined
        )

    @property
    def given_up(self) -> int:
        """How many threads hang in a library: the process cannot end in the usual way with them."""
        return self._plugged.given_up

    def _snapshot(self, queue: DeviceQueue, device: Device) -> None:
        known: Hello | None = None

        def greeted(hello: Hello) -> None:
            nonlocal known
            known = hello
            released = self.standings.released(hello.device_no)
            if released is not None:
                raise released

        try:
            state = self._looks.look(device, greeted)
        except AgentError as error:
            if isinstance(error, Refusal):
                device.close()  # it is well: nobody else may find its session open
            self._unreadable(queue, known, error)
            return
        self._wheels.mailbox.post(lambda: self._arrived(queue, state))

    def _arrived(self, queue: DeviceQueue, state: DeviceState) -> None:
        location, device_no = queue.location, state.hello.device_no
        if self._plugged.queue(location) is not queue:
            return
        self._renewing.discard(location)
        known = self._views.get(device_no)
        if known is None or known.location != location:
            _log.info("device_identified", device_no=device_no, location=location)
            self._came(device_no, location)
        self.took(location, state)
        self._identified(device_no)

    def _came(self, device_no: str, location: str) -> None:
        """A device that hung at its last plugging answers at a new one: that counts no more."""
        standing = self.standings.of(device_no)
        if standing.hung and (device_no in self._returned or standing.location != location):
            self._returned.discard(device_no)
            at_ms, sim_ms = self._clock.utc_ms(), self._clock.sim_ms()
            self._note(DeviceFreed(device_no=device_no, how="replugged", at_ms=at_ms, sim_ms=sim_ms))

    def _unreadable(self, queue: DeviceQueue, hello: Hello | None, error: AgentError) -> None:
        _log.warning("device_unreadable", location=queue.location, fault=error.fault, detail=error.detail)
        self._wheels.mailbox.post(lambda: self._put_problem(queue, hello, error))

    def _put_problem(self, queue: DeviceQueue, hello: Hello | None, error: AgentError) -> None:
        """Show why the device cannot be read; what was read of it before keeps its own age."""
        location = queue.location
        if self._plugged.queue(location) not in (queue, None):
            return  # of a plugging before
        self._renewing.discard(location)
        if self._plugged.queue(location) is None or isinstance(error, Interrupted):
            return
        device_no = hello.device_no if hello is not None else error.detail.get("device_no", "")
        known = self._views.get(device_no) if device_no else self._at(location)
        if known is None:
            known = bare_view(device_no, hello, self._clock.utc_ms())
        self._put(
            msgspec.structs.replace(
                known, location=location, problem=error.problem(), **self._holder(known, error)
            )
        )
        if isinstance(error, DeviceLent):
            self.stands(device_no)
            return
        if isinstance(error, Unavailable | AnswerLost):
            self._retry(location)
        if device_no and (known.location, known.problem) != (location, error.problem()):
            self._identified(device_no)  # news; else jobs and looks that fail would wake each other for ever

    def _holder(self, known: DeviceView, error: AgentError) -> dict[str, Any]:
        if not isinstance(error, DeviceInUse):
            return {"held_by": "", "held_since_ms": 0}
        since = known.held_since_ms if known.held_by else self._clock.utc_ms()
        return {"held_by": error.detail.get("holder") or "?", "held_since_ms": since}

    def _retry(self, location: str) -> None:
        """Look again soon, with one timer however many looks fail. A password is not the reason here."""
        if location in self._retrying:
            return
        self._retrying.add(location)

        def again() -> None:
            self._retrying.discard(location)
            self.renew(location)

        self._timers.call_later(_PASSING_MS, again)

    def _at(self, location: str) -> DeviceView | None:
        return next((view for view in self._views.values() if view.location == location), None)

    def _put(self, view: DeviceView) -> None:
        self._leave(view.location)
        self._views[view.device_no or view.location] = view

    def _leave(self, location: str) -> None:
        """Whatever was at `location` is not there any more; what never had a number is forgotten."""
        self.changes += 1
        for key, view in list(self._views.items()):
            if view.location == location:
                if view.device_no:
                    self._views[key] = away(view)
                else:
                    del self._views[key]

    def _gone(self, location: str) -> None:
        view = self._at(location)
        if view is not None and view.device_no and self.standings.of(view.device_no).hung:
            self._returned.add(view.device_no)
        self._plugged.gone(location)
        self._renewing.discard(location)
        self._leave(location)
        _log.info("device_gone", location=location)

    def _changed(self) -> None:
        self.changes += 1

    def _aged(self, view: DeviceView) -> DeviceView:
        held_ms = self._plugged.held_since(view.location)
        if held_ms and not view.held_by:
            view = msgspec.structs.replace(view, held_by="agent", held_since_ms=held_ms)
        old = self._clock.utc_ms() - view.as_of_ms > _STALE_MS
        return msgspec.structs.replace(view, stale=True) if old and not view.stale else view

    # ---- devices that are left alone

    def stands(self, device_no: str) -> None:
        """Do what the device's standing asks for now: leave it alone, or use it again."""
        view = self._views.get(device_no)
        if view is None or not view.location:
            return
        location, why = view.location, self._unwanted(device_no, view.location)
        if why is not None:
            self._leave_alone(device_no, location, why)
        elif self._plugged.bar(location) is not None:
            self._put(msgspec.structs.replace(view, problem=None, held_by="", held_since_ms=0))
            self._open(location)
        else:
            self.renew(location)

    def _leave_alone(self, device_no: str, location: str, why: Unavailable) -> None:
        self._plugged.shut(location, why)
        self._renewing.discard(location)
        view = self._views.get(device_no) or bare_view(device_no, None, self._clock.utc_ms())
        release = self.standings.of(device_no).release if isinstance(why, DeviceLent) else None
        shown = msgspec.structs.replace(
            view, location=location, problem=why.problem(), held_by="", held_since_ms=0
        )
        self._put(shown)
        if release is not None and release.until_ms is not None:
            left_ms = max(0, release.until_ms - self._clock.utc_ms())
            self._timers.call_later(left_ms, lambda: self.stands(device_no))
        self._identified(device_no)

    def _unwanted(self, device_no: str, location: str) -> Unavailable | None:
        """Return why the device is left alone: also where a thread of ours hangs with it in its hands."""
        stuck = self._plugged.stuck(location) if location else None
        why = self.standings.unwanted(device_no, location)
        return why or (DeviceAbsent("DEVICE_HUNG", device_no=device_no, **stuck.detail) if stuck else None)

    def _back(self, location: str) -> None:
        """A call that hung at a place has returned: the device is taken afresh, unless it is left alone."""
        view = self._at(location)
        if view is not None and view.device_no:
            self.stands(view.device_no)
        else:
            self._open(location)

    def _hung(self, location: str, command: Command) -> None:
        """A thread was given up: show it, remember it, and leave the device alone where it was twice."""
        view, before = self._at(location), self.standings.at(location)
        number = view.device_no if view is not None else ""
        if not number and before is not None and before.hung:
            number = before.device_no  # it hangs at this plugging again, before it could say who it is
        self._renewing.discard(location)
        hanging = self._plugged.bar(location)
        if hanging is None:
            return
        if not number:
            self._put(
                msgspec.structs.replace(
                    view or bare_view("", None, self._clock.utc_ms()),
                    location=location,
                    problem=hanging.problem(),
                )
            )
            return
        self._leave_alone(number, location, DeviceAbsent("DEVICE_HUNG", device_no=number, **hanging.detail))
        self._note(*self.standings.hanging(number, location, command))

    def _note(self, *events: AnyDeviceEvent) -> None:
        def noted() -> None:
            try:
                self._journal.append(*events)
            except JournalError as error:
                _log.error("device_not_journaled", fault=error.fault, device_no=events[0].device_no)

        self._wheels.background(noted)

    # ---- passwords that a person gives meanwhile

    def glance(self) -> None:
        """Somebody looks: where a device was not let in, see whether its password was given since."""
        now, locked_out = self._clock.utc_ms(), shut_out(self._views.values())
        if not locked_out or now - self._glanced_ms < _GLANCE_MS:
            return
        self._glanced_ms = now

        def given() -> None:
            for location in self._looks.given_since(locked_out):
                self._wheels.mailbox.post(lambda location=location: self.renew(location))  # type: ignore[misc]

        self._wheels.background(given)
