"""One thread a device: the only code that uses it, one piece of work after the other. Knows no job."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from taxagent.jobs.fence import Command, Fence
from taxagent.jobs.watched import Limits, WatchedDevice
from taxagent.model.errors import AgentError, DeviceAbsent, DeviceLent
from taxagent.ports import Device, DeviceSource

_log = structlog.get_logger(__name__)
Work = Callable[[Device], None]
Failed = Callable[[AgentError], None]


@dataclass
class Terms:
    """How a device is used. `keep`: claimed also between pieces of work (racks).

    A new configuration replaces `limits`: they hold from the next claim on.
    """

    keep: bool = False
    limits: Limits = field(default_factory=Limits)
    monotonic: Callable[[], float] = time.monotonic  # noqa: TID251  (ports.Clock's, where there is one)


class DeviceQueue:
    """Runs work on the device at one location, in order; readings when there is nothing else to do.

    `begun` is called at each `put`, in the caller's thread. In the device's own: `gripped` when the device
    was taken or given back (`held` says which), `ended` after the last piece once it was closed, and `back`
    when a thread that was given up has come back.
    """

    def __init__(
        self,
        source: DeviceSource,
        location: str,
        terms: Terms | None = None,
        *,
        begun: Callable[[DeviceQueue], None] = lambda _queue: None,
        gripped: Callable[[DeviceQueue], None] = lambda _queue: None,
        ended: Callable[[DeviceQueue], None] = lambda _queue: None,
        back: Callable[[DeviceQueue], None] = lambda _queue: None,
    ) -> None:
        self.location = location
        self._source = source
        self._terms = terms or Terms()
        self._begun = begun
        self._gripped = gripped
        self._ended = ended
        self._back = back
        self._work: queue.PriorityQueue[_Place] = queue.PriorityQueue()
        self._places = itertools.count()
        self._gate = threading.Lock()  # nothing is queued behind the end
        self._left = 0  # pieces that are queued or run
        self._running: Failed | None = None  # what to tell where the piece that runs never ends
        self._closed: AgentError | None = None
        self._fence = Fence(self._terms.monotonic)
        self._grip = contextlib.ExitStack()
        self._device: WatchedDevice | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"device {location}", daemon=True)
        self.start()

    def start(self) -> None:
        """Begin to work; called once, by the constructor."""
        self._thread.start()

    def put(self, work: Work, failed: Failed) -> bool:
        """Queue `work`; `failed` is called instead where the device cannot be had. Both in this thread.

        `work` keeps its own errors: what it raises is a defect, is logged, and is told to `failed` as
        INTERNAL. Once `work` is done, nothing that happens later calls `failed`. Returns False, and calls
        neither, after `close` or `abandon`.
        """
        return self._put(_WORK, (work, failed, _always))

    def put_reading(
        self, work: Work, failed: Failed, wanted: Callable[[], None], *, for_job: bool = False
    ) -> bool:
        """As `put`, but all other work passes it: it may be a viewer's, and there may be many.

        What is read `for_job`, so that one can be submitted, passes the other readings. `wanted` is called
        first, without the device, and raises where the reading is not wanted any more.
        """
        return self._put(_FOR_JOB if for_job else _READING, (work, failed, wanted))

    def _put(self, rank: int, item: _Item) -> bool:
        with self._gate:
            if self._closed is not None:
                return False
            self._left += 1
            self._work.put((rank, next(self._places), item))
        self._begun(self)
        return True

    @property
    def busy(self) -> bool:
        """Whether anything is queued, runs, or is being ended."""
        return self._left > 0 or (self._closed is not None and self.held)

    @property
    def held(self) -> bool:
        """Whether the device is claimed now."""
        return self._device is not None

    def close(self, why: AgentError | None = None) -> None:
        """Take no more work; what is queued fails as `why` (else DEVICE_ABSENT); what runs is not ended."""
        with self._gate:
            if self._closed is None:
                self._closed = why or DeviceAbsent("DEVICE_ABSENT", location=self.location)
                self._work.put((_END, next(self._places), None))

    def stop_if_unwanted(self) -> None:
        """Raise why the piece that runs must not begin anything more: given up, or released for others."""
        self._fence.passed()
        if isinstance(self._closed, DeviceLent):
            raise self._closed

    def passed(self) -> None:
        """Raise Interrupted("DEVICE_HUNG") where this thread was given up."""
        self._fence.passed()

    def current(self) -> Command | None:
        """Return the command that the device has not answered yet, or None."""
        return self._fence.current()

    def late(self) -> Command | None:
        """Return the command that hangs, or None."""
        return self._fence.late()

    def abandon(self, command: Command) -> tuple[Failed | None, list[Failed]] | None:
        """Give the thread up, which hangs in `command`: it does nothing more, whenever it comes back.

        Return whom to tell of the piece that ran (None: it was done), and of those that were queued; None
        where the thread has come back just now.
        """
        if not self._fence.give_up(command):
            return None
        self.close()
        waiting = list[Failed]()
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._work.get(block=False)[2]
                if item is not None:
                    waiting.append(item[1])
        self._over.set()
        return self._running, waiting

    def join(self, timeout_s: float) -> bool:
        """Wait for the running piece; return whether the thread ended, or was given up."""
        return self._over.wait(timeout_s)

    def turn(self, *, block: bool = False) -> bool:
        """Do the next piece of work in the caller's thread; return False at the end, or where none is."""
        try:
            item = self._work.get(block=block)[2]
        except queue.Empty:
            return False
        if item is None:
            self._let_go()
            self._ended(self)
            return False
        self._do(*item)
        return not self._given_up()

    def _run(self) -> None:
        while self.turn(block=True):
            pass
        self._over.set()

    def _do(self, work: Work, failed: Failed, wanted: Callable[[], None]) -> None:
        """Whatever happens, the thread goes on to the next piece."""
        self._running = failed
        problem = self._worked(work, wanted)
        if self._given_up():
            _log.warning("device_came_back", location=self.location)
            self._back(self)  # whom it concerned was told long ago
            return
        if problem is not None:
            try:
                failed(problem)
            except Exception:  # noqa: BLE001 - the device's thread outlives a defect; the log has it
                _log.exception("device_failure_not_told", location=self.location)
        with self._gate:
            self._left -= 1

    def _worked(self, work: Work, wanted: Callable[[], None]) -> AgentError | None:
        """Return why the work was not done, or None; the device is given back unless it is kept."""
        well, problem = True, None
        try:
            if self._closed is not None:
                raise self._closed
            wanted()
            well = False
            work(self._taken())
            well, self._running = True, None
        except AgentError as error:
            problem = error
        except Exception:  # noqa: BLE001 - the device's thread outlives a defect; the log has it
            _log.exception("device_work_failed", location=self.location)
            problem = AgentError("INTERNAL", location=self.location)
        if not (well and self._kept()):
            self._let_go()
        return problem

    def _kept(self) -> bool:
        well = self._device is not None and not self._device.spoiled
        return self._terms.keep and well and self._closed is None

    def _taken(self) -> Device:
        """Return the claimed device; it is claimed now where it is not yet."""
        if self._device is None:
            limit_s = self._terms.limits.reading
            device = self._fence.command(
                "claim",
                limit_s,
                lambda: self._grip.enter_context(self._source.hold(self.location, self._fence.passed)),
            )
            self._device = WatchedDevice(device, self._fence, self._terms.limits)
            self._gripped(self)
        return self._device

    def _let_go(self) -> None:
        """Give the device back, also one whose claim came through too late; never raises."""
        held = self.held
        try:
            if self._given_up():
                self._grip.close()
            elif held:
                self._fence.command("give_back", self._terms.limits.reading, self._grip.close)
        except AgentError as error:
            _log.warning("device_not_given_back", location=self.location, fault=error.fault)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("device_not_given_back", location=self.location)
        self._device, self._grip = None, contextlib.ExitStack()
        if held:
            self._gripped(self)

    def _given_up(self) -> bool:
        try:
            self._fence.passed()
        except AgentError:
            return True
        return False


def _always() -> None:
    """Work of ours is wanted whenever its turn comes."""


_Item = tuple[Work, Failed, Callable[[], None]]
_Place = tuple[int, int, _Item | None]  # rank and number; None is the end
_WORK, _FOR_JOB, _READING, _END = range(4)
