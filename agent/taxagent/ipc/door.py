"""The loop's one ROUTER: whole messages in, whole replies out. Knows no request and no peer.

It calls pyzmq's compiled socket without the layer above it, which looks at arguments that are never given
here: three frames in and three out cost 2.0 us so, and 3.6 through that layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import zmq

from taxagent.ipc.overlong import Overlong
from taxclient.protocol import wire

_MORE, _LAST = int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.NOBLOCK)  # zmq's flags are slow enums
_RCVTIMEO = int(zmq.RCVTIMEO)
_FRAMES = wire.ENVELOPE + wire.FRAMES  # after the routing id, of the longest message there is
_COARSE_MS = 1000  # a longer wait is cut to whole seconds: it changes once a second, and ends early once


class Door:
    """Used by the loop's thread alone. `socket` is for its options and addresses."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.ROUTER)
        compiled: Any = super(zmq.Socket, self.socket)
        self._frame: Callable[[], zmq.Frame] = partial(compiled.recv, copy=False)
        self._send: Callable[[bytes, int], object] = compiled.send
        self._overlong = Overlong(self.socket)
        self._timeout = -1

    def wait_at_most(self, ms: int) -> None:
        """Have `receive` give up after `ms`, or up to a second earlier; never for -1."""
        if ms > _COARSE_MS:
            ms -= ms % _COARSE_MS
        if ms != self._timeout:
            self.socket.setsockopt(_RCVTIMEO, ms)
            self._timeout = ms

    def receive(self) -> tuple[zmq.Frame, list[bytes]]:
        """Wait for a message; return its routing id, whose frame knows the peer, and the other frames.

        Of a message with far too many frames it returns as many as show that. Raises zmq.Again where the
        time is over.
        """
        first = frame = self._frame()
        frames: list[bytes] = []
        while frame.more:  # a message comes whole: these are there
            if len(frames) > _FRAMES:
                self._overlong.drop_rest()
                break
            frame = self._frame()
            frames.append(frame.bytes)
        return first, frames

    def reply(self, head: Sequence[bytes], body: bytes) -> None:
        """Send the envelope `head` and a reply's map, never blocking.

        Raises zmq.ZMQError where the peer left or does not read.
        """
        send = self._send
        for frame in head:
            send(frame, _MORE)
        send(wire.MAGIC, _MORE)
        send(body, _LAST)

    def close(self, linger_ms: int) -> None:
        """Close the socket; what was sent has so long to go out."""
        self.socket.close(linger=linger_ms)
