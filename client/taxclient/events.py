"""The event channel without gaps: what the SUB socket missed is asked of the journal."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Protocol, Self

import msgspec
import zmq

from taxclient.protocol.errors import Timeout
from taxclient.protocol.messages import EventsResult, EventView, HelloResult

WELCOME = b"\x00welcome"
_TOUCH_MS = 50  # between two hellos: the agent's socket sends its welcome when the loop has a turn
_WELCOME_S = 5.0
_UNNUMBERED = "device.changed"  # no row of the journal: carries the last row's seq
_EVENT_BYTES = 65_536


class _Asker(Protocol):
    def hello(self) -> HelloResult: ...
    def events_since(self, since: int, limit: int = ...) -> EventsResult: ...


class EventStream:
    """Events in the journal's order. One thread, the same as its client's."""

    def __init__(self, client: _Asker, context: zmq.Context[zmq.Socket[bytes]], since: int | None) -> None:
        self._client = client
        self._ready: deque[EventView] = deque()
        self._socket = context.socket(zmq.SUB)
        for option, value in ((zmq.LINGER, 0), (zmq.RCVHWM, 1000), (zmq.MAXMSGSIZE, _EVENT_BYTES)):
            self._socket.setsockopt(option, value)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        try:
            self._socket.connect(client.hello().events)
            seq = self._welcomed()
        except BaseException:
            self.close()
            raise
        self.last = seq if since is None else since  # seq of the newest event given out or known
        self._fill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the subscription."""
        self._socket.close(linger=0)

    def next(self, timeout_ms: int) -> EventView | None:
        """Return the next event, or None where none came in time. Raises what the client raises."""
        until = time.monotonic() + timeout_ms / 1000
        while not self._ready:
            left = round((until - time.monotonic()) * 1000)
            if left < 0 or not self._socket.poll(left, zmq.POLLIN):
                return None
            self._take(self._socket.recv_multipart())
        return self._ready.popleft()

    def _take(self, frames: list[bytes]) -> None:
        if frames == [WELCOME]:  # connected again: what was said meanwhile is in the journal
            self._fill()
            return
        try:
            event = msgspec.msgpack.decode(frames[-1], type=EventView)
        except msgspec.DecodeError:
            return  # a hint that cannot be read is a hint that is missing: the next gap is filled
        if event.type == _UNNUMBERED:
            self._ready.append(event)
        elif event.seq > self.last + 1:
            self._fill()
        elif event.seq == self.last + 1:
            self.last = event.seq
            self._ready.append(event)

    def _fill(self) -> None:
        while True:
            page = self._client.events_since(self.last)
            self._ready.extend(page.events)
            self.last = max(self.last, page.next)
            if page.next >= page.last:
                return

    def _welcomed(self) -> int:
        """Ask hello, which gives the agent's loop a turn, until the subscription is confirmed; its seq."""
        until = time.monotonic() + _WELCOME_S
        while time.monotonic() < until:
            self._client.hello()
            if self._socket.poll(_TOUCH_MS, zmq.POLLIN) and self._socket.recv_multipart() == [WELCOME]:
                return self._client.hello().seq
        raise Timeout("events", round(_WELCOME_S * 1000))
