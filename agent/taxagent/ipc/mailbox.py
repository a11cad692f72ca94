"""How other threads, and signal handlers, reach the loop: a deque, and a message that wakes it.

The wake-up is a message on the loop's own ROUTER, so that a blocking receive is all the loop ever waits in.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import zmq

ADDRESS: Final = "inproc://taxagent"
_PREFIX = 12  # secret bytes that all posting threads of a process share; four more count the threads


class _Bell:
    """One thread's DEALER. It is closed when its thread ends, in that thread."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], routing_id: bytes) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, routing_id)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(ADDRESS)

    def __del__(self) -> None:
        with contextlib.suppress(zmq.ZMQError):
            self.socket.close(linger=0)


class Mailbox:
    """ports.Mailbox. Any thread posts; the loop's thread takes. Join the posting threads before `close`."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._secret = secrets.token_bytes(_PREFIX)
        self._items: deque[Callable[[], None]] = deque()
        self._local = threading.local()
        self._bells: weakref.WeakSet[_Bell] = weakref.WeakSet()
        self._threads = 0
        self._lock = threading.RLock()  # a signal handler may post inside a post
        self._rung = False
        self._closed = False

    def post(self, item: Callable[[], None]) -> None:
        """Have the loop call `item` soon. Any thread, also a signal handler; never blocks."""
        self._items.append(item)
        if self._rung or self._closed:
            return
        self._rung = True
        # A full queue of wake-ups is a wake-up; a destroyed context has no loop to wake.
        with contextlib.suppress(zmq.Again, zmq.ContextTerminated):
            self._bell().socket.send(b"", zmq.NOBLOCK)

    def owns(self, routing_id: bytes) -> bool:
        """Return whether a message with this routing id is a wake-up."""
        return routing_id[:_PREFIX] == self._secret

    def take(self) -> Sequence[Callable[[], None]]:
        """Return what was posted since the last call. Only the loop calls this."""
        if not self._rung and not self._items:  # who posts from now on rings
            return ()
        self._rung = False  # before the deque is emptied: a post from now on rings again
        taken = []
        while self._items:
            taken.append(self._items.popleft())
        return taken

    def close(self) -> None:
        """Close what is left and destroy the context. Later posts go nowhere."""
        self._closed = True
        for bell in list(self._bells):
            bell.socket.close(linger=0)
        self.context.destroy(linger=0)

    def _bell(self) -> _Bell:
        bell: _Bell | None = getattr(self._local, "bell", None)
        if bell is None:
            with self._lock:
                self._threads += 1
                number = self._threads.to_bytes(4, "big")
                bell = _Bell(self.context, self._secret + number)
                self._bells.add(bell)
            self._local.bell = bell
        return bell
