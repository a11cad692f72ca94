"""USB things to test against: the disk that `usbip` brings, and a device with a script of bad manners."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import usb.core
from usbip import SPEED_HIGH, USBDevice
from usbip.classes.device.msc import MSC
from usbip.core import IN, Urb
from usbip.protocol import (
    CMD_UNLINK,
    read_cmd,
    serve_connection,
    serve_handshake,
    write_ret,
    write_ret_unlink,
)

from taxagent.device.bulk_only import BulkOnly, Csw, encode_csw
from taxagent.device.usbip_backend import UsbipBackend
from taxagent.device.usbip_server import Connect, in_process, over_tcp

BULK_IN, BULK_OUT = 0x81, 0x02
CANDIDATE = bytes((7, 0x24)) + b"TCDP\x01"


class TinyStore:
    """A disk of eight blocks in memory."""

    num_blocks, block_size = 8, 512

    def __init__(self) -> None:
        self.content = bytearray(self.num_blocks * self.block_size)

    def read(self, lba: int, count: int) -> bytes:
        return bytes(self.content[lba * 512 : (lba + count) * 512])

    def write(self, lba: int, count: int, data: bytes) -> None:
        self.content[lba * 512 : (lba + count) * 512] = data[: count * 512]


def stock_disk(*, product: str = "Stock Disk", vid: int = 0x1209, pid: int = 0x0001) -> USBDevice:
    """Return the mass-storage disk of the `usbip` package, nothing of it written here."""
    device = USBDevice(vid, pid, manufacturer="usbip", product=product)
    device.add(MSC(TinyStore(), vendor="STOCK", product="DISK"))
    device.set_speed(SPEED_HIGH)
    return device


def served(*devices: USBDevice) -> Connect:
    """Return a carrier to `devices` inside this process."""
    return in_process(lambda sock: serve_connection(sock, list(devices)))


@contextlib.contextmanager
def served_over_tcp(serve: Callable[[socket.socket], object]) -> Iterator[tuple[Connect, int]]:
    """Serve each connection to a free port of 127.0.0.1 by `serve`; yield the carrier and the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=serve, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield over_tcp("127.0.0.1", port), port
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def opened(connect: Connect) -> usb.core.Device:
    """Return the first device behind the carrier, through our backend."""
    backend = UsbipBackend(connect)
    backend.refresh()
    device = usb.core.find(backend=backend)
    assert device is not None
    try:
        device.get_active_configuration()
    except usb.core.USBError:
        device.set_configuration()
    return device


class Ticking:
    """A clock that a test moves; it stands still by itself."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def bulk_only(connect: Connect) -> BulkOnly:
    """Return our transport to the first device behind the carrier; its clock stands still."""
    return BulkOnly(opened(connect), monotonic=Ticking())


# ---- a device with a script


@dataclass
class Act:
    """What the scripted device does with the next bulk transfer."""

    kind: str
    data: bytes = b""
    status: int = 0
    residue: int = 0
    tag_off_by: int = 0
    cut: int = 0


def take() -> Act:
    """Accept a bulk-out transfer as a whole."""
    return Act("take")


def give(data: bytes) -> Act:
    """Answer a bulk-in transfer with `data`."""
    return Act("give", data)


def csw(status: int = 0, *, residue: int = 0, tag_off_by: int = 0, cut: int = 0) -> Act:
    """Answer a bulk-in transfer with a CSW of the last CBW's tag; without its last `cut` bytes."""
    return Act("csw", status=status, residue=residue, tag_off_by=tag_off_by, cut=cut)


def stall() -> Act:
    """Stall the transfer."""
    return Act("fail", status=-32)


def fail(status: int) -> Act:
    """End the transfer with a URB status."""
    return Act("fail", status=status)


def silence() -> Act:
    """Never answer the transfer; confirm its unlinking."""
    return Act("silence")


def late(data: bytes) -> Act:
    """Answer the transfer only after its unlinking was confirmed."""
    return Act("late", data)


def just_in_time(data: bytes) -> Act:
    """Answer the transfer when it is unlinked, before the unlinking is confirmed."""
    return Act("just_in_time", data)


def deaf(data: bytes = b"") -> Act:
    """Answer neither the transfer nor its unlinking."""
    return Act("deaf", data)


def unplug() -> Act:
    """Cut the connection in place of an answer."""
    return Act("unplug")


_DEVICE = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, 0x1209, 0x7C01, 0x0100, 1, 2, 0, 1)

_STRINGS = {1: "Maker", 2: "Thing"}


def _configuration(extra: bytes) -> bytes:
    body = (
        struct.pack("<9B", 9, 4, 0, 0, 2, 0x08, 0x06, 0x50, 0)
        + extra
        + struct.pack("<BBBBHB", 7, 5, BULK_IN, 2, 512, 0)
        + struct.pack("<BBBBHB", 7, 5, BULK_OUT, 2, 512, 0)
    )
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 1, 1, 0, 0x80, 50) + body


@dataclass
class ScriptedDevice:
    """A mass-storage device that answers each bulk transfer by the next act of its script.

    Control transfers it answers by itself. `log` tells what it was asked, in order. After the script's end
    it is silent.
    """

    script: list[Act] = field(default_factory=list)
    extra: bytes = b""  # class-specific descriptors of the interface
    busid: str = "1-1"
    busnum: int = 1
    devnum: int = 2
    vid: int = 0x1209
    pid: int = 0x7C01
    configured: int = 1
    strings: bool = True
    log: list[str] = field(default_factory=list)
    speed: int = SPEED_HIGH
    bcdDevice: int = 0x0100  # noqa: N815  (the package's name)
    num_interfaces: int = 1
    imports: int = 0
    tags: list[int] = field(default_factory=list)
    _held: dict[int, tuple[Act, Urb]] = field(default_factory=dict)

    def interface_triples(self) -> list[tuple[int, int, int]]:
        return [(0x08, 0x06, 0x50)]

    def is_iso(self, ep: int, direction: int) -> bool:
        return False

    def connect(self) -> Connect:
        """Return the carrier to this device."""
        return in_process(self.serve)

    def serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            if serve_handshake(sock, self) is None:
                return
            self.imports += 1
            while (urb := read_cmd(sock, self)) is not None:
                if urb.command == CMD_UNLINK:
                    self._unlink(sock, urb)
                elif urb.ep == 0:
                    self._control(sock, urb)
                elif not self._bulk(sock, urb):
                    return

    def _unlink(self, sock: socket.socket, urb: Urb) -> None:
        self.log.append("unlink")
        act, held = self._held.pop(urb.flags)
        if act.kind == "deaf":
            return
        if act.kind == "just_in_time":
            self._answer(sock, held, act.data)
        write_ret_unlink(sock, urb)
        if act.kind == "late":
            self._answer(sock, held, act.data)

    def _bulk(self, sock: socket.socket, urb: Urb) -> bool:
        act = self.script.pop(0) if self.script else silence()
        if urb.direction == IN:
            self.log.append(f"in {urb.length}")
        elif urb.buffer[:4] == b"USBC" and len(urb.buffer) == 31:
            self.tags.append(int.from_bytes(urb.buffer[4:8], "little"))
            self.log.append(f"cbw {urb.buffer[15]:02x}")
        else:
            self.log.append(f"out {urb.length}")
        if act.kind == "unplug":
            return False
        if act.kind in {"silence", "late", "deaf", "just_in_time"}:
            self._held[urb.seqnum] = (act, urb)
        elif act.kind == "csw":
            tag = (self.tags[-1] + act.tag_off_by) & 0xFFFFFFFF
            status = encode_csw(Csw(tag=tag, residue=act.residue, status=act.status))
            self._answer(sock, urb, status[: 13 - act.cut])
        elif act.kind == "take":
            self._answer(sock, urb, urb.buffer)
        else:
            self._answer(sock, urb, act.data, act.status)
        return True

    def _control(self, sock: socket.socket, urb: Urb) -> None:
        kind, request, value, index, _length = struct.unpack("<BBHHH", urb.setup)
        data, status = b"", 0
        if (kind, request) == (0x80, 6):
            data, status = self._descriptor(value)
        elif (kind, request) == (0x80, 8):
            data = bytes((self.configured,))
        elif (kind, request) == (0x00, 9):
            self.configured = value
            self.log.append(f"configure {value}")
        elif (kind, request) == (0x02, 1):
            self.log.append(f"clear {index:02x}")
        elif (kind, request) == (0x21, 0xFF):
            self.log.append("reset")
        elif (kind, request) == (0x80, 0):
            data = b"\0\0"
            self.log.append("status")
        self._answer(sock, urb, data, status)

    def _descriptor(self, value: int) -> tuple[bytes, int]:
        if value >> 8 == 1:
            return _DEVICE[:8] + struct.pack("<HH", self.vid, self.pid) + _DEVICE[12:], 0
        if value >> 8 == 2:
            return _configuration(self.extra), 0
        if value >> 8 == 3 and self.strings:
            text = b"\x09\x04" if value & 0xFF == 0 else _STRINGS[value & 0xFF].encode("utf-16-le")
            return bytes((len(text) + 2, 3)) + text, 0
        return b"", -32

    def _answer(self, sock: socket.socket, urb: Urb, data: bytes, status: int = 0) -> None:
        urb.buffer = data[: urb.length]
        urb.actual, urb.status = len(urb.buffer), status
        write_ret(sock, urb)
