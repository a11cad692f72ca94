"""The event channel: an XPUB beside the ROUTER. What it says is a hint; the journal is the truth."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import msgspec
import zmq

from taxagent.ipc.access import peer_of
from taxclient.protocol.messages import EventView

WELCOME = b"\x00welcome"
_ENCODER = msgspec.msgpack.Encoder()
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)  # zmq's flags are slow enums
_MORE, _LAST = int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.NOBLOCK)
_HWM = 1000  # events that may wait for one slow subscriber; later ones it must fetch by events.since
_DRAIN = 1024  # subscriptions that are read in one turn of the loop (0.6 ms): a flood is known in three
_SUBSCRIPTION = 44  # bytes: the longest topic is a job's, 30; a longer message closes its connection
_EACH = 256  # of one process: who has more when there are too many is a flooder
_TOPICS = 2048  # of all subscribers; beyond, libzmq's tree of topics takes memory and time from everyone


class Channel:
    """Publishes events and reads subscriptions away. Used by the loop's thread alone."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self._endpoint = ""
        self.socket = self._made()
        self._touched = True
        self._topics = 0
        self._of: Counter[int] = Counter()  # topics by the pid that asked for them; 0 where it is not known
        self._open = True
        self._admits = False
        self._asked = False  # whether anybody has subscribed to anything yet

    def bind(self, endpoint: str) -> None:
        """Open the channel, also anew after `unbind`; does nothing where it is. Raises zmq.ZMQError."""
        self._endpoint = endpoint
        if self._open and not self._admits:
            self.socket.bind(endpoint)
        self._admits = True

    def unbind(self) -> None:
        """Give the address up, and with it everyone who is there."""
        self._admits = False
        if self._open:
            self.socket.unbind(self._endpoint)

    @property
    def is_open(self) -> bool:
        """Whether there are subscribers, or could be."""
        return self._open

    def shut(self) -> None:
        """Leave all subscribers; what they asked for is forgotten, in libzmq's own thread."""
        self.socket.close(linger=0)
        self._open = False

    def reopen(self) -> None:
        """Open the channel again after `shut`; subscribers come back by themselves, and are welcomed.

        Raises zmq.ZMQError where the address cannot be had now; the channel stays shut, and this may be tried
        again.
        """
        socket = self._made()
        try:
            if self._admits:
                socket.bind(self._endpoint)
        except zmq.ZMQError:
            socket.close(linger=0)
            raise
        self.socket = socket
        self._touched, self._topics, self._open = True, 0, True
        self._of.clear()

    def _made(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.XPUB)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, _HWM),
            (zmq.RCVHWM, 64),
            (zmq.HANDSHAKE_IVL, 3000),
            (zmq.MAXMSGSIZE, _SUBSCRIPTION),
        ):
            socket.setsockopt(option, value)
        socket.setsockopt(zmq.XPUB_WELCOME_MSG, WELCOME)
        return socket

    def wanted(self) -> bool:
        """Return whether anybody has ever subscribed to anything: before, nothing need be put into words.

        It stays so when all have left: whom libzmq names as leaving is in the hands of its peers.
        """
        if self._open and not self._asked and self._look():
            self._asked = self._touched = True
        return self._open and self._asked

    def say(self, event: EventView) -> None:
        """Send an event to who subscribed to its topic; never blocks, drops for who does not read."""
        if not self._open:
            return
        self._touched = True
        with contextlib.suppress(zmq.Again):
            self.socket.send(event.topic.encode(), _MORE)
            self.socket.send(_ENCODER.encode(event), _LAST)

    def touch(self) -> None:
        """Have the next `drain` look: that is also what sends the welcomes."""
        self._touched = True

    def drain(self) -> bool:
        """Read some subscriptions, where the socket was used since the last look; False for too many.

        Only then can there be any: libzmq takes them from the connections when the socket is used, and holds
        a connection up that sends more meanwhile. A look costs 1.7 us, which each answer paid before.
        """
        if not self._touched or not self._open:
            return True
        for _ in range(_DRAIN):
            if not self._look():
                self._touched = False
                return True
            self._asked = True
            with contextlib.suppress(zmq.Again):
                frame = self.socket.recv(zmq.NOBLOCK, copy=False)
                more = 1 if frame.bytes[:1] == b"\x01" else -1
                self._topics += more
                self._of[_pid(frame)] += more
        return self._topics <= _TOPICS

    @property
    def flooders(self) -> tuple[int, ...]:
        """The pids of those who asked for most topics and are still there, also once it is shut."""
        return tuple(pid for pid, topics in self._of.items() if pid and topics > _EACH and _lives(pid))

    def _look(self) -> bool:
        """Have libzmq take subscriptions from the connections; return whether there is one to read."""
        return bool(int(self.socket.getsockopt(_EVENTS)) & _POLLIN)

    def close(self, linger_ms: int = 0) -> None:
        """Close the socket; what was said last may be on its way for so long."""
        self.socket.close(linger=linger_ms)


def _pid(subscription: zmq.Frame) -> int:
    try:
        peer = peer_of(str(subscription.get("Peer-Address")))
    except zmq.ZMQError:
        return 0
    return peer.pid if peer is not None else 0  # by TCP there is none


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
