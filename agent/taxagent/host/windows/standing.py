"""How the service stands with the service control manager (SCM): starting, running, stopping, stopped.

What the agent tells a manager (host/notify.py) becomes the SCM's states here. Knows no pywin32.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

HINT_MS = 30_000
"""How long the SCM may wait for the next word while nothing asks for more: 30 s is its own limit."""
SERVICE_SPECIFIC = 1066
"""ERROR_SERVICE_SPECIFIC_ERROR: the service's own code says more."""


class State(IntEnum):
    """States of a service, as in winsvc.h."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4


class Report(Protocol):
    """Tells the SCM. Pending states carry a checkpoint that rises: who implements this counts."""

    def __call__(self, state: State, *, hint_ms: int = 0, exit_code: int = 0, own_code: int = 0) -> None:
        """Report the state; `exit_code` is the system's, `own_code` counts where that is SERVICE_SPECIFIC."""


class Standing:
    """host.notify.Manager over a Report. Any thread; a state never goes backwards."""

    watchdog_ms = 0  # the SCM asks for no signs of life
    heard = True

    def __init__(self, report: Report, log: Callable[[str], None]) -> None:
        """`log` writes a line to the Event Log."""
        self._report = report
        self._log = log
        self._lock = threading.Lock()
        self._state = State.START_PENDING

    def begin(self) -> None:
        """Say that the start is under way; the SCM gives a service 30 s until its first word."""
        self._report(State.START_PENDING, hint_ms=HINT_MS)

    def tell(self, **fields: str | int) -> None:
        """Take the fields of sd_notify(3) that mean something here: READY, STOPPING, EXTEND_TIMEOUT_USEC."""
        with self._lock:
            if self._state is State.STOPPED:
                return
            if "STOPPING" in fields:
                self._state = State.STOP_PENDING
                self._report(State.STOP_PENDING, hint_ms=HINT_MS)
            elif "READY" in fields and self._state is State.START_PENDING:
                self._state = State.RUNNING
                self._report(State.RUNNING)
                self._log("started")
            elif "EXTEND_TIMEOUT_USEC" in fields and self._state is not State.RUNNING:
                wanted_ms = int(fields["EXTEND_TIMEOUT_USEC"]) // 1000
                self._report(self._state, hint_ms=max(HINT_MS, wanted_ms))

    def stop_asked(self) -> None:
        """Answer a STOP at once; the agent begins to drain a moment later."""
        self.tell(STOPPING=1)

    def ended(self, code: int) -> None:
        """Report the end, once: 0 for an orderly one; any other code lets the recovery actions begin."""
        with self._lock:
            if self._state is State.STOPPED:
                return
            self._state = State.STOPPED
            if code == 0:
                self._log("stopped")
                self._report(State.STOPPED)
            else:
                self._report(State.STOPPED, exit_code=SERVICE_SPECIFIC, own_code=code)
