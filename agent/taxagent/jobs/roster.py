"""The devices: what is plugged, the queue of each, and the newest snapshot. Lives in the loop's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import structlog

from taxagent.jobs.asks import DeviceView
from taxagent.jobs.device_views import away, bare_view, view_of
from taxagent.jobs.queue import DeviceQueue
from taxagent.jobs.schedule import Timers
from taxagent.model.device import DeviceState, Hello
from taxagent.model.errors import AgentError, AnswerLost, DeviceInUse, Interrupted, Refusal, Unavailable
from taxagent.model.job import Problem
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Clock, Device, DeviceSource, Mailbox, Secrets
from taxagent.procedures.session import Latch, greet, open_session, read_state, with_stock

_log = structlog.get_logger(__name__)
_STALE_MS = 15 * 60_000
_NEVER_MS = 1 << 62
_PASSING_MS = 30_000  # until a device that could not be read for a passing reason is looked at again


class Roster:
    """Keeps a queue for every plugged profile device and a view of every device seen since the start."""

    queue_class: ClassVar[type[DeviceQueue]] = DeviceQueue

    def __init__(
        self,
        source: DeviceSource,
        secrets: Secrets,
        latch: Latch,
        clock: Clock,
        mailbox: Mailbox,
        timers: Timers,
        *,
        simulation: bool,
        identified: Callable[[str], None],
    ) -> None:
        self._source = source
        self._secrets = secrets
        self._latch = latch
        self._clock = clock
        self._mailbox = mailbox
        self._timers = timers
        self._simulation = simulation
        self._identified = identified
        self._gate = threading.Lock()  # `close` comes from another thread
        self._closed = False
        self._queues: dict[str, DeviceQueue] = {}  # by location
        self._leaving: list[DeviceQueue] = []
        self._renewing: set[str] = set()  # locations whose reading is queued
        self._retrying: set[str] = set()  # locations that have a timer for another look
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
        for location in set(self._queues) - now:
            self._gone(location)
        for location in sorted(now - set(self._queues)):
            with self._gate:
                if self._closed:
                    return
                self._queues[location] = self.queue_class(self._source, location)
            self.renew(location)

    def _renew_all(self) -> None:
        for location in self._queues:
            self.renew(location)
        self._timers.call_later(_STALE_MS, self._renew_all)

    def renew(self, location: str) -> None:
        """Read the device afresh when its queue comes to it, once however often it is asked meanwhile."""
        queue = self._queues.get(location)
        if queue is None or location in self._renewing:
            return
        if queue.put(
            lambda device: self._snapshot(location, device),
            lambda error: self._unreadable(location, None, error),
        ):
            self._renewing.add(location)

    def queue_of(self, device_no: str) -> DeviceQueue | None:
        """Return the queue of a plugged and identified device, or None."""
        view = self._views.get(device_no)
        return self._queues.get(view.location) if view is not None else None

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
        here = location in self._queues
        known = self._views.get(state.hello.device_no)
        if state.stock is None and known is not None and known.state is not None:
            state = msgspec.structs.replace(state, stock=known.state.stock)
        view = view_of(location if here else "", state, self._clock.utc_ms())
        if here:
            self._put(view)
        elif known is None or not known.location:
            self._views[view.device_no] = msgspec.structs.replace(view, stale=True)
            self.changes += 1

    def close(self, timeout_s: float) -> bool:
        """Take no more work; wait for what runs; return whether all threads ended in time. Any thread.

        What is queued fails as Interrupted("DRAINING"): it is neither done nor refused.
        """
        with self._gate:
            self._closed = True
            queues = [*self._queues.values(), *self._leaving]
        for queue in queues:
            queue.close(Interrupted("DRAINING"))
        deadline = self._clock.monotonic() + timeout_s
        ended = [queue.join(max(0.0, deadline - self._clock.monotonic())) for queue in queues]
        return all(ended)

    def _snapshot(self, location: str, device: Device) -> None:
        hello: Hello | None = None
        try:
            hello = greet(device, simulation=self._simulation)
            open_session(device, hello, self._secrets, self._latch)
            state = with_stock(device, read_state(device, hello))
            device.close()
        except AgentError as error:
            if isinstance(error, Refusal):
                device.close()  # it is well: nobody else may find its session open
            self._unreadable(location, hello, error)
            return
        self._mailbox.post(lambda: self._arrived(location, state))

    def _arrived(self, location: str, state: DeviceState) -> None:
        self._renewing.discard(location)
        if location not in self._queues:
            return
        known = self._views.get(state.hello.device_no)
        if known is None or known.location != location:
            _log.info("device_identified", device_no=state.hello.device_no, location=location)
        self.took(location, state)
        self._identified(state.hello.device_no)

    def _unreadable(self, location: str, hello: Hello | None, error: AgentError) -> None:
        _log.warning("device_unreadable", location=location, fault=error.fault, detail=error.detail)
        self._mailbox.post(lambda: self._put_problem(location, hello, error))

    def _put_problem(self, location: str, hello: Hello | None, error: AgentError) -> None:
        """Show why the device cannot be read; what was read of it before keeps its own age."""
        self._renewing.discard(location)
        if location not in self._queues or isinstance(error, Interrupted):
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
        with self._gate:
            queue = self._queues.pop(location)
            self._leaving = [old for old in self._leaving if not old.join(0)] + [queue]
        queue.close()
        self._renewing.discard(location)
        self._leave(location)
        _log.info("device_gone", location=location)

    def _aged(self, view: DeviceView) -> DeviceView:
        old = self._clock.utc_ms() - view.as_of_ms > _STALE_MS
        return msgspec.structs.replace(view, stale=True) if old and not view.stale else view
