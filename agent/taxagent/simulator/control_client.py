"""The other end of a simulator's control connection, for the command line and for tests."""

from __future__ import annotations

import socket
from collections import deque
from types import TracebackType
from typing import Self

import msgspec

from taxagent.model.value import to_json
from taxagent.simulator import control_messages as m

_LONGEST_WAIT_S = 30.0


class ControlClient:
    """One control connection, used by one thread: orders are answered in order, events are kept meanwhile."""

    def __init__(self, host: str, port: int) -> None:
        """Connect and read what is plugged, in `plugged`. Raises OSError."""
        self._sock = socket.create_connection((host, port), timeout=_LONGEST_WAIT_S)
        self._lines = self._sock.makefile("rb")
        self._events: deque[dict[str, object]] = deque()
        self._last_id = 0
        self.plugged = msgspec.json.decode(self._line(), type=m.HelloEvent).devices

    def order(self, order: m.AnyOrder) -> m.Reply:
        """Carry out an order and return the reply, `ok` or not. Raises OSError where the simulator left."""
        self._last_id += 1
        return self.send(to_json(msgspec.structs.replace(order, id=self._last_id)))

    def send(self, line: bytes) -> m.Reply:
        """Send an order as it is written, and return the reply."""
        self._sock.sendall(line + b"\n")
        while True:
            said = self._line()
            if b'"reply"' in said[:10]:
                return msgspec.json.decode(said, type=m.Reply)
            self._events.append(msgspec.json.decode(said, type=dict[str, object]))

    def raw(self, line: bytes) -> dict[str, object]:
        """Send an order as it is written, and return the reply as it came: of any simulator."""
        self._sock.sendall(line + b"\n")
        while True:
            said = msgspec.json.decode(self._line(), type=dict[str, object])
            if "reply" in said:
                return said
            self._events.append(said)

    def event(self, name: str) -> dict[str, object]:
        """Return the next event of that name; those before it are dropped. Raises TimeoutError after 30 s."""
        while True:
            said = (
                self._events.popleft()
                if self._events
                else msgspec.json.decode(self._line(), type=dict[str, object])
            )
            if said["event"] == name:
                return said

    def close(self) -> None:
        """Leave."""
        self._lines.close()
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self) -> bytes:
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the simulator left")
        return line
