"""ZeroMQ sockets in an asyncio loop: a turn ends when one of them has something to say. Knows no protocol."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import zmq

from taxclient.link import LAST_WORD_MS, Link
from taxclient.protocol.keyfile import KeyFile


class Watched:
    """Sockets of one loop. A ZeroMQ descriptor says only "look again", so EVENTS is read at each turn."""

    def __init__(self, *sockets: zmq.Socket[bytes]) -> None:
        self._descriptors = [int(socket.get(zmq.FD)) for socket in sockets]
        self._turn: asyncio.Future[None] | None = None
        self.closed = False

    async def turn(self, timeout_ms: float) -> None:
        """Return when a descriptor was readable, after `timeout_ms`, or at `end`.

        Raises NotImplementedError on a loop that cannot watch sockets (Windows' default one).
        """
        loop = asyncio.get_running_loop()
        self._turn = turn = loop.create_future()
        timer = loop.call_later(timeout_ms / 1000, _finish, turn)
        try:
            for descriptor in self._descriptors:
                loop.add_reader(descriptor, _finish, turn)
            await turn
        finally:
            timer.cancel()
            self._unwatch(loop)

    def end(self) -> None:
        """End the turn, for good; the sockets may be closed after it."""
        self.closed = True
        if self._turn is not None:
            loop = self._turn.get_loop()
            self._unwatch(loop)
            if not loop.is_closed():
                _finish(self._turn)

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of the descriptors, once: their numbers may soon be another's."""
        descriptors, self._descriptors = self._descriptors, [] if self.closed else self._descriptors
        if not loop.is_closed():
            for descriptor in descriptors:
                loop.remove_reader(descriptor)


class AsyncLink(Link):
    """A Link whose waiting is awaited."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        connect_ms: int,
        key: KeyFile | None = None,
    ) -> None:
        super().__init__(context, endpoint, connect_ms, key)
        self.watched = Watched(self._socket, self._monitor)

    async def sent(self, frames: Sequence[bytes], connect_ms: int) -> bool:
        """Send; False where no connection came up in time, and then nothing was sent. As `send`."""
        until = time.monotonic() + connect_ms / 1000
        while not self.watched.closed:
            self.forget()
            self.refusing()
            if int(self._socket.get(zmq.EVENTS)) & zmq.POLLOUT:
                self._socket.send_multipart(frames, zmq.NOBLOCK)
                return True
            left_ms = (until - time.monotonic()) * 1000
            if left_ms <= 0:
                return False
            await self.watched.turn(left_ms)
        return False

    async def received(self, timeout_ms: int) -> list[bytes] | None:
        """Return the next message; None when the time is over, or (`lost`) the other end went away."""
        until = time.monotonic() + timeout_ms / 1000
        lost = False
        while not self.watched.closed:
            if not lost and int(self._monitor.get(zmq.EVENTS)) & zmq.POLLIN:
                lost = True  # the message that is the last may be told after it
                until = min(until, time.monotonic() + LAST_WORD_MS / 1000)
            if int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
                return self._socket.recv_multipart(zmq.NOBLOCK)
            left_ms = (until - time.monotonic()) * 1000
            if left_ms <= 0:
                self.lost = lost
                return None
            await self.watched.turn(left_ms)
        return None

    def close(self) -> None:
        """Close at once; what was not sent is dropped. May be called again."""
        if not self.watched.closed:
            self.watched.end()
            super().close()


class Heard(Watched):
    """A SUB socket."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        super().__init__(socket)
        self._socket = socket

    async def received(self, timeout_ms: int) -> list[bytes] | None:
        """Return the next message, or None where none came in time."""
        until = time.monotonic() + timeout_ms / 1000
        while not self.closed:
            if int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
                return self._socket.recv_multipart(zmq.NOBLOCK)
            left_ms = (until - time.monotonic()) * 1000
            if left_ms <= 0:
                return None
            await self.turn(left_ms)
        return None

    def close(self) -> None:
        """End the subscription. May be called again."""
        self.end()
        self._socket.close(linger=0)


def _finish(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
