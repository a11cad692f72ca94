"""USB/IP before a device is imported: carriers, the list of what a server exports, the import itself.

From the kernel's description of the protocol, version 1.1.1 (docs.kernel.org/usb/usbip_protocol.html). Must
not know what is done with an imported device.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

from taxagent.model.value import Value

VERSION = 0x0111
_REQ_DEVLIST, _REP_DEVLIST = 0x8005, 0x0005
_REQ_IMPORT, _REP_IMPORT = 0x8003, 0x0003

_OP = struct.Struct(">HHI")  # version, code, status
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_INTERFACE = struct.Struct(">BBBx")

_HANDSHAKE_S = 2.0
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
        (count,) = struct.unpack(">I", receive(sock, 4))
        if count > _MOST_DEVICES:
            raise Gone(f"the server claims to export {count} devices")
        return tuple(_exported_device(sock, with_interfaces=True) for _ in range(count))


def import_device(sock: socket.socket, busid: str) -> ExportedDevice:
    """Import `busid` on a fresh connection, which then carries its transfers, without a time limit.

    Raises OSError, Gone or ImportRefused.
    """
    sock.settimeout(_HANDSHAKE_S)
    status = _ask(sock, _REQ_IMPORT, _REP_IMPORT, busid.encode().ljust(32, b"\0")[:32])
    if status:
        raise ImportRefused(busid, status)
    device = _exported_device(sock, with_interfaces=False)
    sock.settimeout(None)
    return device


def receive(sock: socket.socket, size: int) -> bytes:
    """Return exactly `size` bytes. Raises OSError, or Gone where the connection ends before."""
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = sock.recv_into(view[got:])
        if not count:
            raise Gone("the server closed the connection")
        got += count
    return bytes(data)


def _exported_device(sock: socket.socket, *, with_interfaces: bool) -> ExportedDevice:
    (_path, busid, busnum, devnum, speed, vendor, product, bcd, *rest) = _DEVICE.unpack(
        receive(sock, _DEVICE.size)
    )
    dev_class, subclass, protocol, value, configurations, interfaces = rest
    triples = [_INTERFACE.unpack(receive(sock, 4)) for _ in range(interfaces if with_interfaces else 0)]
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
    _version, code, status = _OP.unpack(receive(sock, _OP.size))
    if code != wanted:
        raise Gone(f"the server answered {code:#06x} to {request:#06x}: it speaks no USB/IP")
    return int(status)
