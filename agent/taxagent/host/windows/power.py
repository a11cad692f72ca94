"""Sleep waits while a device is written: SetThreadExecutionState. A shutdown waits by PRESHUTDOWN instead.

The request belongs to a thread: `take` and `leave` must be called in one and the same.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)
_CONTINUOUS, _SYSTEM_REQUIRED = 0x8000_0000, 0x0000_0001  # ES_..., winbase.h


class Awake:
    """Keeps the computer from going to sleep between `take` and `leave`."""

    def __init__(self, request: Callable[[int], int]) -> None:
        """`request` is SetThreadExecutionState: it returns 0 where it is refused."""
        self._request = request
        self.held = False

    def take(self) -> None:
        """Keep it awake; not an error where that is refused."""
        self.held = self._asked(_CONTINUOUS | _SYSTEM_REQUIRED)

    def leave(self) -> None:
        """Let it sleep again."""
        if self.held:
            self._asked(_CONTINUOUS)
            self.held = False

    def close(self) -> None:
        """Nothing is left behind: the request ends with its thread."""
        self.held = False

    def _asked(self, flags: int) -> bool:
        if self._request(flags):
            return True
        _log.warning("sleep_not_inhibited", reason="SetThreadExecutionState was refused")
        return False


def awake() -> Awake:
    """Return the one over kernel32."""
    import ctypes

    library = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    library.SetThreadExecutionState.argtypes = (ctypes.c_uint32,)
    library.SetThreadExecutionState.restype = ctypes.c_uint32
    return Awake(library.SetThreadExecutionState)
