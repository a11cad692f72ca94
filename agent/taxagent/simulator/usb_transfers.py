"""The transfers of one USB/IP import: answered as the device says, unlinked as the host says.

Knows no bus and no command.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from usbip import protocol
from usbip.core import Urb
from usbip.device import USBDevice

from taxagent.simulator.quirks import Quirks

_RET_UNLINK = struct.Struct(">5I i 24x")
_UNLINKED = -104  # -ECONNRESET: the transfer was ended by the unlink


class Transfers:
    """The transfers of one import. One that was unlinked is never answered, nor is any of a hung device."""

    def __init__(self, sock: socket.socket, usb: USBDevice, quirks: Quirks) -> None:
        self._quirks = quirks
        self._sock = sock
        self._usb = usb
        self._lock = threading.Lock()
        self._open: set[int] = set()

    def serve(self) -> None:
        """Take transfers until the host leaves. Raises OSError where the connection breaks."""
        while (urb := protocol.read_cmd(self._sock, self._usb)) is not None:
            if urb.command == protocol.CMD_UNLINK:
                self._unlink(urb)
                continue
            with self._lock:
                self._open.add(urb.seqnum)
            if self._quirks.hung:
                continue
            if self._usb.handle_urb(urb, self._respond) is not None:
                self._respond(urb)

    def _respond(self, urb: Urb) -> None:
        with self._lock:
            if urb.seqnum not in self._open or self._quirks.hung:
                return
            self._open.discard(urb.seqnum)
            with contextlib.suppress(OSError):  # the host is gone; the reading thread notices
                protocol.write_ret(_OneSend(self._sock), urb)

    def _unlink(self, urb: Urb) -> None:
        self._usb.cancel_urb(urb.flags)  # of an unlink: the seqnum that it is about
        with self._lock:
            status = _UNLINKED if urb.flags in self._open else 0
            self._open.discard(urb.flags)
            self._sock.sendall(
                _RET_UNLINK.pack(protocol.RET_UNLINK, urb.seqnum, urb.devid, urb.direction, urb.ep, status)
            )


class _OneSend:
    """Sends header and data in one go; the header says how much follows."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._header = b""

    def sendall(self, data: bytes) -> None:
        """Keep a header whose data is still to come, send the rest."""
        if not self._header and len(data) == 48 and _carries_data(data):
            self._header = data
            return
        self._sock.sendall(self._header + data)
        self._header = b""


def _carries_data(header: bytes) -> bool:
    _, _, _, direction, _, _, actual = struct.unpack_from(">5I ii", header)
    return bool(direction == 1 and actual > 0)
