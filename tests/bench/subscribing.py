"""The row about events: 50 subscribers, from the request that causes an event to its arrival at each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import zmq

from taxclient.protocol.messages import EventView
from tests.bench.figures import Measured, percentile, undisturbed
from tests.bench.ground import ground
from tests.bench.peers import Peer, checks, peers, rate
from tests.builders.site import DEVICE

_SUBSCRIBERS = 50
_EACH = 10  # jobs of a round, one after the other
_BURST = 512  # events that come faster than they are read: inside the channel's queue of 1000
_PATIENCE_MS = 5_000

Socket = zmq.Socket[bytes]


def events_p99(rounds: int) -> Measured:
    """A job is accepted; its event reaches 50 subscribers. The journal lies in memory."""
    took: list[float] = []
    with ground(in_memory=True) as at:
        at.occupy()
        events = at.one.hello().events
        with subscribers(_SUBSCRIBERS, events) as sockets, peers(8, at.endpoint) as submitters, undisturbed():
            heard = _Heard(sockets)
            _welcome(at.one.hello, sockets)
            for _ in range(rounds):
                for frames in checks(_EACH, DEVICE):
                    took += _one_event(submitters[0], frames, heard)
            rate(submitters, checks(_BURST, DEVICE))
            heard.all_there(rounds * _EACH + _BURST)
    note = f"{len(took)} arrivals, from the request on; then a burst of {_BURST} events: none lost"
    return Measured(value=percentile(took, 0.99) * 1e3, note=note)


@contextmanager
def subscribers(number: int, endpoint: str) -> Iterator[list[Socket]]:
    """Yield that many subscriptions to everything, in a context of their own."""
    context: zmq.Context[Socket] = zmq.Context()
    made = []
    for _ in range(number):
        socket = context.socket(zmq.SUB)
        for option, value in ((zmq.LINGER, 0), (zmq.RCVTIMEO, _PATIENCE_MS), (zmq.SUBSCRIBE, b"")):
            socket.setsockopt(option, value)
        socket.connect(endpoint)
        made.append(socket)
    try:
        yield made
    finally:
        for socket in made:
            socket.close(linger=0)
        context.destroy(linger=0)


class _Heard:
    """What each subscriber has heard: the numbers of the journal's rows, which have no gaps."""

    def __init__(self, sockets: Sequence[Socket]) -> None:
        self.sockets = sockets
        self._counts = [0] * len(sockets)
        self._last = [0] * len(sockets)

    def next_row(self, number: int) -> None:
        """Wait for the next event of a row at one subscriber."""
        while True:
            event = msgspec.msgpack.decode(self.sockets[number].recv_multipart()[-1], type=EventView)
            if event.job_id:
                break
        if self._last[number] and event.seq != self._last[number] + 1:
            msg = f"subscriber {number} heard {event.seq} after {self._last[number]}"
            raise RuntimeError(msg)
        self._last[number] = event.seq
        self._counts[number] += 1

    def all_there(self, count: int) -> None:
        """Read until every subscriber has heard `count` rows."""
        for number in range(len(self.sockets)):
            while self._counts[number] < count:
                self.next_row(number)


def _welcome(hello: object, sockets: Sequence[Socket]) -> None:
    for socket in sockets:
        while not socket.poll(10):
            hello()  # type: ignore[operator]  # gives the agent's loop a turn
        socket.recv_multipart()


def _one_event(submitter: Peer, frames: list[bytes], heard: _Heard) -> list[float]:
    took, clock = [], time.perf_counter
    begun = clock()
    submitter.socket.send_multipart(frames)
    for number in range(len(heard.sockets)):
        heard.next_row(number)
        took.append(clock() - begun)
    submitter.socket.recv_multipart()
    return took
