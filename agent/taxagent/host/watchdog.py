"""Signs of life for the service manager: sent only by a loop that runs and a journal that answers.

A question goes through the journal's writer and its answer through the loop: where either stands still, no
sign is sent and the manager ends the process. A device that hangs is not its matter. Knows no journal.
"""

from __future__ import annotations

from collections.abc import Callable

Later = Callable[[int, Callable[[], None]], object]
"""Have a call called in the loop in so many ms."""

Ask = Callable[[Callable[[], None]], None]
"""Have the journal's writer come by, and then the loop call the given one."""


class Watchdog:
    """Sends signs of life three times within `limit_ms`. Lives in the loop's thread."""

    def __init__(self, limit_ms: int, *, later: Later, ask: Ask, sign: Callable[[], None]) -> None:
        self._pause_ms = max(1, limit_ms // 3)
        self._later = later
        self._ask = ask
        self._sign = sign

    def start(self) -> None:
        """Begin to ask."""
        self._ask(self._answered)

    def _answered(self) -> None:
        self._sign()
        self._later(self._pause_ms, self.start)
