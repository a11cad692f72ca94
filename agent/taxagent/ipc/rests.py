"""How long an event channel that was flooded stays shut: longer each time, since flooders come back."""

from __future__ import annotations

from typing import Final

_FIRST_S: Final = 60.0
LONGEST_S: Final = 960.0
_FORGIVEN_S: Final = 3600.0  # open for so long, the next flood is the first again


class Rests:
    """Of one channel. Who subscribes misses hints alone meanwhile: the journal has what happened."""

    def __init__(self) -> None:
        self._next_s = _FIRST_S
        self._until = float("-inf")

    def shut_at(self, now_s: float) -> float:
        """Return for how many seconds the channel stays shut that is shut now."""
        if now_s - self._until > _FORGIVEN_S:
            self._next_s = _FIRST_S
        rest = self._next_s
        self._until = now_s + rest
        self._next_s = min(rest * 2, LONGEST_S)
        return rest
