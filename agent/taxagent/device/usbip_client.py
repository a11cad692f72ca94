"""A USB/IP client: lists what a server exports, imports a device and submits transfers to it.

From the kernel's description of the protocol, version 1.1.1 (docs.kernel.org/usb/usbip_protocol.html). Must
not know pyusb, descriptors or mass storage.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable
from enum import IntEnum

from taxagent.model.value import Value

VERSION = 0x0111
_REQ_DEVLIST, _REP_DEVLIST = 0x8005, 0x0005
_REQ_IMPORT, _REP_IMPORT = 0x8003, 0x0003
_CMD_SUBMIT, _CMD_UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_NOT_ISOCHRONOUS = 0xFFFFFFFF  # number_of_packets where the transfer is not isochronous

_OP = struct.Struct(">HHI")  # version, code, status
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_INTERFACE = struct.Struct(">BBBx")
_HEADER_SIZE = 48
_SUBMIT = struct.Struct(">5I 5I 8s")  # basic header; flags, length, start, packets, interval; setup
_UNLINK = struct.Struct(">5I I 24x")  # basic header; the seqnum to unlink
_REPLY = struct.Struct(">5I ii 20x")  # basic header; status, actual length (RET_SUBMIT)

_HANDSHAKE_S = 2.0
_UNLINK_WAIT_S = 1.0
_SEND_S = 5  # a server that takes nothing for so long is gone
_MOST_DEVICES = 1024

Connect = Callable[[], socket.socket]
"""A carrier: returns a fresh connected stream socket, or raises OSError."""


class UsbipError(Exception):
    """Root of what this client raises."""


class Gone(UsbipError):
    """The connection ended. `submitted` is False where the transfer at hand was certainly never sent."""

    def __init__(self, text: str, *, submitted: bool = False) -> None:
        super().__init__(text)
        self.submitted = submitted


class ImportRefused(UsbipError):
    """The server does not hand the device out; `status` is its word."""

    def __init__(self, busid: str, status: int) -> None:
        super().__init__(f"import of {busid} refused with status {status}")
        self.status = status


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


class ExportedDevice(Value, frozen=True, kw_only=True):
    """What a server says of a device before it is imported. `interfaces` are (class, subclass, protocol)."""

    busid: str
    busnum: int
    devnum: int
    speed: int  # the kernel's usb_device_speed: 1 low, 2 full, 3 high, 5 super
    vendor_id: int
    product_id: int
    bcd_device: int
    device_class: int
    device_subclass: int
    device_protocol: int
    configuration_value: int
    configurations: int
    interfaces: tuple[tuple[int, int, int], ...] = ()


def over_tcp(host: str, port: int) -> Connect:
    """Return a carrier over TCP, without Nagle's delay (44 ms an exchange otherwise)."""

    def connect() -> socket.socket:
        sock = socket.create_connection((host, port), timeout=_HANDSHAKE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    return connect


def in_process(serve: Callable[[socket.socket], object]) -> Connect:
    """Return a carrier whose server is `serve(socket)`, run in a thread of this process per connection."""

    def connect() -> socket.socket:
        ours, theirs = socket.socketpair()
        threading.Thread(target=serve, args=(theirs,), name="usbip-in-process", daemon=True).start()
        return ours

    return connect


def exported(connect: Connect) -> tuple[ExportedDevice, ...]:
    """Ask the server what it exports. Raises OSError (not reachable) or Gone (garbled, cut off)."""
    with connect() as sock:
        sock.settimeout(_HANDSHAKE_S)
        _ask(sock, _REQ_DEVLIST, _REP_DEVLIST)
        (count,) = struct.unpack(">I", _receive(sock, 4))
        if count > _MOST_DEVICES:
            raise Gone(f"the server claims to export {count} devices")
        return tuple(_exported_device(sock, with_interfaces=True) for _ in range(count))


def _exported_device(sock: socket.socket, *, with_interfaces: bool) -> ExportedDevice:
    (_path, busid, busnum, devnum, speed, vendor, product, bcd, *rest) = _DEVICE.unpack(
        _receive(sock, _DEVICE.size)
    )
    dev_class, subclass, protocol, value, configurations, interfaces = rest
    triples = [_INTERFACE.unpack(_receive(sock, 4)) for _ in range(interfaces if with_interfaces else 0)]
    return ExportedDevice(
        busid=busid.split(b"\0")[0].decode("ascii", "replace"),
        busnum=busnum,
        devnum=devnum,
        speed=speed,
        vendor_id=vendor,
        product_id=product,
        bcd_device=bcd,
        device_class=dev_class,
        device_subclass=subclass,
        device_protocol=protocol,
        configuration_value=value,
        configurations=configurations,
        interfaces=tuple(triples),
    )


def _ask(sock: socket.socket, request: int, wanted: int, body: bytes = b"") -> int:
    sock.sendall(_OP.pack(VERSION, request, 0) + body)
    _version, code, status = _OP.unpack(_receive(sock, _OP.size))
    if code != wanted:
        raise Gone(f"the server answered {code:#06x} to {request:#06x}: it speaks no USB/IP")
    return int(status)


def _receive(sock: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = sock.recv_into(view[got:])
        if not count:
            raise Gone("the server closed the connection")
        got += count
    return bytes(data)


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
            self._sock.settimeout(_HANDSHAKE_S)
            status = _ask(self._sock, _REQ_IMPORT, _REP_IMPORT, busid.encode().ljust(32, b"\0")[:32])
            if status:
                raise ImportRefused(busid, status)
            self.device = _exported_device(self._sock, with_interfaces=False)
            self._sock.settimeout(None)
            _limit_sends(self._sock)
        except BaseException:
            self._sock.close()
            raise
        self._devid = self.device.busnum << 16 | self.device.devnum
        self._seqnum = 0
        self._state = threading.Lock()  # guards the three below
        self._transfers: dict[int, _Transfer] = {}
        self._unlinks: dict[int, _Transfer] = {}
        self._closed = False
        self._sending = threading.Lock()
        self._reader = threading.Thread(target=self._read, name=f"usbip-{busid}", daemon=True)
        self._reader.start()

    @property
    def gone(self) -> bool:
        """True once the connection has ended; nothing can be sent any more."""
        return self._closed

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
        """Give the device back; every waiting transfer raises Gone."""
        self._end()
        if threading.current_thread() is not self._reader:
            self._reader.join(_UNLINK_WAIT_S)

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
            raise Gone(f"sending failed: {error}", submitted=True) from error

    def _end(self) -> None:
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
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    # ---- the reader's thread

    def _read(self) -> None:
        try:
            while True:
                self._take(_receive(self._sock, _HEADER_SIZE))
        except (OSError, Gone):
            self._end()

    def _take(self, header: bytes) -> None:
        command, seqnum, _devid, _direction, _endpoint, status, actual = _REPLY.unpack(header)
        if command == _RET_UNLINK:
            with self._state:
                unlinked = self._unlinks.pop(seqnum, None)
            if unlinked is not None:
                unlinked.wake()
            return
        transfer = self._transfers.get(seqnum)
        if command != _RET_SUBMIT or transfer is None or not 0 <= actual <= transfer.length:
            raise Gone(f"a reply that fits no transfer: command {command}, seqnum {seqnum}, {actual} bytes")
        # The direction of a reply is not defined by the protocol: only the request knows it.
        data = _receive(self._sock, actual) if transfer.direction is Direction.IN else actual
        with self._state:
            self._transfers.pop(seqnum, None)
            if not transfer.abandoned:
                transfer.data, transfer.status = data, status
        transfer.wake()


def _limit_sends(sock: socket.socket) -> None:
    """Bound sends without making reads non-blocking, as settimeout() would."""
    value = struct.pack("@ll", _SEND_S, 0) if sys.platform != "win32" else struct.pack("@L", _SEND_S * 1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
