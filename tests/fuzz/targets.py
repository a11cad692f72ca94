"""What is fuzzed: each target takes any bytes and raises only where a promise is broken.

The frame decoder, the TLV parser and what stands on it, the CSW path of Bulk-Only Transport, the USB/IP
client.
"""

from __future__ import annotations

import array
import contextlib
import errno
import itertools
import socket
import struct
from collections.abc import Callable

import msgspec
import usb.core

from taxagent.device import commands, descriptors, wire
from taxagent.device.bulk_only import BulkOnly
from taxagent.device.tlv import WireError, items, tlv
from taxagent.device.transport import CommandFailed, TransportError
from taxagent.device.usbip_client import Attachment
from taxagent.device.usbip_server import UsbipError, exported, in_process, receive
from taxagent.ipc.calls import Malformed, read_call
from taxclient.protocol import wire as frames
from taxclient.protocol.errors import FrameError

Target = Callable[[bytes], None]


def frame(data: bytes) -> None:
    """A request of TCA/1: decoded or refused, and both decoders of the agent agree with the plain one."""
    for limits in (frames.REQUEST, frames.REPLY):
        with contextlib.suppress(FrameError):
            value = frames.decoded(data, limits)
            assert frames.decoded(msgspec.msgpack.encode(value), limits) == value
    with contextlib.suppress(Malformed):
        call = read_call([frames.MAGIC, data], "en", "boot", lambda _reply: None)
        assert frames.decoded(data)["id"] == call.request.id


def tlvs(data: bytes) -> None:
    """BER-TLV is its shortest form or is refused; frames and layouts of the profile are, too."""
    with contextlib.suppress(WireError):
        assert b"".join(tlv(tag, value) for tag, value in items(data)) == data
    for decode in (wire.decode_request, wire.decode_answer, wire.parse_cdb, wire.decode_sense):
        with contextlib.suppress(WireError):
            decode(data)
    for layout in _LAYOUTS:
        with contextlib.suppress(WireError):
            layout.decode(data)
    for parse in (descriptors.parse_device, descriptors.parse_configuration):
        with contextlib.suppress(descriptors.DescriptorError):
            parse(data)


def status(data: bytes) -> None:
    """A device that answers anything: data, a refusal, or an error that says what it may have done."""
    device = _Scripted(data[1:])
    wanted = data[0] if data else 0
    clock = itertools.count()
    bulk = BulkOnly(device, monotonic=lambda: next(clock) * 0.001)
    for _ in range(3):
        before = device.taken
        out = b"x" * 40 if wanted % 3 == 2 else b""
        try:
            got = bulk.command(b"\xc0\x01", data_out=out, data_in=0 if out else wanted, timeout_ms=1000)
        except CommandFailed:
            continue
        except TransportError as error:
            _no_wrong_word(error, device.taken - before, data_out=bool(out))
            continue
        assert len(got) <= wanted


def usbip(data: bytes) -> None:
    """A USB/IP server that answers anything: the bytes that were asked for, or an error, in bounded time."""
    cut = data[0] if data else 0
    script = data[1:]

    def serve(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, UsbipError):
            sock.settimeout(1)
            receive(sock, 40)  # the import
            sock.sendall(_IMPORTED if cut & 1 else script[:cut])
            receive(sock, 48)  # the transfer
            seqnum = struct.pack(">II", 3, 1) if cut & 2 else b""
            sock.sendall(seqnum + script)

    with contextlib.suppress(UsbipError, OSError):
        attachment = Attachment(in_process(serve), "1-1")
        try:
            assert len(attachment.read(1, 64, 50)) <= 64
        finally:
            attachment.close()
    with contextlib.suppress(UsbipError, OSError):
        exported(in_process(lambda sock: _said(sock, script)))


_LAYOUTS = [
    layout
    for spec in vars(commands).values()
    if isinstance(spec, commands.Spec)
    for layout in (spec.params, spec.result)
]


def _no_wrong_word(error: TransportError, taken: int, *, data_out: bool) -> None:
    """What is said not to have run did not: a device acts on a command once it has all of it."""
    if not error.may_have_executed and taken > (30 + data_out):
        raise AssertionError(f"{taken} bytes went out, and the error says that nothing was done") from error


TARGETS: dict[str, Target] = {"frame": frame, "tlv": tlvs, "status": status, "usbip": usbip}

_IMPORTED = (
    struct.pack(">HHI", 0x0111, 0x0003, 0)
    + b"/sys/1-1".ljust(256, b"\0")
    + b"1-1".ljust(32, b"\0")
    + (struct.pack(">IIIHHHBBBBBB", 1, 2, 3, 0x1D6B, 1, 0x100, 0, 0, 0, 1, 1, 1))
)


def _said(sock: socket.socket, script: bytes) -> None:
    with sock, contextlib.suppress(OSError, UsbipError):
        sock.settimeout(1)
        receive(sock, 8)
        sock.sendall(script)


class _Endpoint:
    bmAttributes = 2  # noqa: N815 - pyusb's names
    wMaxPacketSize = 64  # noqa: N815

    def __init__(self, address: int) -> None:
        self.bEndpointAddress = address


class _Scripted:
    """A pyusb device whose transfers do what the script says: a byte chooses, the next ones are the data."""

    _ERRORS = (errno.EPIPE, errno.ETIMEDOUT, errno.ENODEV, errno.EIO, errno.EOVERFLOW)

    def __init__(self, script: bytes) -> None:
        self._script = memoryview(script)
        self.taken = 0

    def get_active_configuration(self) -> dict[tuple[int, int], list[_Endpoint]]:
        return {(0, 0): [_Endpoint(0x81), _Endpoint(0x02)]}

    def write(self, _endpoint: int, data: bytes, _timeout: int) -> int:
        choice = self._next()
        self._maybe_fails(choice)
        went = len(data) if choice % 4 else len(data) // 2
        self.taken += went
        self._tag = data[4:8] if data[:4] == b"USBC" else self._tag
        return went

    def read(self, _endpoint: int, size: int, _timeout: int) -> array.array[int]:
        choice = self._next()
        self._maybe_fails(choice)
        if choice % 3 == 0:
            return array.array("B", (b"USBS" + self._tag + bytes(self._take(5)).ljust(5, b"\0"))[:size])
        return array.array("B", self._take(min(size, choice)))

    def ctrl_transfer(self, *_arguments: object) -> int:
        self._maybe_fails(self._next())
        return 0

    def clear_halt(self, _endpoint: int) -> None:
        self._maybe_fails(self._next())

    _tag = bytes(4)

    def _next(self) -> int:
        taken = self._take(1)
        return taken[0] if taken else 1

    def _take(self, size: int) -> memoryview:
        taken, self._script = self._script[:size], self._script[size:]
        return taken

    def _maybe_fails(self, choice: int) -> None:
        if choice >= 0xF0:
            number = self._ERRORS[choice % len(self._ERRORS)]
            kind = usb.core.USBTimeoutError if number == errno.ETIMEDOUT else usb.core.USBError
            raise kind("as the script says", None, number)
