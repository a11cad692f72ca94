"""One connection to an agent: sends at once or not at all, and notices when the other end goes away."""

from __future__ import annotations

from collections.abc import Sequence

import zmq

from taxclient.protocol import wire
from taxclient.protocol.errors import AgentUnavailable

_HWM = 100  # requests or replies that may wait in the socket
_RECONNECT_MS = 50
LAST_WORD_MS = 50  # an answer and the end of its connection are told by two sockets: the end may come first


class Link:
    """A DEALER and its monitor. One thread; `close` gives both back.

    Raises AgentUnavailable for an endpoint that nothing can be reached at.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, connect_ms: int) -> None:
        self._socket = context.socket(zmq.DEALER)
        for option, value in (
            (zmq.IMMEDIATE, 1),  # nothing waits for an agent that is not there
            (zmq.LINGER, 0),
            (zmq.SNDTIMEO, connect_ms),
            (zmq.RECONNECT_IVL, _RECONNECT_MS),
            (zmq.MAXMSGSIZE, wire.REPLY_BYTES),
            (zmq.SNDHWM, _HWM),
            (zmq.RCVHWM, _HWM),
        ):
            self._socket.setsockopt(option, value)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:  # no such transport, or a path that is too long
            self.close()
            raise AgentUnavailable(endpoint) from error
        self.lost = False  # whether the other end went away after the last send

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send; False where no connection came up in time, and then nothing was sent."""
        self.forget()
        try:
            self._socket.send_multipart(frames)
        except zmq.Again:
            return False
        return True

    def receive(self, timeout_ms: int) -> list[bytes] | None:
        """Return the next message; None when the time is over, or (`lost`) the other end went away."""
        ready = dict(self._poller.poll(timeout_ms))
        if self._socket in ready or self._socket.poll(LAST_WORD_MS if self._monitor in ready else 0):
            return self._socket.recv_multipart()
        self.lost = self._monitor in ready
        return None

    def forget(self) -> None:
        """Forget what became of connections before the next request."""
        while self._monitor.poll(0):
            self._monitor.recv_multipart()
        self.lost = False

    def close(self) -> None:
        """Close at once; what was not sent is dropped."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
