"""A service manager's end of sd_notify: a datagram socket, and what came in at it."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 20.0
Fields = dict[str, str]


class ServiceManager:
    """Receives what an agent tells; `address` is its $NOTIFY_SOCKET."""

    def __init__(self, door: socket.socket, address: str) -> None:
        self._door = door
        self.address = address
        self.told: list[Fields] = []

    def until(self, holds: Callable[[Fields], bool], what: str) -> Fields:
        """Return the next datagram of which `holds` is true; at most 20 s."""
        deadline = time.monotonic() + PATIENCE_S
        while (left := deadline - time.monotonic()) > 0:
            told = self.next(left)
            if told is not None and holds(told):
                return told
        raise AssertionError(f"not told within {PATIENCE_S:.0f} s: {what}; told: {self.told[-5:]}")

    def next(self, seconds: float) -> Fields | None:
        """Return the next datagram, None where there is none in that time."""
        self._door.settimeout(seconds)
        try:
            data = self._door.recv(65536)
        except (TimeoutError, BlockingIOError):  # with a limit, and at once
            return None
        fields = dict(line.split("=", 1) for line in data.decode().split("\n"))
        self.told.append(fields)
        return fields


@contextmanager
def service_manager() -> Iterator[ServiceManager]:
    """Yield one that listens."""
    with (
        tempfile.TemporaryDirectory(prefix="sm-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door,
    ):
        address = str(Path(folder) / "notify")
        door.bind(address)
        yield ServiceManager(door, address)
