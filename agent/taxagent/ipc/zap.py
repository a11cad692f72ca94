"""Who may shake hands: the ZAP handler of the TCP door (RFC 27), one domain, one mechanism. Knows no request.

A plain loop in a thread of its own: it waits in a poll without a time limit, and ends by a message. What it
lets in is judged again at every request (admission.py); what it does not let in hears nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from taxagent.ipc.access import peer_of
from taxagent.model.value import Value

ADDRESS: Final = "inproc://zeromq.zap.01"
DOMAIN: Final = b"taxagent"
_STOP: Final = "inproc://taxagent.zap.stop"
_VERSION, _CURVE, _NULL = b"1.0", b"CURVE", b"NULL"
_FRAMES = 7  # version, request id, domain, address, routing id, mechanism, key
_KEY_BYTES = 32
_NO_DETAIL = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)  # the other end gave up: it saw CURVE first
_FAILED = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL) | _NO_DETAIL
_CRYPTOGRAPHIC, _MISMATCH = 0x11000001, 0x11000002  # ZMQ_PROTOCOL_ERROR_ZMTP_...
_REASONS = {_CRYPTOGRAPHIC: "server_key", _MISMATCH: "plain"}

_log = structlog.get_logger("ipc.zap")


class Knock(Value, frozen=True, kw_only=True):
    """Someone who proved to have the secret key of `public_key` (Z85)."""

    address: str
    public_key: str


Admits = Callable[[Knock], bool]  # in the ZAP thread
Strange = Callable[[str], None]  # told of a handshake that failed before it came to a key, by its reason


def answered(frames: Sequence[bytes], admits: Admits) -> list[bytes]:
    """Return the reply to a request; whatever is not exactly ours is refused."""
    request_id = frames[1] if len(frames) > 1 else b""
    if len(frames) == _FRAMES - 1 and frames[5] == _NULL:
        return _reply(request_id, b"200" if _by_ipc(frames) else b"400", b"")
    if len(frames) != _FRAMES or frames[0] != _VERSION or len(frames[6]) != _KEY_BYTES:
        return _reply(request_id, b"500", b"malformed")
    if frames[2] != DOMAIN or frames[5] != _CURVE:
        return _reply(request_id, b"400", b"refused")
    key = z85.encode(frames[6])
    if not admits(Knock(address=frames[3].decode("ascii", "replace"), public_key=key.decode())):
        return _reply(request_id, b"400", b"refused")
    return _reply(request_id, b"200", b"", key)


def _by_ipc(frames: Sequence[bytes]) -> bool:
    """Return whether it is about the ipc socket, which the system's to guard: by TCP the address is an IP's.

    libzmq asks of it where it was bound again after the TCP door: the domain stays on the socket.
    """
    ours = frames[0] == _VERSION and frames[2] == DOMAIN
    return ours and peer_of(frames[3].decode("ascii", "replace")) is not None


def _reply(request_id: bytes, status: bytes, text: bytes, user_id: bytes = b"") -> list[bytes]:
    return [_VERSION, request_id, status, text, user_id, b""]


class ZapThread:
    """Answers libzmq's questions, and hears of handshakes that fail before one is asked."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], admits: Admits, strange: Strange) -> None:
        self._admits = admits
        self._strange = strange
        self._asked = context.socket(zmq.REP)
        self._asked.setsockopt(zmq.LINGER, 0)
        self._end, self._bell = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        self._monitor: zmq.Socket[bytes] | None = None
        self._thread = threading.Thread(target=self._serve, name="zap", daemon=True)

    def start(self, watched: zmq.Socket[bytes]) -> None:
        """Begin to answer; before any bind with CURVE. `watched` is the socket whose failures are told."""
        self._asked.bind(ADDRESS)
        self._end.bind(_STOP)
        self._bell.connect(_STOP)
        self._monitor = watched.get_monitor_socket(_FAILED)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close its sockets; before the context ends. May be called again."""
        if self._bell.closed:
            return
        if self._thread.is_alive():
            self._bell.send(b"")
            self._thread.join()
        for each in (self._bell, self._end, self._asked, *((self._monitor,) if self._monitor else ())):
            each.close(linger=0)

    def _serve(self) -> None:
        poller = zmq.Poller()
        for socket in (self._asked, self._end, self._monitor):
            if socket is not None:
                poller.register(socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._end in ready:
                return
            if self._asked in ready:
                self._answer()
            if self._monitor is not None and self._monitor in ready:
                self._tell(self._monitor)

    def _answer(self) -> None:
        frames = self._asked.recv_multipart()
        try:
            reply = answered(frames, self._admits)
        except Exception:  # noqa: BLE001 - a defect lets nobody in, and must not end the thread
            _log.exception("zap_failed")
            reply = _reply(frames[1] if len(frames) > 1 else b"", b"500", b"failed")
        with suppress(zmq.ZMQError):  # who asked has left
            self._asked.send_multipart(reply)

    def _tell(self, monitor: zmq.Socket[bytes]) -> None:
        event = recv_monitor_message(monitor)
        reason = _REASONS.get(event["value"])
        if int(event["event"]) == _NO_DETAIL:
            reason = "broken_off"
        if event["endpoint"].startswith(b"tcp://") and reason:
            self._strange(reason)
