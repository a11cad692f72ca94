"""The devices: what is plugged, the queue of each, and the newest snapshot. Lives in the loop's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import msgspec
import structlog

from taxagent.jobs.asks import DeviceView
from taxagent.jobs.device_views import bare_view, view_of
from taxagent.jobs.fence import Command
from taxagent.jobs.left_alone import LeftAlone
from taxagent.jobs.looks import Looks, shut_out
from taxagent.jobs.plugged import Plugged
from taxagent.jobs.queue import DeviceQueue, Terms
from taxagent.jobs.standings import Standings
from taxagent.jobs.view_book import STALE_MS, ViewBook
from taxagent.jobs.wheels import Wheels
from taxagent.model.device import DeviceState, Hello
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceAbsent,
    DeviceInUse,
    DeviceLent,
    Interrupted,
    Unavailable,
)
from taxagent.model.job import Job, Outcome, Problem, WaitReason
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Device, DeviceSource, Journal

_log = structlog.get_logger(__name__)
_ABSENT = "DEVICE_ABSENT"  # of a place where something is plugged: only a look can tell what is there
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
        self._greeted: dict[str, str] = {}  # by location: who has said at this plugging that it is there
        self._glanced_ms = 0
        self._views = ViewBook(wheels.clock, self._plugged.held_since, self._plugged.silent)
        self._alone = LeftAlone(self, self._plugged, self._views, self.standings, wheels, journal)
        self._changes = 0
        self.seen: tuple[SeenDevice, ...] = ()
        self.trouble: Problem | None = None

    def start(self) -> None:
        """Renew every snapshot from time to time, where the device is free."""
        self._timers.call_later(STALE_MS, self._renew_all)

    def changed(self, seen: tuple[SeenDevice, ...]) -> None:
        """Take what is on the bus now: a queue for each new location, none for one that is gone."""
        self.seen = seen
        self._changes += 1
        now = {thing.location for thing in seen if thing.recognised is Recognised.PROFILE}
        for location in self._plugged.places - now:
            self._gone(location)
        for location in sorted(now - self._plugged.places):
            if not self._alone.from_before(location):
                self.use(location)

    # ---- left_alone.Places

    def use(self, location: str) -> None:
        """Make a queue for a place and read the device there."""
        if self._plugged.open(location):
            self.renew(location)

    def _renew_all(self) -> None:
        for location in self._plugged.places:
            self.renew(location)
        self._timers.call_later(STALE_MS, self._renew_all)

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

    def drop(self, location: str) -> None:
        """What was asked of a place is void."""
        self._renewing.discard(location)

    def arrival(self, location: str) -> str:
        """Return which plugging is at a place (SeenDevice.arrival), "" where the bus cannot tell."""
        return next((thing.arrival for thing in self.seen if thing.location == location), "")

    def news(self, device_no: str) -> None:
        """What is known of a device has changed."""
        self._identified(device_no)

    # ---- what is known

    def queue_of(self, device_no: str) -> DeviceQueue | None:
        """Return the queue of a device that is plugged, identified and used, or None."""
        view = self._views.kept(device_no)
        return self._plugged.queue(view.location) if view is not None else None

    def missing(self, device_no: str) -> Unavailable:
        """Return why there is no queue of a device: released, quarantined, it hangs, or is not plugged."""
        view = self._views.kept(device_no)
        barred = self._plugged.bar(view.location) if view is not None else None
        return (
            barred
            or self._alone.unwanted(device_no, "")
            or DeviceAbsent("DEVICE_ABSENT", device_no=device_no)
        )

    def view(self, device_no: str) -> DeviceView | None:
        """Return the newest view of a device that was seen since the start, or None."""
        return self._views.of(device_no)

    def views(self) -> tuple[DeviceView, ...]:
        """Return every device seen since the start, by number."""
        return (*self._unnamed(), *self._views.all())

    def _unnamed(self) -> Iterator[DeviceView]:
        """Places where a device is silent before it could say who it is."""
        for location in sorted(self._plugged.places):
            problem = self._plugged.silent(location)
            if problem is not None and self._views.at(location) is None:
                bare = bare_view("", None, self._clock.utc_ms())
                yield msgspec.structs.replace(bare, location=location, problem=problem)

    def stale_ms(self) -> int:
        """Return the UTC in ms at which the next view turns stale by age; very late where none does."""
        return self._views.stale_ms()

    @property
    def changes(self) -> int:
        """A number that grows with every change of a view or of what is seen."""
        return self._changes + self._views.changes

    def took(self, location: str, state: DeviceState, read_ms: int | None = None) -> None:
        """Take a reading that a job or a prepare has made; the device may have gone since.

        `read_ms` is when it was made (ms UTC; None: just now); one that is older than what is shown is left.
        A stock that it did not read is as it was known: no work of ours changes it.
        """
        here = location in self._plugged.places
        barred = self._plugged.bar(location)
        known = self._views.kept(state.hello.device_no)
        now_ms = self._clock.utc_ms()
        as_of_ms = now_ms if read_ms is None else read_ms
        if known is not None and known.state is not None and as_of_ms < known.as_of_ms <= now_ms:
            return
        if state.stock is None and known is not None and known.state is not None:
            state = msgspec.structs.replace(state, stock=known.state.stock)
        view = view_of(location if here else "", state, as_of_ms)
        if barred is not None:
            view = msgspec.structs.replace(view, problem=barred.problem())
        if here:
            self._views.put(view)
        elif known is None or not known.location:
            self._views.put_away(view)

    def waited_for(self, job: Job) -> None:
        """A job waits for a device that is plugged: show why, and look whether it still is so.

        What a look has found already stays: the two may differ in details and would wake each other for ever.
        """
        wait, view = job.wait, self._views.kept(job.scope.device_no)
        if wait is None or wait.reason is not WaitReason.DEVICE or view is None:
            return
        if self._plugged.queue(view.location) is None:
            return
        if wait.fault == _ABSENT:
            self.renew(view.location)
            return
        if view.problem is None or view.problem.fault != wait.fault:
            problem = Problem(fault=wait.fault, outcome=Outcome.NOT_EXECUTED, detail=wait.detail)
            self._views.put(msgspec.structs.replace(view, problem=problem))
        self._retry(view.location)

    def close(self, timeout_s: float) -> bool:
        """As Plugged.close. Any thread."""
        return self._plugged.close(timeout_s)

    def stands(self, device_no: str) -> None:
        """Do what the device's standing asks for now: leave it alone, or use it again."""
        self._alone.stands(device_no)

    @property
    def hanging(self) -> tuple[str, ...]:
        """The devices that hang in this process and are not quarantined: a new process would try them."""
        return self._alone.hanging()

    @property
    def given_up(self) -> int:
        """How many threads hang in a library: the process cannot end in the usual way with them."""
        return self._plugged.given_up

    def _snapshot(self, queue: DeviceQueue, device: Device) -> None:
        known: Hello | None = None

        def greeted(hello: Hello) -> None:
            nonlocal known
            known = hello
            self._wheels.mailbox.post(lambda: self._told(queue, hello.device_no))
            released = self.standings.released(hello.device_no)
            if released is not None:
                raise released

        try:
            state = self._looks.look(device, greeted)
        except AgentError as error:
            device.close()  # nobody else may find its session open
            self._unreadable(queue, known, error)
            return
        self._wheels.mailbox.post(lambda: self._arrived(queue, state))

    def _told(self, queue: DeviceQueue, device_no: str) -> None:
        """A device has said who it is, whatever becomes of the rest of its reading."""
        location = queue.location
        if self._plugged.queue(location) is queue and self._greeted.get(location) != device_no:
            self._greeted[location] = device_no
            _log.info("device_identified", device_no=device_no, location=location)
            self._alone.came(device_no, location)

    def _arrived(self, queue: DeviceQueue, state: DeviceState) -> None:
        location, device_no = queue.location, state.hello.device_no
        if self._plugged.queue(location) is not queue:
            return
        self._renewing.discard(location)
        self.took(location, state)
        self._identified(device_no)

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
        known = self._views.kept(device_no) if device_no else self._views.at(location)
        if known is None:
            known = bare_view(device_no, hello, self._clock.utc_ms())
        self._views.put(
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

    def _gone(self, location: str) -> None:
        view = self._views.at(location)
        if view is not None and view.device_no:
            self._alone.gone(view.device_no)
        self._plugged.gone(location)
        self._greeted.pop(location, None)
        self._renewing.discard(location)
        self._views.leave(location)
        _log.info("device_gone", location=location)

    def _hung(self, location: str, command: Command) -> None:
        self._alone.hung(location, command)

    def _back(self, location: str) -> None:
        self._alone.back(location)

    def _changed(self) -> None:
        self._changes += 1

    # ---- passwords that a person gives meanwhile

    def glance(self) -> None:
        """Somebody looks: where a device was not let in, see whether its password was given since."""
        now = self._clock.utc_ms()
        if now - self._glanced_ms < _GLANCE_MS:
            return
        self._glanced_ms, locked_out = now, shut_out(self._views)
        if not locked_out:
            return

        def given() -> None:
            for location in self._looks.given_since(locked_out):
                self._wheels.mailbox.post(lambda location=location: self.renew(location))  # type: ignore[misc]

        self._wheels.background(given)
