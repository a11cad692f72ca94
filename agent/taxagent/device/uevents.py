"""Udev's news of USB devices: a netlink socket that wakes whoever looks at the bus. Reads nothing of them.

A few lines instead of pyudev: what is plugged is read from descriptors anyway, so of an event only its coming
matters. Only where udev runs: elsewhere (a container) its events may never arrive, and nobody would know.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from pathlib import Path

_KOBJECT_UEVENT = 15  # linux/netlink.h
_UDEV_GROUP = 2  # after udev's rules were applied: permissions are set by then
_LONGEST = 16_384  # bytes of an event
_MOST = 1_000  # events that are drained at once


def uevents(root: Path = Path("/")) -> Uevents | None:
    """Return news of this machine's udev, None where there are none to be had."""
    if sys.platform != "linux" or not (root / "run/udev/control").exists():
        return None
    try:
        door = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _KOBJECT_UEVENT)
    except OSError:  # a sandbox without AF_NETLINK
        return None
    try:
        door.bind((0, _UDEV_GROUP))
    except OSError:
        door.close()
        return None
    return Uevents(door)


class Uevents:
    """Waits for an event of a USB device. One thread waits; any thread may wake it."""

    def __init__(self, door: socket.socket) -> None:
        """Take over a datagram socket on which events come in."""
        self._door = door
        self._door.setblocking(False)  # noqa: FBT003 - the library's own form
        self._bell, self._ear = socket.socketpair()
        self._poll = select.poll()
        for end in (self._door, self._ear):
            self._poll.register(end, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Return whether the bus is to be looked at: a USB device came or went, or so much time has passed.

        False when it was woken, or when the news was of something else.
        """
        ready = {descriptor for descriptor, _ in self._poll.poll(seconds * 1000)}
        if self._ear.fileno() in ready:
            self._ear.recv(16)
        return not ready or (self._door.fileno() in ready and self._drained())

    def wake(self) -> None:
        """Have `wait` return."""
        with contextlib.suppress(OSError):  # closed: nobody waits
            self._bell.send(b".")

    def close(self) -> None:
        """Hear nothing more."""
        for end in (self._door, self._bell, self._ear):
            end.close()

    def _drained(self) -> bool:
        about_usb = False
        for _ in range(_MOST):
            try:
                event = self._door.recv(_LONGEST)
            except BlockingIOError:
                break
            except OSError:  # ENOBUFS: some were lost, of whatever
                return True
            about_usb = about_usb or b"\0SUBSYSTEM=usb\0" in event
        return about_usb
