"""Drops the rest of a message of far too many frames, during which nobody else is served. Knows no request.

A ROUTER gives a message whole: 10,000 frames that nobody wants cost 5.1 ms one by one, and 1.2 by libzmq's
own loop over them (zmq_recviov), which pyzmq does not wrap.
"""

from __future__ import annotations

import errno
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq

_AT_ONCE = 256  # frames: of 64 kB each they take 16 MB for a moment
_RCVMORE = int(zmq.RCVMORE)


class Overlong:
    """Of one socket, in its thread. The C library's call is looked for when it is first wanted."""

    def __init__(self, socket: zmq.Socket[bytes], *, platform: str = sys.platform) -> None:
        self._socket = socket
        self._platform = platform
        self._drop_some: Callable[[], None] | None = None

    def drop_rest(self) -> None:
        """Receive what is left of a message, one frame at least. Raises zmq.ZMQError."""
        if self._drop_some is None:
            self._drop_some = (self._by_library() if self._platform == "linux" else None) or self._one
        self._drop_some()
        while self._socket.getsockopt(_RCVMORE):
            self._drop_some()

    def _one(self) -> None:
        self._socket.recv(copy=False)

    def _by_library(self) -> Callable[[], None] | None:
        """Return what drops up to 256 frames by one call, or None where this libzmq cannot be asked so."""
        import ctypes  # noqa: PLC0415 - a quiet day never needs it

        try:
            from zmq.backend.cython import _zmq  # noqa: PLC0415 - pyzmq has another backend on PyPy

            receive: Any = ctypes.CDLL(_zmq.__file__, use_errno=True).zmq_recviov
        except (ImportError, OSError, AttributeError):
            return None
        free: Any = ctypes.PyDLL(None).free  # what the call allocates is its caller's
        free.argtypes, free.restype = [ctypes.c_void_p], None
        receive.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int]
        parts = (ctypes.c_size_t * (2 * _AT_ONCE))()  # address and length of each
        count = ctypes.c_size_t()
        where = (self._socket.underlying, ctypes.addressof(parts), ctypes.addressof(count))

        def some() -> None:
            count.value = _AT_ONCE
            found = receive(*where, 0)
            code = ctypes.get_errno()
            deque(map(free, parts[: 2 * count.value : 2]), maxlen=0)
            if found < 0 and code != errno.EINTR:
                raise zmq.ZMQError(code)

        return some
