"""The places on the bus: a queue for each device that is used, and a reason for each that is left alone.

Looks after threads that hang. Knows locations, no device numbers and no jobs. Lives in the loop's thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from taxagent.jobs.fence import Command
from taxagent.jobs.queue import DeviceQueue, Failed, Terms
from taxagent.jobs.wheels import Wheels
from taxagent.model.errors import AgentError, AnswerLost, DeviceAbsent, DeviceInUse, Interrupted, Unavailable
from taxagent.model.job import Outcome, Problem
from taxagent.model.simtime import local_time
from taxagent.ports import DeviceSource

_log = structlog.get_logger(__name__)
_LOOK_MS = 5_000  # while a device works: how often it is looked at whether its thread hangs


class Plugged:
    """Queues and bars by location. `hung` is told of a place whose thread was given up while plugged."""

    def __init__(
        self,
        queue_class: type[DeviceQueue],
        source: DeviceSource,
        terms: Terms,
        wheels: Wheels,
        *,
        hung: Callable[[str, Command], None],
        back: Callable[[str], None],
        gripped: Callable[[], None],
    ) -> None:
        self._queue_class = queue_class
        self._source = source
        self._terms = terms
        self._wheels = wheels
        self._hung = hung
        self._told_back = back
        self._told_grip = gripped
        self._gate = threading.Lock()  # `close` comes from another thread
        self._closed = False
        self._queues: dict[str, DeviceQueue] = {}
        self._leaving: list[DeviceQueue] = []
        self._shutting: dict[str, DeviceQueue] = {}  # by place, until the piece that runs there has ended
        self._awaited: set[str] = set()  # of these, the places that are to be used again then
        self._watched: set[DeviceQueue] = set()
        self._barred: dict[str, Unavailable] = {}
        self._held_since: dict[str, int] = {}
        self._stuck: set[DeviceQueue] = set()  # threads that still hang somewhere in a library
        self._hangs: dict[str, tuple[DeviceQueue, Unavailable]] = {}  # by place, while the device is there

    @property
    def places(self) -> set[str]:
        """Every location that is plugged."""
        return {*self._queues, *self._barred}

    def queue(self, location: str) -> DeviceQueue | None:
        """Return the queue at a place, None where none is used there."""
        return self._queues.get(location)

    def bar(self, location: str) -> Unavailable | None:
        """Return why the device at a place is not used, or None."""
        return self._barred.get(location)

    @property
    def given_up(self) -> int:
        """How many threads still hang in a library."""
        return len(self._stuck)

    def stuck(self, location: str) -> Unavailable | None:
        """Return DEVICE_HUNG where a thread hangs with the device at a place in its hands, or None."""
        return self._hangs[location][1] if location in self._hangs else None

    def silent(self, location: str) -> Problem | None:
        """Return DEVICE_SILENT where the device leaves a command unanswered for unusually long, or None."""
        queue = self._queues.get(location)
        command = queue.current() if queue is not None else None
        waited_s = command.unanswered_s(self._wheels.clock.monotonic()) if command is not None else None
        if command is None or waited_s is None:
            return None
        since = local_time(self._wheels.clock.utc_ms() - round(waited_s * 1000)).strftime("%H:%M:%S")
        facts = {"location": location, "since": since, "limit": f"{command.limit_s:.0f} s"}
        return Problem(fault="DEVICE_SILENT", outcome=Outcome.UNKNOWN, detail=facts)

    def held_since(self, location: str) -> int:
        """Return since when (ms UTC) a device that is kept is claimed, 0 where it is not."""
        return self._held_since.get(location, 0)

    def open(self, location: str) -> bool:
        """Use the device at a place; return False where the agent ends, or still works there for before.

        In the latter case `back` is called for the place when it no longer does: two queues would keep the
        device from each other.
        """
        with self._gate:
            if self._closed:
                return False
            if location in self._shutting:
                self._awaited.add(location)
                self._barred[location] = DeviceInUse("DEVICE_BUSY", location=location)
                return False
            self._barred.pop(location, None)
            self._queues[location] = self._queue_class(
                self._source,
                location,
                self._terms,
                begun=self._look_after,
                gripped=self._gripped,
                ended=lambda queue: self._wheels.mailbox.post(lambda: self._left(queue)),
                back=lambda queue: self._wheels.mailbox.post(lambda: self._came_back(queue)),
            )
        return True

    def shut(self, location: str, why: Unavailable) -> None:
        """Leave the device at a place alone after the piece that runs; what is queued fails as `why`."""
        self._barred[location] = why
        self._awaited.discard(location)
        queue = self._end(location, why)
        if queue is not None:
            self._shutting[location] = queue

    def gone(self, location: str) -> None:
        """The place is empty; what is plugged in there next has nothing to do with a thread that hangs."""
        self._barred.pop(location, None)
        self._awaited.discard(location)
        self._shutting.pop(location, None)
        self._hangs.pop(location, None)
        self._end(location, None)

    def close(self, timeout_s: float) -> bool:
        """Take no more work; wait for what runs; return whether all threads ended in time. Any thread.

        What is queued fails as Interrupted("DRAINING"): it is neither done nor refused.
        """
        with self._gate:
            self._closed = True
            queues = [*self._queues.values(), *self._leaving]
        for queue in queues:
            queue.close(Interrupted("DRAINING"))
        deadline = self._wheels.clock.monotonic() + timeout_s
        ended = [queue.join(max(0.0, deadline - self._wheels.clock.monotonic())) for queue in queues]
        return all(ended)

    def _end(self, location: str, why: AgentError | None) -> DeviceQueue | None:
        with self._gate:
            queue = self._queues.pop(location, None)
            if queue is None:
                return None
            self._leaving.append(queue)
        self._held_since.pop(location, None)
        queue.close(why)
        self._look_after(queue)
        return queue

    def _left(self, queue: DeviceQueue) -> None:
        """A queue has ended: nobody of this process has the device any more."""
        with self._gate:
            self._leaving = [old for old in self._leaving if old is not queue]
        if self._no_longer_shutting(queue) and queue.location in self._awaited:
            self._awaited.discard(queue.location)
            self._told_back(queue.location)

    def _no_longer_shutting(self, queue: DeviceQueue) -> bool:
        """Return whether it was the queue that was being shut at its place."""
        was = self._shutting.get(queue.location) is queue
        if was:
            del self._shutting[queue.location]
        return was

    # ---- threads that hang

    def _look_after(self, queue: DeviceQueue) -> None:
        if queue not in self._watched and queue.busy:
            self._watched.add(queue)
            self._later(queue)

    def _later(self, queue: DeviceQueue) -> None:
        delay_ms = min(_LOOK_MS, round(self._terms.limits.grace_s * 1000))
        self._wheels.timers.call_later(delay_ms, lambda: self._look(queue))

    def _look(self, queue: DeviceQueue) -> None:
        self._told_grip()  # whoever looks sees how long it has been silent by now
        late = queue.late()
        if late is not None and self._abandoned(queue, late):
            self._watched.discard(queue)
        elif queue.busy:
            self._later(queue)
        else:
            self._watched.discard(queue)

    def _abandoned(self, queue: DeviceQueue, late: Command) -> bool:
        told = queue.abandon(late)
        if told is None:
            return False
        location = queue.location
        facts = {"location": location, "limit": f"{late.limit_s:.0f} s", "what": late.name}
        _log.error("device_hung", **facts)
        self._stuck.add(queue)
        with self._gate:
            used = self._queues.get(location) is queue
            if used:
                del self._queues[location]
            self._leaving = [old for old in self._leaving if old is not queue]
        if self._no_longer_shutting(queue) or used:
            self._awaited.discard(location)
            self._held_since.pop(location, None)
            why = self._barred[location] = DeviceAbsent("DEVICE_HUNG", **facts)
            self._hangs[location] = (queue, why)
            self._hung(location, late)
        self._tell(told, facts)
        return True

    def _came_back(self, queue: DeviceQueue) -> None:
        """The call has returned after all: the device is free, and may be taken afresh."""
        self._stuck.discard(queue)
        if self._hangs.get(queue.location, (None,))[0] is queue:
            del self._hangs[queue.location]
            self._told_back(queue.location)

    def _tell(self, told: tuple[Failed | None, list[Failed]], facts: dict[str, str]) -> None:
        """Whoever waits for this thread hears of it from another: it may have to write into the journal."""
        running, queued = told
        if running is not None:
            self._wheels.background(lambda: running(AnswerLost("DEVICE_HUNG", **facts)))
        for failed in queued:
            self._wheels.background(lambda failed=failed: failed(DeviceAbsent("DEVICE_HUNG", **facts)))  # type: ignore[misc]

    def _gripped(self, queue: DeviceQueue) -> None:
        """In the device's thread. Who holds a device is only told where it is kept: else it is a moment."""
        if self._terms.keep:
            since_ms = self._wheels.clock.utc_ms() if queue.held else 0
            self._wheels.mailbox.post(lambda: self._grip(queue, since_ms))

    def _grip(self, queue: DeviceQueue, since_ms: int) -> None:
        if self._queues.get(queue.location) is not queue:
            return
        self._held_since.pop(queue.location, None)
        if since_ms:
            self._held_since[queue.location] = since_ms
        self._told_grip()
