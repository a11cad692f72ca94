"""A USB/IP client: an imported device, and transfers to it from any thread.

From the kernel's description of the protocol, version 1.1.1 (docs.kernel.org/usb/usbip_protocol.html). Must
not know pyusb, descriptors or mass storage.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from enum import IntEnum

from taxagent.device.usbip_server import Connect, Gone, UsbipError, import_device, receive

_CMD_SUBMIT, _CMD_UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_NOT_ISOCHRONOUS = 0xFFFFFFFF  # number_of_packets where the transfer is not isochronous
_HEADER_SIZE = 48
_SUBMIT = struct.Struct(">5I 5I 8s")  # basic header; flags, length, start, packets, interval; setup
_UNLINK = struct.Struct(">5I I 24x")  # basic header; the seqnum to unlink
_REPLY = struct.Struct(">5I ii 20x")  # basic header; status, actual length (RET_SUBMIT)

_UNLINK_WAIT_S = 1.0
_CLOSE_WAIT_S = 1.0
_DRAIN = 64 * 1024
_SEND_S = 5  # a server that takes nothing for so long is gone


class TransferTimeout(UsbipError):
    """The transfer was not answered in time and was unlinked; its data, if it still comes, is dropped."""


class TransferFailed(UsbipError):
    """The transfer ended with `status`, a negative Linux errno (-32 = stall)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"transfer ended with status {status}")
        self.status = status


class Direction(IntEnum):
    """The protocol's direction of a transfer."""

    OUT = 0
    IN = 1


class _Transfer:
    """A submitted transfer and the thread that waits for it."""

    __slots__ = ("abandoned", "data", "direction", "length", "lost", "status", "woken")

    def __init__(self, direction: Direction, length: int) -> None:
        self.direction = direction
        self.length = length
        self.abandoned = False
        self.lost = False
        self.status: int | None = None
        self.data: bytes | int = 0
        self.woken = threading.Lock()  # a lock as a one-shot signal: a third of an Event's cost
        self.woken.acquire()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # already woken
            self.woken.release()


class Attachment:
    """One imported device: transfers from any number of threads, one reader thread.

    Replies find their transfer by seqnum alone; nothing that arrives late can reach another transfer.
    """

    def __init__(self, connect: Connect, busid: str) -> None:
        """Import `busid`. Raises OSError, Gone or ImportRefused."""
        self._sock = connect()
        try:
            self.device = import_device(self._sock, busid)
            _limit_sends(self._sock)
        except BaseException:
            self._sock.close()
            raise
        self._devid = self.device.busnum << 16 | self.device.devnum
        self._seqnum = 0
        self._state = threading.Lock()  # guards the four below
        self._transfers: dict[int, _Transfer] = {}
        self._unlinks: dict[int, _Transfer] = {}
        self._closed = False
        self._given_back = False
        self._sending = threading.Lock()
        self._reader = threading.Thread(target=self._read, name=f"usbip-{busid}", daemon=True)
        self._reader.start()

    @property
    def gone(self) -> bool:
        """True once the connection has ended by itself: the device was pulled or the server left.

        Giving the device back with `close` is not being gone: whoever looks at the bus meanwhile must still
        find it there.
        """
        return self._closed and not self._given_back

    def read(self, endpoint: int, length: int, timeout_ms: int, setup: bytes = bytes(8)) -> bytes:
        """Read at most `length` bytes from endpoint number `endpoint` (0 with `setup`).

        Raises TransferTimeout, TransferFailed or Gone.
        """
        result = self._submit(Direction.IN, endpoint, length, b"", setup, timeout_ms)
        return result if isinstance(result, bytes) else b""

    def write(self, endpoint: int, data: bytes, timeout_ms: int, setup: bytes = bytes(8)) -> int:
        """Write `data` to endpoint number `endpoint` (0 with `setup`); return the count that was taken.

        Raises TransferTimeout, TransferFailed or Gone.
        """
        result = self._submit(Direction.OUT, endpoint, len(data), data, setup, timeout_ms)
        return result if isinstance(result, int) else 0

    def close(self) -> None:
        """Give the device back; every waiting transfer raises Gone.

        Returns once the server has let go of it (it then closes its side), so that the next import is not
        refused as busy; a server that does not is left after a bounded wait.
        """
        with self._state:
            self._given_back = self._given_back or not self._closed
        self._end()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        if threading.current_thread() is self._reader:
            return
        self._reader.join(_CLOSE_WAIT_S)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._reader.join(_CLOSE_WAIT_S)

    # ---- the caller's thread

    def _submit(
        self, direction: Direction, endpoint: int, length: int, data: bytes, setup: bytes, timeout_ms: int
    ) -> bytes | int:
        if timeout_ms <= 0:
            raise ValueError("a transfer needs a time limit")
        transfer = _Transfer(direction, length)
        seqnum = self._enter(self._transfers, transfer)
        header = (_CMD_SUBMIT, seqnum, self._devid, direction, endpoint)
        self._send(_SUBMIT.pack(*header, 0, length, 0, _NOT_ISOCHRONOUS, 0, setup) + data)
        if not transfer.woken.acquire(timeout=timeout_ms / 1000):
            self._unlink(seqnum, transfer)
        if transfer.status is None:
            if transfer.lost:
                raise Gone("the connection ended during the transfer", submitted=True)
            raise TransferTimeout(f"no answer on endpoint {endpoint} within {timeout_ms} ms")
        if transfer.status:
            raise TransferFailed(transfer.status)
        return transfer.data

    def _unlink(self, seqnum: int, transfer: _Transfer) -> None:
        """Take the transfer back and wait, bounded, for it to end: completed just in time, or unlinked."""
        unlink = self._enter(self._unlinks, transfer)
        self._send(_UNLINK.pack(_CMD_UNLINK, unlink, self._devid, 0, 0, seqnum))
        transfer.woken.acquire(timeout=_UNLINK_WAIT_S)
        with self._state:
            self._unlinks.pop(unlink, None)
            transfer.abandoned = transfer.status is None  # stays known, so that late data is skipped

    def _enter(self, table: dict[int, _Transfer], transfer: _Transfer) -> int:
        with self._state:
            if self._closed:
                raise Gone("the device is gone", submitted=table is self._unlinks)
            self._seqnum = self._seqnum % 0xFFFFFFFF + 1
            table[self._seqnum] = transfer
            return self._seqnum

    def _send(self, message: bytes) -> None:
        try:
            with self._sending:
                self._sock.sendall(message)
        except OSError as error:
            self._end()  # half a message may be out: the stream is of no use any more
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            raise Gone(f"sending failed: {error}", submitted=True) from error

    def _end(self) -> None:
        """Let nothing more be submitted, and wake all who wait."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            waiting = [*self._transfers.values(), *self._unlinks.values()]
            self._transfers.clear()
            self._unlinks.clear()
        for transfer in waiting:
            transfer.lost = True
            transfer.wake()

    # ---- the reader's thread

    def _read(self) -> None:
        with self._sock:
            try:
                while not self._closed:
                    self._take(receive(self._sock, _HEADER_SIZE))
            except (OSError, Gone):
                if not self._closed:  # the server's doing
                    self._end()
                    return
            with contextlib.suppress(OSError):
                while self._sock.recv(_DRAIN):  # until the server has let go, too
                    pass

    def _take(self, header: bytes) -> None:
        command, seqnum, _devid, _direction, _endpoint, status, actual = _REPLY.unpack(header)
        if command == _RET_UNLINK:
            with self._state:
                unlinked = self._unlinks.pop(seqnum, None)
                if unlinked is not None and unlinked.status is None:
                    unlinked.abandoned = True  # here, not in the caller: the late answer may be next
            if unlinked is not None:
                unlinked.wake()
            return
        transfer = self._transfers.get(seqnum)
        if command != _RET_SUBMIT or transfer is None or not 0 <= actual <= transfer.length:
            raise Gone(f"a reply that fits no transfer: command {command}, seqnum {seqnum}, {actual} bytes")
        # The direction of a reply is not defined by the protocol: only the request knows it.
        data = receive(self._sock, actual) if transfer.direction is Direction.IN else actual
        with self._state:
            self._transfers.pop(seqnum, None)
            if not transfer.abandoned:
                transfer.data, transfer.status = data, status
        transfer.wake()


def _limit_sends(sock: socket.socket) -> None:
    """Bound sends without making reads non-blocking, as settimeout() would."""
    value = struct.pack("@ll", _SEND_S, 0) if sys.platform != "win32" else struct.pack("@L", _SEND_S * 1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
