"""The devices: what is plugged, the queue of each, and the newest snapshot. Lives in the loop's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import structlog

from taxagent.jobs.asks import DeviceView, TypeView
from taxagent.jobs.queue import DeviceQueue
from taxagent.jobs.schedule import Timers
from taxagent.model.device import QUIRKS, DeviceState, Hello
from taxagent.model.errors import AgentError
from taxagent.model.job import Problem
from taxagent.model.period_state import due_periods, locked, overdue, period_state
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Clock, Device, DeviceSource, Mailbox, Secrets
from taxagent.procedures.session import Latch, greet, open_session, read_state

_log = structlog.get_logger(__name__)
_STALE_MS = 15 * 60_000
_PASSING = frozenset({"DEVICE_IN_USE", "ANSWER_LOST"})
_PASSING_MS = 30_000  # until a device that another program holds is looked at again


class Roster:
    """Keeps a queue for every plugged profile device and a view of every device seen since the start."""

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
        self._queues: dict[str, DeviceQueue] = {}  # by location
        self._leaving: list[DeviceQueue] = []
        self._views: dict[str, DeviceView] = {}  # by device_no
        self.seen: tuple[SeenDevice, ...] = ()

    def start(self) -> None:
        """Renew every snapshot from time to time, where the device is free."""
        self._timers.call_later(_STALE_MS, self._renew_all)

    def changed(self, seen: tuple[SeenDevice, ...]) -> None:
        """Take what is on the bus now: a queue for each new location, none for one that is gone."""
        self.seen = seen
        now = {thing.location for thing in seen if thing.recognised is Recognised.PROFILE}
        for location in set(self._queues) - now:
            self._gone(location)
        for location in now - set(self._queues):
            self._queues[location] = DeviceQueue(self._source, location)
            self.renew(location)

    def _renew_all(self) -> None:
        for location in self._queues:
            self.renew(location)
        self._timers.call_later(_STALE_MS, self._renew_all)

    def renew(self, location: str) -> None:
        """Read the device afresh when its queue comes to it."""
        queue = self._queues.get(location)
        if queue is not None:
            queue.put(
                lambda device: self._snapshot(location, device),
                lambda error: self._unreadable(location, None, error),
            )

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

    def took(self, location: str, state: DeviceState) -> None:
        """Take a reading that a job or a prepare has made."""
        self._put(view_of(location, state, self._clock.utc_ms()))

    def close(self, timeout_s: float) -> bool:
        """Take no more work; wait for what runs; return whether all threads ended in time."""
        queues = [*self._queues.values(), *self._leaving]
        for queue in queues:
            queue.close()
        deadline = self._clock.monotonic() + timeout_s
        ended = [queue.join(max(0.0, deadline - self._clock.monotonic())) for queue in queues]
        return all(ended)

    def _snapshot(self, location: str, device: Device) -> None:
        hello: Hello | None = None
        try:
            hello = greet(device, simulation=self._simulation)
            open_session(device, hello, self._secrets, self._latch)
            state = read_state(device, hello)
            device.close()
        except AgentError as error:
            self._unreadable(location, hello, error)
            return
        self._mailbox.post(lambda: self._arrived(location, state))

    def _arrived(self, location: str, state: DeviceState) -> None:
        if location not in self._queues:
            return
        self.took(location, state)
        _log.info("device_identified", device_no=state.hello.device_no, location=location)
        self._identified(state.hello.device_no)

    def _unreadable(self, location: str, hello: Hello | None, error: AgentError) -> None:
        _log.warning("device_unreadable", location=location, fault=error.fault, **error.detail)
        problem = error.problem()
        device_no = hello.device_no if hello is not None else error.detail.get("device_no", "")
        self._mailbox.post(lambda: self._put_problem(location, device_no, hello, problem))

    def _put_problem(self, location: str, device_no: str, hello: Hello | None, problem: Problem) -> None:
        known = self._views.get(device_no) or self._at(location)
        if known is None:
            known = _bare_view(location, device_no, hello, self._clock.utc_ms())
        self._put(
            msgspec.structs.replace(known, location=location, problem=problem, as_of_ms=self._clock.utc_ms())
        )
        if problem.fault in _PASSING and location in self._queues:
            self._timers.call_later(_PASSING_MS, lambda: self.renew(location))
        if hello is not None and location in self._queues:
            self._identified(hello.device_no)

    def _at(self, location: str) -> DeviceView | None:
        return next((view for view in self._views.values() if view.location == location), None)

    def _put(self, view: DeviceView) -> None:
        self._leave(view.location)
        self._views[view.device_no or view.location] = view

    def _leave(self, location: str) -> None:
        """Whatever was at `location` is not there any more; what never had a number is forgotten."""
        for key, view in list(self._views.items()):
            if view.location == location:
                if view.device_no:
                    self._views[key] = msgspec.structs.replace(view, location="", stale=True)
                else:
                    del self._views[key]

    def _gone(self, location: str) -> None:
        queue = self._queues.pop(location)
        queue.close()
        self._leaving = [old for old in self._leaving if not old.join(0)] + [queue]
        self._leave(location)
        _log.info("device_gone", location=location)

    def _aged(self, view: DeviceView) -> DeviceView:
        old = self._clock.utc_ms() - view.as_of_ms > _STALE_MS
        return msgspec.structs.replace(view, stale=True) if old and not view.stale else view


def view_of(location: str, state: DeviceState, now_ms: int) -> DeviceView:
    """Return the view that a reading makes."""
    return DeviceView(
        device_no=state.hello.device_no,
        location=location,
        kind=state.hello.kind.value,
        simulated=state.hello.simulated,
        taxpayer_id=state.info.taxpayer_id,
        taxpayer_name=state.info.taxpayer_name,
        terminal_no=state.info.terminal_no,
        held_by="",
        held_since_ms=0,
        as_of_ms=now_ms,
        stale=False,
        state=state,
        types=tuple(_type_views(state)),
        problem=None,
    )


def _type_views(state: DeviceState) -> Iterable[TypeView]:
    quirks = QUIRKS.get(state.hello.kind)
    if quirks is None:
        return
    for row in state.monitor:
        due = [
            (month, period_state(month, state.clock, row, quirks).value)
            for month in due_periods(state.clock, row, quirks)
        ]
        yield TypeView(
            invoice_type=row.invoice_type,
            group=row.group,
            invoicing_deadline=row.invoicing_deadline,
            last_report=row.last_report,
            pending_uploads=row.pending_uploads,
            locked=locked(state.clock, row, quirks),
            overdue=overdue(state.clock, row, quirks),
            periods=tuple(due),
        )


def _bare_view(location: str, device_no: str, hello: Hello | None, now_ms: int) -> DeviceView:
    return DeviceView(
        device_no=device_no,
        location=location,
        kind=hello.kind.value if hello is not None else "",
        simulated=hello.simulated if hello is not None else False,
        taxpayer_id="",
        taxpayer_name="",
        terminal_no=0,
        held_by="",
        held_since_ms=0,
        as_of_ms=now_ms,
        stale=False,
        state=None,
        types=(),
        problem=None,
    )
