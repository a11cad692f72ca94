"""One thread a device: the only code that uses it, one piece of work after the other. Knows no job."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import structlog

from taxagent.model.errors import AgentError, DeviceAbsent
from taxagent.ports import Device, DeviceSource

_log = structlog.get_logger(__name__)


class DeviceQueue:
    """Runs work on the device at one location, in order; the device is held only while work runs."""

    def __init__(self, source: DeviceSource, location: str) -> None:
        self.location = location
        self._source = source
        self._work: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # nothing is queued behind the end
        self._closed: AgentError | None = None
        self._thread = threading.Thread(target=self._run, name=f"device {location}", daemon=True)
        self.start()

    def start(self) -> None:
        """Begin to work; called once, by the constructor."""
        self._thread.start()

    def put(self, work: Callable[[Device], None], failed: Callable[[AgentError], None]) -> bool:
        """Queue `work`; `failed` is called instead where the device cannot be had. Both in this thread.

        `work` keeps its own errors: what it raises is a defect, is logged, and is told to `failed` as
        INTERNAL. Once `work` is done, nothing that happens later calls `failed`. Returns False, and calls
        neither, after `close`.
        """
        with self._gate:
            if self._closed is not None:
                return False
            self._work.put((work, failed))
            return True

    def close(self, why: AgentError | None = None) -> None:
        """Take no more work; what is queued fails as `why` (else DEVICE_ABSENT); what runs is not ended."""
        with self._gate:
            if self._closed is None:
                self._closed = why or DeviceAbsent("DEVICE_ABSENT", location=self.location)
                self._work.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the running piece; return whether the thread ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def turn(self, *, block: bool = False) -> bool:
        """Do the next piece of work in the caller's thread; return False at the end, or where none is."""
        try:
            item = self._work.get(block=block)
        except queue.Empty:
            return False
        if item is None:
            return False
        self._do(*item)
        return True

    def _run(self) -> None:
        while self.turn(block=True):
            pass

    def _do(self, work: Callable[[Device], None], failed: Callable[[AgentError], None]) -> None:
        """Whatever happens, the thread goes on to the next piece."""
        done = False
        try:
            if self._closed is not None:
                raise self._closed
            with self._source.hold(self.location) as device:
                work(device)
                done = True
            return
        except AgentError as error:
            problem = error
        except Exception:  # noqa: BLE001 - the device's thread outlives a defect; the log has it
            _log.exception("device_work_failed", location=self.location)
            problem = AgentError("INTERNAL", location=self.location)
        if done:
            _log.warning("device_not_given_back", location=self.location, fault=problem.fault)
            return
        try:
            failed(problem)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("device_failure_not_told", location=self.location)


_Item = tuple[Callable[[Device], None], Callable[[AgentError], None]]
