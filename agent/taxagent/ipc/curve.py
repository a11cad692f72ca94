"""Key pairs of the TCP door, and a socket that speaks CURVE while it binds. Knows no file and no client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from taxagent.ipc.channel import Channel
from taxagent.ipc.zap import DOMAIN
from taxagent.model.value import Value
from taxclient.protocol import wire

_HANDSHAKE = 512  # bytes: a handshake's longest command is about 300, and libzmq measures it too


class KeyPair(Value, frozen=True, kw_only=True):
    """A CURVE key pair, both in Z85. No print shows the secret one."""

    public: str
    secret: str

    def __repr__(self) -> str:
        """Show the public one."""
        return f"KeyPair({self.public})"


def new_pair() -> KeyPair:
    """Return a fresh pair."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public=public.decode(), secret=secret.decode())


def has_ipc() -> bool:
    """Return whether this libzmq can ipc: Windows' wheels cannot."""
    return bool(zmq.has("ipc"))


@contextmanager
def armoured(socket: zmq.Socket[bytes], server: KeyPair) -> Iterator[None]:
    """Have what `socket` binds inside the block speak CURVE alone; its other addresses stay as they are.

    libzmq copies a socket's options into each listener when it is bound.
    """
    _arm(socket, server)
    plain = int(socket.getsockopt(zmq.MAXMSGSIZE))
    socket.setsockopt(zmq.MAXMSGSIZE, plain + wire.CURVE_BYTES)
    try:
        yield
    finally:
        socket.setsockopt(zmq.MAXMSGSIZE, plain)
        socket.setsockopt(zmq.CURVE_SERVER, 0)  # the domain stays: pyzmq cannot empty it (zap.py, NULL)


class CurveChannel(Channel):
    """An event channel that lets in who is let in at the door."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], server: KeyPair) -> None:
        self._server = server
        super().__init__(context)

    def _made(self) -> zmq.Socket[bytes]:
        socket = super()._made()
        _arm(socket, self._server)
        socket.setsockopt(zmq.MAXMSGSIZE, _HANDSHAKE)
        return socket


def _arm(socket: zmq.Socket[bytes], server: KeyPair) -> None:
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, server.secret.encode())
    socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without a handler nobody is let in, instead of everybody
