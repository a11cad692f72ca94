"""A device whose calls do not return until a test lets them, and the thread that is in one."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

from taxagent.jobs.queue import DeviceQueue
from tests.builders.jobs import DEVICE_NO, LIMIT_S, FakeDevice, HandQueue, House


class HangingDevice(FakeDevice):
    """A FakeDevice that hangs while `hangs`, in its clock or where `hangs_in` says; `entered` counts it."""

    def __init__(self, device_no: str = DEVICE_NO, **changes: Any) -> None:
        self.hangs = False
        self.hangs_in = "clock"
        self.entered = threading.Semaphore(0)
        self.come_back = threading.Event()
        super().__init__(device_no, **changes)

    def claimed(self) -> None:
        self._may_hang("claim")

    def open(self, password: str) -> None:
        try:
            super().open(password)
        finally:
            self._may_hang("open")

    def clock(self) -> dt.datetime:
        self._may_hang("clock")
        return super().clock()

    def _may_hang(self, where: str) -> None:
        if self.hangs and where == self.hangs_in:
            self.entered.release()
            assert self.come_back.wait(LIMIT_S)


class Stuck:
    """A thread that does a device's next piece of work, and hangs in it until `comes_back`."""

    def __init__(self, device: HangingDevice, queue: HandQueue) -> None:
        device.hangs = True
        self._device = device
        self._queue = queue
        queue.elsewhere = True
        self._thread = threading.Thread(target=DeviceQueue.turn, args=(queue,), daemon=True)
        self._thread.start()
        assert device.entered.acquire(timeout=LIMIT_S)

    def comes_back(self) -> None:
        self._device.hangs = False
        self._device.come_back.set()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()
        self._queue.elsewhere = False


def hanging(house: House, device: HangingDevice, location: str = "1-1") -> Stuck:
    """Have the device's snapshot read, and hang in it."""
    house.roster.renew(location)
    return stuck_in_next(house, device, location)


def stuck_in_next(house: House, device: HangingDevice, location: str = "1-1") -> Stuck:
    """Have the next piece of work hang, which is queued already."""
    queues = [queue for queue in house.source.queues if queue.location == location]
    return Stuck(device, queues[-1])


def given_up(house: House) -> None:
    """Let the time pass after which a read hangs, and the loop see it."""
    house.pass_time(100_000)
