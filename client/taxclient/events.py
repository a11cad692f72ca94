"""The event channel without gaps: what the SUB socket missed is asked of the journal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import zmq

from taxclient import questions
from taxclient.flows import Flow, Listen, ask
from taxclient.link import armour
from taxclient.protocol.errors import Timeout
from taxclient.protocol.keyfile import KeyFile
from taxclient.protocol.messages import EventView

R = TypeVar("R")
WELCOME = b"\x00welcome"
_TOUCH_MS = 50  # between two hellos: the agent's socket sends its welcome when the loop has a turn
_WELCOME_S = 5.0
_UNNUMBERED = frozenset({"device.changed", "agent.draining"})  # no rows of the journal: the last row's seq
_EVENT_BYTES = 65_536


class Channel:
    """What a subscriber knows, without I/O: where it stands, and what is to be read before it goes on."""

    def __init__(self) -> None:
        self.last = 0  # seq of the newest event given out or known
        self._ready: deque[EventView] = deque()
        self._behind = True  # whether the journal has something that was not heard

    def opening(self, since: int | None) -> Flow[None]:
        """Ask hello, which gives the agent's loop a turn, until the subscription is confirmed."""
        until = time.monotonic() + _WELCOME_S
        while time.monotonic() < until:
            yield from ask(questions.hello())
            if (yield Listen(_TOUCH_MS)) == [WELCOME]:
                hello = yield from ask(questions.hello())
                self.last = hello.seq if since is None else since
                yield from self._filling()
                return
        raise Timeout("events", round(_WELCOME_S * 1000))

    def following(self, timeout_ms: int) -> Flow[EventView | None]:
        """Return the next event, or None where none came in time.

        A call that was broken off in the middle of a gap leaves `_behind`: the next one fills it first.
        """
        until = time.monotonic() + timeout_ms / 1000
        while not self._ready:
            if self._behind:
                yield from self._filling()
                continue
            left_ms = round((until - time.monotonic()) * 1000)
            frames: list[bytes] | None = (yield Listen(left_ms)) if left_ms >= 0 else None
            if frames is None:
                return None
            self._take(frames)
        return self._ready.popleft()

    def _take(self, frames: list[bytes]) -> None:
        if frames == [WELCOME]:  # connected again: what was said meanwhile is in the journal
            self._behind = True
            return
        try:
            event = msgspec.msgpack.decode(frames[-1], type=EventView)
        except msgspec.DecodeError:
            return  # a hint that cannot be read is a hint that is missing: the next gap is filled
        if event.type in _UNNUMBERED:
            self._ready.append(event)
        elif event.seq > self.last + 1:
            self._behind = True
        elif event.seq == self.last + 1:
            self.last = event.seq
            self._ready.append(event)

    def _filling(self) -> Flow[None]:
        self._behind = True
        while self._behind:
            page = yield from ask(questions.events_since(self.last))
            self._ready.extend(page.events)
            self.last = max(self.last, page.next)
            self._behind = page.next < page.last


def subscriber(
    context: zmq.Context[zmq.Socket[bytes]], endpoint: str, key: KeyFile | None
) -> zmq.Socket[bytes]:
    """Return a SUB socket for all topics and the welcome, with CURVE where there is a key."""
    socket = context.socket(zmq.SUB)
    for option, value in ((zmq.LINGER, 0), (zmq.RCVHWM, 1000), (zmq.MAXMSGSIZE, _EVENT_BYTES)):
        socket.setsockopt(option, value)
    if key is not None:
        armour(socket, key)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(endpoint)
    return socket


class EventStream:
    """Events in the journal's order. One thread, the same as its client's."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        drive: Callable[[Flow[EventView | None], zmq.Socket[bytes]], EventView | None],
        channel: Channel,
    ) -> None:
        self._socket = socket
        self._drive = drive
        self._channel = channel

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last(self) -> int:
        """Seq of the newest event given out or known."""
        return self._channel.last

    def close(self) -> None:
        """End the subscription."""
        self._socket.close(linger=0)

    def next(self, timeout_ms: int) -> EventView | None:
        """Return the next event, or None where none came in time. Raises what the client raises."""
        return self._drive(self._channel.following(timeout_ms), self._socket)
