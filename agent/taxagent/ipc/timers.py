"""The loop's timers: a heap of due times. Knows no socket; time comes from the clock's monotonic."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence

from taxagent.ports import Clock


class Timer:
    """A call that is due; `cancel` makes it void."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do not call. May be called at any time, also from the call itself."""
        self.call = None


class Timers:
    """What is to be called when. One thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0

    def later(self, ms: int, call: Callable[[], None]) -> Timer:
        """Have `call` called in `ms` milliseconds."""
        timer = Timer(call)
        self._count += 1
        heapq.heappush(self._heap, (self._clock.monotonic() + ms / 1000, self._count, timer))
        return timer

    def next_ms(self) -> int:
        """Return the ms until the next one is due, rounded up; -1 where there is none."""
        while self._heap and self._heap[0][2].call is None:
            heapq.heappop(self._heap)
        if not self._heap:
            return -1
        return max(0, math.ceil((self._heap[0][0] - self._clock.monotonic()) * 1000))

    def due(self) -> Sequence[Callable[[], None]]:
        """Take what is due now."""
        if not self._heap:
            return ()
        now, found = self._clock.monotonic(), []
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.call is not None:
                found.append(timer.call)
        return found
