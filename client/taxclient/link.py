"""One connection to an agent: sends at once or not at all, and notices when the other end goes away."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import zmq

from taxclient.protocol import wire
from taxclient.protocol.errors import AgentUnavailable, AuthError
from taxclient.protocol.keyfile import KeyFile

_HWM = 100  # requests or replies that may wait in the socket
_RECONNECT_MS = 50
LAST_WORD_MS = 50  # an answer and the end of its connection are told by two sockets: the end may come first
_AUTH = int(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
_SHAKEN = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_SHAKEN_TWICE = 2  # an agent that just ends breaks a handshake off too, but no second one: it is gone then


class Link:
    """A DEALER and its monitor, with CURVE where there is a key. One thread; `close` gives both back.

    Raises AgentUnavailable for an endpoint that nothing can be reached at.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        connect_ms: int,
        key: KeyFile | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._connect_ms = connect_ms
        self._curve = key is not None
        self._refused = False  # the door has said no to this key
        self._failed = 0  # handshakes that came to nothing
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
        if key is not None:
            armour(self._socket, key)
            self._socket.setsockopt(zmq.MAXMSGSIZE, wire.REPLY_BYTES + wire.CURVE_BYTES)
        watched = int(zmq.EVENT_DISCONNECTED) | (_AUTH | _SHAKEN if self._curve else 0)
        self._monitor = self._socket.get_monitor_socket(watched)
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
        """Send; False where no connection came up in time, and then nothing was sent.

        Raises AuthError as soon as the door has said no.
        """
        self.forget()
        if self._curve and not self._let_in():
            return False
        try:
            self._socket.send_multipart(frames)
        except zmq.Again:
            return False
        return True

    def _let_in(self) -> bool:
        """Wait until the handshake is through; False where it is not in time. Raises AuthError."""
        until = time.monotonic() + self._connect_ms / 1000
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLOUT)
        poller.register(self._monitor, zmq.POLLIN)
        while (left_ms := (until - time.monotonic()) * 1000) > 0:
            self.forget()
            self.refusing()  # the handshake may be over before the first send
            ready = dict(poller.poll(max(1, round(left_ms))))
            if self._socket in ready:
                return True
        return False

    def refusing(self) -> None:
        """Raise AuthError where the door has said no, or no handshake comes to an end."""
        if self._refused:
            raise AuthError(self._endpoint, "refused")
        if self._failed >= _SHAKEN_TWICE:
            raise AuthError(self._endpoint, "handshake")

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
            self._heard(self._monitor.recv_multipart())
        self.lost = False

    def _heard(self, event: Sequence[bytes]) -> None:
        kind = int.from_bytes(event[0][:2], sys.byteorder)
        if kind == _AUTH:
            self._refused = True
        elif kind & _SHAKEN:
            self._failed += 1

    def close(self) -> None:
        """Close at once; what was not sent is dropped."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)


def armour(socket: zmq.Socket[bytes], key: KeyFile) -> None:
    """Have a socket that is not connected yet speak CURVE with this key, to this agent alone."""
    socket.setsockopt(zmq.CURVE_SERVERKEY, key.server_key.encode())
    socket.setsockopt(zmq.CURVE_PUBLICKEY, key.public_key.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, key.secret_key.encode())
