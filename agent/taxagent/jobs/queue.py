"""One thread a device: the only code that uses it, one piece of work after the other. Knows no job."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import structlog

from taxagent.model.errors import AgentError, Unavailable
from taxagent.ports import Device, DeviceSource

_log = structlog.get_logger(__name__)


class DeviceQueue:
    """Runs work on the device at one location, in order; the device is held only while work runs."""

    def __init__(self, source: DeviceSource, location: str) -> None:
        self.location = location
        self._source = source
        self._work: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"device {location}", daemon=True)
        self._thread.start()

    def put(self, work: Callable[[Device], None], failed: Callable[[AgentError], None]) -> None:
        """Queue `work`; `failed` is called instead where the device cannot be had. Both in this thread.

        `work` keeps its own errors: what it raises is a defect and is logged.
        """
        self._work.put((work, failed))

    def close(self) -> None:
        """Take no more work; what is queued fails as DEVICE_ABSENT; the running piece is not ended."""
        self._closed = True
        self._work.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the running piece; return whether the thread ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, failed = item
            try:
                if self._closed:
                    raise Unavailable("DEVICE_ABSENT", location=self.location)
                with self._source.hold(self.location) as device:
                    work(device)
            except AgentError as error:
                failed(error)
            except Exception:  # noqa: BLE001 - the device's thread outlives a defect; the log has it
                _log.exception("device_work_failed", location=self.location)
                failed(AgentError("INTERNAL", location=self.location))


_Item = tuple[Callable[[Device], None], Callable[[AgentError], None]]
