"""The event channel: an XPUB beside the ROUTER. What it says is a hint; the journal is the truth."""

from __future__ import annotations

import contextlib

import msgspec
import zmq

from taxclient.protocol.messages import EventView

WELCOME = b"\x00welcome"
_HWM = 1000  # events that may wait for one slow subscriber; later ones it must fetch by events.since
_DRAIN = 64  # subscriptions that are read in one turn of the loop, so that a flood cannot hold it
_SUBSCRIPTION = 128  # bytes; a longer message closes its connection


class Channel:
    """Publishes events and reads subscriptions away. Used by the loop's thread alone."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.XPUB)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, _HWM),
            (zmq.RCVHWM, _DRAIN),
            (zmq.HANDSHAKE_IVL, 3000),
            (zmq.MAXMSGSIZE, _SUBSCRIPTION),
        ):
            self.socket.setsockopt(option, value)
        self.socket.setsockopt(zmq.XPUB_WELCOME_MSG, WELCOME)
        self._touched = True

    def say(self, event: EventView) -> None:
        """Send an event to who subscribed to its topic; never blocks, drops for who does not read."""
        self._touched = True
        with contextlib.suppress(zmq.Again):
            self.socket.send_multipart([event.topic.encode(), msgspec.msgpack.encode(event)], zmq.NOBLOCK)

    def touch(self) -> None:
        """Have the next `drain` look: that is also what sends the welcomes."""
        self._touched = True

    def drain(self) -> None:
        """Read subscriptions, at most 64, where the socket was used since the last look.

        Only then can there be any: libzmq takes them from the connections when the socket is used, and holds
        a connection up that sends more meanwhile. A look costs 1.7 us, which each answer paid before.
        """
        if not self._touched:
            return
        for _ in range(_DRAIN):
            if not int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                self._touched = False
                return
            with contextlib.suppress(zmq.Again):
                self.socket.recv(zmq.NOBLOCK)

    def close(self, linger_ms: int = 0) -> None:
        """Close the socket; what was said last may be on its way for so long."""
        self.socket.close(linger=linger_ms)
