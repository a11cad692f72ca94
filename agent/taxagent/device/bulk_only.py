"""Bulk-Only Transport over a pyusb device: command blocks in, data or sense out, all errors recovered.

From "USB Mass Storage Class, Bulk-Only Transport", revision 1.0 (sections in brackets below). Must not know
what a command block means, nor which backend carries it.

When `may_have_executed` is False. A device acts on a command once it has all of it. Without data-out that
is the CBW: 31 bytes, one packet. A host that sees no acknowledgement cannot tell whether the packet or its
acknowledgement was lost, so only a CBW that was never submitted, or that the device stalled (it took
nothing), is certain. With data-out the device needs the last byte of the data too: as long as that byte's
transfer was never submitted, or ended more than one packet short of it, the command cannot have run. Every
other end is "may have".
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import struct
from collections.abc import Callable
from typing import NoReturn

import usb.core
import usb.util

from taxagent.device.transport import CommandFailed, TransportError, unasked
from taxagent.model.errors import AgentError
from taxagent.model.value import Value
from taxagent.ports import MayGoOn

CBW_SIZE = 31
CSW_SIZE = 13
MAX_COMMAND = 16
PASSED, FAILED, PHASE_ERROR = 0, 1, 2

_CBW = struct.Struct("<4sIIBBB16s")
_CSW = struct.Struct("<4sIIB")
_IN = 0x80
_RESET = 0xFF  # Bulk-Only Mass Storage Reset, class request to the interface [3.1]
_SENSE_SIZE = 18
_REQUEST_SENSE = bytes((0x03, 0, 0, 0, _SENSE_SIZE, 0))
_RECOVERY_MS = 2000  # for each request of a reset recovery, and to look whether the device still answers
_CHUNK = 16 * 1024  # of a read or write; some devices break when asked for more
_AFTER_STALL_MS = 2000  # a device that stalled has made up its mind: its CSW must be there
_EMPTY_READS = 2  # how many empty reads before the CSW are overlooked
_GONE = frozenset({errno.ENODEV, errno.ESHUTDOWN})


class Csw(Value, frozen=True, kw_only=True):
    """A command status wrapper: `residue` bytes of the promised data were not moved."""

    tag: int
    residue: int
    status: int


def encode_cbw(tag: int, length: int, cdb: bytes, *, data_in: bool) -> bytes:
    """Return the 31-byte command block wrapper for LUN 0 [5.1]."""
    if not 1 <= len(cdb) <= MAX_COMMAND:
        raise ValueError(f"a command block has 1 to {MAX_COMMAND} bytes, not {len(cdb)}")
    return _CBW.pack(b"USBC", tag, length, _IN if data_in else 0, 0, len(cdb), cdb)


def encode_csw(csw: Csw) -> bytes:
    """Return the 13-byte command status wrapper [5.2]."""
    return _CSW.pack(b"USBS", csw.tag, csw.residue, csw.status)


def decode_csw(data: bytes) -> Csw | None:
    """Return the CSW in `data`, or None where its length or signature is wrong [6.3.1]."""
    if len(data) != CSW_SIZE or data[:4] != b"USBS":
        return None
    _signature, tag, residue, status = _CSW.unpack(data)
    return Csw(tag=tag, residue=residue, status=status)


class BulkOnly:
    """transport.Transport over an opened and claimed pyusb device; one thread uses it."""

    def __init__(
        self,
        device: usb.core.Device,
        *,
        monotonic: Callable[[], float],
        interface: int = 0,
        may_go_on: MayGoOn = unasked,
    ) -> None:
        """Find the bulk endpoints of `interface`. Raises TransportError where it has none.

        `may_go_on` is asked before a command's data goes out; where it raises, the device is made to forget
        the command (ports.DeviceSource.hold).
        """
        self._device = device
        self._monotonic = monotonic
        self._may_go_on = may_go_on
        self._interface = interface
        self._tag = secrets.randbits(32)  # a status left over from an earlier process must not fit
        self._dirty = False  # the device is somewhere inside a command: recover before the next one
        self._gone = False
        self._in, self._out, self._packet = self._endpoints()

    def command(self, cdb: bytes, *, data_out: bytes = b"", data_in: int = 0, timeout_ms: int) -> bytes:
        """Carry out one command block within `timeout_ms`, as transport.Transport promises."""
        if self._carry_out(cdb, data_out, data_in, timeout_ms) != FAILED:
            return bytes(self._received)
        try:
            status = self._carry_out(_REQUEST_SENSE, b"", _SENSE_SIZE, timeout_ms)
        except TransportError as error:
            # It said no, but not why; "why" may be that it had done it before.
            raise TransportError(str(error), may_have_executed=True, gone=error.gone) from error
        raise CommandFailed(bytes(self._received) if status == PASSED else b"")

    def recover(self) -> None:
        """Reset recovery [5.3.4]. Raises TransportError(may_have_executed=False) where it fails."""
        try:
            self._device.ctrl_transfer(0x21, _RESET, 0, self._interface, None, _RECOVERY_MS)
            self._device.clear_halt(self._in)
            self._device.clear_halt(self._out)
        except usb.core.USBError as error:
            self._fail("reset recovery", error, executed=False)
        self._dirty = False

    # ---- one command

    def _carry_out(self, cdb: bytes, data_out: bytes, data_in: int, timeout_ms: int) -> int:
        """Return PASSED or FAILED; the data is in `_received`."""
        if self._gone:
            raise TransportError("the device is gone", may_have_executed=False, gone=True)
        if self._dirty:
            self.recover()
        self._received = bytearray()
        self._deadline = self._monotonic() + timeout_ms / 1000
        self._tag = (self._tag + 1) & 0xFFFFFFFF
        length = len(data_out) or data_in
        self._send_cbw(encode_cbw(self._tag, length, cdb, data_in=data_in > 0), data_follows=bool(data_out))
        csw = None
        if data_out:
            self._send_data(data_out)
        elif data_in:
            csw = self._receive_data(data_in)
        return self._settle(csw or self._receive_csw(), length, data_in)

    def _settle(self, csw: Csw, length: int, data_in: int) -> int:
        if csw.status >= PHASE_ERROR or csw.residue > length:
            self._broken(f"CSW status {csw.status}, residue {csw.residue} of {length}")
        if csw.status == PASSED and data_in:
            del self._received[data_in - csw.residue :]  # the rest is padding
        elif csw.status == PASSED and csw.residue:
            self._broken(f"the device left {csw.residue} of {length} bytes unread")
        return csw.status

    def _send_cbw(self, cbw: bytes, *, data_follows: bool) -> None:
        try:
            sent = self._device.write(self._out, cbw, self._left_ms())
        except usb.core.USBError as error:
            self._fail("command", error, executed=not data_follows and error.errno != errno.EPIPE)
        if sent != CBW_SIZE:
            self._dirty = True
            raise TransportError(f"{sent} bytes of the command went out", may_have_executed=False)

    def _send_data(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            is_last = start + _CHUNK >= len(data)
            self._unless_unwanted()
            try:
                sent = self._device.write(self._out, chunk, self._left_ms())
            except usb.core.USBError as error:
                if error.errno == errno.EPIPE:  # it wants no more: its CSW says why [6.7.3]
                    self._clear_halt(self._out)
                    return
                self._fail("data-out", error, executed=is_last)
            if sent != len(chunk):
                self._dirty = True
                in_doubt = is_last and len(chunk) - sent <= self._packet
                text = f"{start + sent} of {len(data)} bytes went out in time"
                raise TransportError(text, may_have_executed=in_doubt)

    def _unless_unwanted(self) -> None:
        """Raise what `may_go_on` raises; the device has a part of a command then, and is reset."""
        try:
            self._may_go_on()
        except AgentError:
            self._dirty = True
            with contextlib.suppress(TransportError):
                self.recover()
            raise

    def _receive_data(self, wanted: int) -> Csw | None:
        """Fill `_received`. Return the CSW where the device sent it in place of its data."""
        while len(self._received) < wanted:
            size = min(wanted - len(self._received), _CHUNK)
            try:
                data = self._device.read(self._in, size, self._left_ms()).tobytes()
            except usb.core.USBError as error:
                if error.errno != errno.EPIPE:
                    self._fail("data-in", error, executed=True)
                self._clear_halt(self._in)  # [6.7.2]
                return None
            csw = decode_csw(data)
            if csw is not None and csw.tag == self._tag and size != CSW_SIZE:
                return csw
            self._received += data
            if len(data) < size:
                return None
        return None

    def _receive_csw(self) -> Csw:
        """Read the CSW; a stall is cleared and read again once, empty reads are overlooked [5.3.3]."""
        stalled, empty, data = False, 0, b""
        while True:
            try:
                data = self._device.read(self._in, CSW_SIZE, self._left_ms()).tobytes()
            except usb.core.USBError as error:
                if error.errno != errno.EPIPE:
                    self._fail("status", error, executed=True)
                if stalled:
                    self._broken("the status stalled twice")
                self._clear_halt(self._in)
                stalled = True
                continue
            if data or empty == _EMPTY_READS:
                break
            empty += 1
        csw = decode_csw(data)
        if csw is None or csw.tag != self._tag:
            self._broken(f"no CSW of command {self._tag}: {data.hex() or 'nothing'}")
        return csw

    # ---- errors

    def _broken(self, text: str) -> NoReturn:
        """The device broke the protocol: recover at once, or before the next command if that fails."""
        self._dirty = True
        try:
            self.recover()
        except TransportError as error:
            raise TransportError(f"{text}; {error}", may_have_executed=True, gone=error.gone) from error
        raise TransportError(text, may_have_executed=True)

    def _clear_halt(self, endpoint: int) -> None:
        try:
            self._device.clear_halt(endpoint)
        except usb.core.USBError as error:
            self._fail("clearing a halt", error, executed=True)
        self._deadline = min(self._deadline, self._monotonic() + _AFTER_STALL_MS / 1000)

    def _fail(self, phase: str, error: usb.core.USBError, *, executed: bool) -> NoReturn:
        self._dirty = True
        self._gone = error.errno in _GONE or (error.errno == errno.EIO and not self._answers())
        raise TransportError(f"{phase}: {error}", may_have_executed=executed, gone=self._gone) from error

    def _answers(self) -> bool:
        """Return whether the device is still there: EIO comes from noise as well as from an unplug."""
        try:
            self._device.ctrl_transfer(_IN, 0, 0, 0, 2, _RECOVERY_MS)  # GET_STATUS, device
        except usb.core.USBTimeoutError:
            return True
        except usb.core.USBError as error:
            return bool(error.errno == errno.EPIPE)
        return True

    def _left_ms(self) -> int:
        return max(1, round((self._deadline - self._monotonic()) * 1000))  # never 0: that is "for ever"

    def _endpoints(self) -> tuple[int, int, int]:
        """Return the bulk-in and bulk-out addresses and the packet size."""
        try:
            interface = self._device.get_active_configuration()[(self._interface, 0)]
        except usb.core.USBError as error:
            self._fail("reading the configuration", error, executed=False)
        found: dict[int, tuple[int, int]] = {}
        for endpoint in interface:
            if usb.util.endpoint_type(endpoint.bmAttributes) == usb.util.ENDPOINT_TYPE_BULK:
                address = endpoint.bEndpointAddress
                found.setdefault(address & _IN, (address, endpoint.wMaxPacketSize))
        if len(found) != 2:
            raise TransportError("the interface lacks its two bulk endpoints", may_have_executed=False)
        return found[_IN][0], found[0][0], found[0][1]
