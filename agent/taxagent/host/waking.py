"""Notices that the machine was suspended and is awake again. Knows no device; lives in the loop's thread.

CLOCK_BOOTTIME goes on in sleep and CLOCK_MONOTONIC does not: their distance grows by the time slept. That is
looked at from time to time, and when the bus has changed, and needs no D-Bus.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from taxagent.host.watchdog import Later

_log = structlog.get_logger(__name__)

LOOK_MS = 30_000  # in time awake: so late at the most a sleep is noticed after its end
_LEAST_S = 1.0  # less is the two clocks being read one after the other


class Waking:
    """Calls `woke` once for each sleep. `asleep` returns the seconds slept since the machine's start."""

    def __init__(self, asleep: Callable[[], float], *, later: Later, woke: Callable[[], None]) -> None:
        self._asleep = asleep
        self._later = later
        self._woke = woke
        self._known = asleep()

    def start(self) -> None:
        """Look from now on."""
        self.look()
        self._later(LOOK_MS, self.start)

    def look(self) -> None:
        """See whether there was a sleep since the last look."""
        slept, self._known = self._asleep() - self._known, self._asleep()
        if slept >= _LEAST_S:
            _log.info("woke", slept_s=round(slept))
            self._woke()
