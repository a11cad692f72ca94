"""The host's clock, real or simulated. The one place that asks the operating system for the time."""

from __future__ import annotations

import datetime as dt
import sys
import time

from taxagent.model.simtime import SimulatedTime, local_time


class HostClock:
    """ports.Clock over the operating system; `simulation` shifts what `local` and `sim_ms` say."""

    def __init__(self, simulation: SimulatedTime | None = None) -> None:
        self._simulation = simulation

    def utc_ms(self) -> int:
        """Return real UTC in ms."""
        return time.time_ns() // 1_000_000

    def sim_ms(self) -> int | None:
        """Return the simulated UTC in ms, or None where time is real."""
        return self._simulation.at(self.utc_ms()) if self._simulation else None

    def local(self) -> dt.datetime:
        """Return the wall clock in Asia/Shanghai, simulated where there is a simulation."""
        now = self.utc_ms()
        return local_time(self._simulation.at(now) if self._simulation else now)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def asleep_s(self) -> float:
        """Return how long the machine has been suspended since it was started; 0.0 where nothing tells."""
        if sys.platform != "linux":
            return 0.0
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
