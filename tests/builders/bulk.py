"""A bench whose device is asked through the real Bulk-Only Transport; only the bus itself is left out.

Each bulk transfer passes the tap as "cbw X", "data X" or "csw X": X is `execute` until the frame tells the
command, `fetch` and a command for its answer. `trouble` says what goes wrong with the n-th of them.
"""

from __future__ import annotations

import array
import errno
import struct
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import usb.core

from taxagent.device.bulk_only import BulkOnly, Csw, encode_csw
from taxagent.device.commands import Command
from taxagent.device.transport import Transport
from taxagent.device.wire import Execute, Fetch, parse_cdb
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.exchange import Exchange
from tests.builders.driven import DrivenBench
from tests.builders.tap import Tap

BULK_IN, BULK_OUT = 0x81, 0x02
_CBW = struct.Struct("<4sIIBBB16s")
_REQUEST_SENSE = 0x03


@dataclass
class UnderWay:
    """The command under way: its name, its tag, how much the host wants, and what is still to come."""

    name: str
    tag: int
    length: int
    to_host: bool
    cdb: bytes
    answer: bytes = b""
    status: int = 0
    moved: bool = False


class BulkDevice:
    """As much of a pyusb device as BulkOnly uses. Time-outs end at once: the clock is not asked."""

    def __init__(self, device: VirtualDevice, tap: Tap, trouble: Trouble) -> None:
        self._device = device
        self._exchange = Exchange(device)
        self._tap = tap
        self._trouble = trouble
        self._command: UnderWay | None = None
        self._sense = b""
        self._last = ""  # the name of the newest EXECUTE

    # ---- what BulkOnly calls

    def write(self, endpoint: int, data: bytes, timeout: int) -> int:
        """Take a CBW or the data of a command."""
        if self._command is None:
            self._take_cbw(bytes(data))
        else:
            self._take_data(bytes(data))
        return len(data)

    def read(self, endpoint: int, size: int, timeout: int) -> array.array[int]:
        """Give the data of a command, then its CSW."""
        command = self._command
        if command is None:
            raise usb.core.USBTimeoutError("nothing to say", errno=errno.ETIMEDOUT)
        if command.to_host and not command.moved:
            command.moved = True
            data = self._passed(f"data {command.name}", command.answer)
            return array.array("B", data[:size])
        status = encode_csw(Csw(tag=command.tag, residue=self._residue(command), status=command.status))
        found = self._passed(f"csw {command.name}", status)
        self._command = None
        return array.array("B", found[:size])

    def ctrl_transfer(
        self, kind: int, request: int, value: int, index: int, data: Any, timeout: int
    ) -> array.array[int]:
        """Reset or GET_STATUS."""
        self._trouble.on_the_bus()
        if request == 0xFF:
            self._command = None
        return array.array("B", b"\0\0" if kind & 0x80 else b"")

    def clear_halt(self, endpoint: int) -> None:
        """A halt is the transfer's affair here: nothing stays halted."""
        self._trouble.on_the_bus()

    def get_active_configuration(self) -> dict[tuple[int, int], list[Any]]:
        """Return one interface with its two bulk endpoints."""
        self._trouble.on_the_bus()
        ends = [
            SimpleNamespace(bEndpointAddress=address, bmAttributes=2, wMaxPacketSize=512)
            for address in (BULK_IN, BULK_OUT)
        ]
        return {(0, 0): ends}

    # ---- inside

    def _take_cbw(self, data: bytes) -> None:
        _, tag, length, flags, _, size, block = _CBW.unpack(data)
        cdb = block[:size]
        command = UnderWay(name="sense", tag=tag, length=length, to_host=bool(flags), cdb=cdb)
        if cdb[0] != _REQUEST_SENSE:
            command.name = self._name(parse_cdb(cdb))
        self._passed(f"cbw {command.name}", data)
        self._command = command
        if command.to_host:
            self._give(command)

    def _name(self, block: Execute | Fetch | None) -> str:
        if isinstance(block, Fetch):
            return f"fetch {self._last}"
        return "execute"  # which command, its frame will tell

    def _give(self, command: UnderWay) -> None:
        if command.name == "sense":
            command.answer = self._sense
            return
        block = parse_cdb(command.cdb)
        assert isinstance(block, Fetch)
        try:
            command.answer = self._exchange.fetch(block)
        except Denied as denied:
            self._refuse(command, denied)

    def _take_data(self, data: bytes) -> None:
        command = self._command
        assert command is not None
        data = self._passed(f"data {command.name}", data)
        block = parse_cdb(command.cdb)
        assert isinstance(block, Execute)
        try:
            request = self._exchange.admit(block, data)
            command.name = self._last = Command(request.command).name.lower()
            self._exchange.execute(request)
        except Denied as denied:
            self._refuse(command, denied)
        self._tap.pass_by(f"done {command.name}")

    def _refuse(self, command: UnderWay, denied: Denied) -> None:
        command.status, self._sense = 1, denied.sense()
        command.moved = command.to_host and not command.answer

    def _residue(self, command: UnderWay) -> int:
        if not command.to_host:
            return 0
        return max(0, command.length - len(command.answer))

    def _passed(self, place: str, data: bytes) -> bytes:
        self._trouble.on_the_bus()
        self._tap.pass_by(place)
        return self._trouble.at(place, data, self)

    def forget(self) -> None:
        """Drop the command under way, as a device does at a power cycle."""
        self._command = None

    def power_cycle(self) -> None:
        """The session is gone, and every answer that was not fetched."""
        self._command = None
        self._device.close()
        self._exchange = Exchange(self._device)


class Trouble:
    """What goes wrong with which transfer: `order` one, at the transfer of that number from 0 on."""

    def __init__(self) -> None:
        self.count = 0
        self.places: list[str] = []
        self.gone = False
        self._kind = ""
        self._nth = -1

    def order(self, kind: str, nth: int) -> None:
        """Let `kind` strike at the `nth` transfer."""
        self._kind, self._nth = kind, nth

    def replug(self) -> None:
        """The device is in the port again."""
        self.gone = False

    def on_the_bus(self) -> None:
        """Raise where it is not."""
        if self.gone:
            raise usb.core.USBError("no such device", errno=errno.ENODEV)

    def at(self, place: str, data: bytes, device: BulkDevice) -> bytes:
        """Return what becomes of the transfer's bytes; raises what the host sees instead."""
        self.places.append(place)
        self.count += 1
        if self.count - 1 != self._nth:
            return data
        strike = _STRIKES[self._kind]
        return bytes(strike(self, data, device))


def _unplug(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    trouble.gone = True
    device.power_cycle()
    raise usb.core.USBError("no such device", errno=errno.ENODEV)


def _silent(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    raise usb.core.USBTimeoutError("timed out", errno=errno.ETIMEDOUT)


def _noise(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    raise usb.core.USBError("input/output error", errno=errno.EIO)


def _stalled(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    raise usb.core.USBError("pipe", errno=errno.EPIPE)


def _overrun(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    raise usb.core.USBError("overflow", errno=errno.EOVERFLOW)


def _cycled(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    device.power_cycle()
    raise usb.core.USBTimeoutError("timed out", errno=errno.ETIMEDOUT)


def _phase(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    return data[:12] + b"\x02" if data[:4] == b"USBS" else data


def _wrong_tag(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    return data[:4] + bytes((data[4] ^ 1,)) + data[5:] if data[:4] == b"USBS" else data


def _corrupt(trouble: Trouble, data: bytes, device: BulkDevice) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes((data[middle] ^ 0x55,)) + data[middle + 1 :] if data else data


_MORE = b"\x5a" * 16  # behind an answer; the host's buffer cuts off what does not fit
_STRIKES = {
    "unplugged": _unplug,
    "silent": _silent,
    "noise": _noise,
    "stalled": _stalled,
    "overrun": _overrun,
    "power_cycled": _cycled,
    "phase_error": _phase,
    "wrong_tag": _wrong_tag,
    "short": lambda _trouble, data, _device: data[:-1],
    "long": lambda _trouble, data, _device: data + _MORE,
    "empty": lambda _trouble, _data, _device: b"",
    "corrupt": _corrupt,
}
BULK_FAULTS = tuple(f"usb_{kind}" for kind in _STRIKES)
_OF_A_STATUS = frozenset({"phase_error", "wrong_tag"})
_OF_WHAT_IS_READ = frozenset({"short", "empty", "long", "overrun"})


def strikes(kind: str, place: str) -> bool:
    """Return whether that kind of trouble can show at a transfer of that name."""
    phase, _, name = place.partition(" ")
    name, reads = kind.removeprefix("usb_"), phase == "csw" or name.startswith(("fetch", "sense"))
    if name in _OF_A_STATUS:
        return phase == "csw"
    if name in _OF_WHAT_IS_READ:
        return phase != "cbw" and reads
    return phase != "cbw" or name != "corrupt"


class BulkBench(DrivenBench):
    """A DrivenBench with a BulkDevice under the driver. `trouble` outlives the agent."""

    trouble: Trouble

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.trouble = Trouble()
        super().__init__(*args, **kwargs)

    def transport(self) -> Transport:
        """Return the Bulk-Only Transport on the device, plugged in anew."""
        self.trouble.replug()
        fake = BulkDevice(self.device, self.tap, self.trouble)
        return BulkOnly(cast("usb.core.Device", fake), monotonic=self.clock.monotonic)
