"""A simulated device as USB hardware: mass storage, the two vendor commands, faults, latency.

The standard mass-storage commands are `usbip`'s. Knows no USB/IP connection and no control command.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable

from usbip.classes.device.msc import MSC, OP_REQUEST_SENSE
from usbip.core import Setup, Stall
from usbip.device import Endpoint

from taxagent.device import recognition, refusals
from taxagent.device.refusals import REFUSALS
from taxagent.device.tlv import WireError
from taxagent.device.wire import Execute, Fetch, parse_cdb
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.exchange import Exchange, name_of
from taxagent.simulator.faults import Act, Fault, FaultScript, Point, Turn
from taxagent.simulator.quirks import Quirks
from taxagent.simulator.wrappers import FAILED, PASSED, PHASE_ERROR, Wrapper, read_wrapper

_RESET = 0xFF  # Bulk-Only Mass Storage Reset
MUTE_ACTS = frozenset({Act.LOSE, Act.MUTE, Act.HANG, Act.STALL, Act.PHASE_ERROR, Act.UNPLUG})


class ReadOnlyDisk:
    """The little disk that the device shows to a system that knows nothing else of it."""

    num_blocks = 64  # the kernel looks for partition tables in the first 32, and warns where there are fewer
    block_size = 512
    read_only = True

    def read(self, lba: int, count: int) -> bytes:
        """Return `count` blocks of nothing."""
        return bytes(count * self.block_size)

    def write(self, lba: int, count: int, data: bytes) -> None:
        """Never called: the medium is write-protected."""
        raise NotImplementedError


class TaxInterface(MSC):  # type: ignore[misc]  # usbip is untyped
    """The bulk-only interface. Vendor commands run in the device's own thread, one at a time.

    The thread that reads the connection never waits: it notes the command and goes on, so that the host can
    unlink, reset or leave meanwhile.
    """

    def __init__(
        self, device: VirtualDevice, faults: FaultScript, unplug: Callable[[], object], quirks: Quirks
    ) -> None:
        super().__init__(
            ReadOnlyDisk(), read_only=True, vendor="TAXAGENT", product="SIMULATED DISK",
            revision="0001", serial=device.scenario.device_no,
        )  # fmt: skip
        self._device = device
        self._faults = faults
        self._unplug = unplug
        self._quirks = quirks
        self._exchange = Exchange(device)
        self._lock = threading.RLock()  # guards what follows
        self._turn: Turn | None = None  # the command under way
        self._expected: tuple[Wrapper, Execute | None] | None = None  # whose data-out is coming in
        self._data = bytearray()
        self._sense = b""
        self._broken = False  # an invalid wrapper came: both pipes stall until the reset
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        name = f"device-{device.scenario.device_no}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # --- what the host sends; called by the thread that reads the connection ---

    def extra_descriptors(self) -> bytes:
        """Return the descriptor by which a driver recognises the profile."""
        return recognition.encode_descriptor(
            recognition.ProfileDescriptor(
                version=0x0101 if self._device.block_size else 0x0100,
                kind=self._device.scenario.kind,
                simulated=True,
            )
        )

    def on_out(self, ep: Endpoint, data: bytes) -> None:
        """Take bulk-out bytes: a command block wrapper, or the data of an EXECUTE."""
        with self._lock:
            if self._quirks.silent:
                return
            if self._broken:
                raise Stall
            if self._expected is not None:
                self._collect(data)
            elif self._turn is not None or not self._accept(bytes(data)):
                self._break_off()

    def on_control(self, setup: Setup, data: bytes = b"") -> bytes:
        """Answer a class request: reset, or the number of units."""
        if setup.bRequest == _RESET:
            self.on_reset()
            return b""
        answer: bytes = super().on_control(setup, data)
        return answer

    def on_reset(self) -> None:
        """Drop the command under way and what was to be sent; the session stays."""
        with self._lock:
            if self._turn is not None:
                self._turn.drop()
            self._turn = None
            self._expected = None
            self._broken = False
            self._write = None  # usbip's own data-out
            self.in_ep.reset()

    # --- power ---

    def power_cycle(self) -> None:
        """Lose power: session, answer, sense and muteness are gone."""
        self.on_reset()
        with self._device.lock:
            self._exchange.power_lost()
            self._device.power_up()
        with self._lock:
            self._sense = b""
        self._quirks.power_cycled()

    def stop(self) -> None:
        """End the device's thread."""
        self.on_reset()
        self._work.put(None)
        self._thread.join()

    # --- command block wrappers ---

    def _accept(self, data: bytes) -> bool:
        wrapper = read_wrapper(data)
        if wrapper is None:
            return False
        if wrapper.data_in and self._quirks.breaks_at(wrapper.length):
            self._quirks.silent = True  # its buffer ran over: no answer until it loses power
            return True
        if wrapper.cdb[0] != OP_REQUEST_SENSE:
            self._sense = b""
        command: Execute | Fetch | None = None
        try:
            command = parse_cdb(wrapper.cdb)
            if command is None or wrapper.lun:
                self._handle_cbw(data)  # usbip's standard commands
                return True
        except WireError:
            pass  # the data phase comes first, then the refusal
        self._begin(wrapper, command)
        return True

    def _begin(self, wrapper: Wrapper, command: Execute | Fetch | None) -> None:
        """Start a vendor command; None where its command block is bad."""
        if wrapper.length and not wrapper.data_in:
            fits = isinstance(command, Execute) and command.length == wrapper.length
            self._data.clear()
            self._expected = (wrapper, command if fits and isinstance(command, Execute) else None)
            return
        turn = self._turn = Turn()
        if isinstance(command, Fetch) and wrapper.data_in:
            self._work.put(lambda: self._fetch(turn, wrapper, command))
        else:
            self._work.put(lambda: self._refuse(turn, wrapper, Denied(refusals.BAD_CDB)))

    def _collect(self, data: bytes) -> None:
        if self._expected is None:
            return
        wrapper, command = self._expected
        self._data += data
        if len(self._data) < wrapper.length:
            return
        frame, self._expected = bytes(self._data), None
        turn = self._turn = Turn()
        if command is None:
            self._work.put(lambda: self._refuse(turn, wrapper, Denied(refusals.BAD_CDB)))
        else:
            self._work.put(lambda: self._execute(turn, wrapper, command, frame))

    def _break_off(self) -> None:
        """Answer nonsense with a stall of both pipes, until the host resets (BOT 1.0, 6.6.1)."""
        self._broken = True
        self.in_ep.stall()
        raise Stall

    def _request_sense(self, unit: object) -> bytes:
        if self._sense:
            return self._sense
        plain: bytes = super()._request_sense(unit)
        return plain

    # --- the device's thread ---

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            try:
                job()
            except Exception:  # noqa: BLE001  (the border of the thread)
                self._quirks.silent = True  # whether it was done is not known here, so nothing is said
                traceback.print_exc()

    def _execute(self, turn: Turn, wrapper: Wrapper, command: Execute, frame: bytes) -> None:
        denied: Denied | None = None
        name = "unknown"
        try:
            with self._device.lock:
                request = self._exchange.admit(command, frame)
            name = name_of(request.command)
            fault = self._point(turn, name, Point.BEFORE)
            if turn.dropped() or (fault and fault.act in MUTE_ACTS):
                self._strike(turn, wrapper, fault)
                return
            forced = _row(fault.code) if fault and fault.act is Act.REFUSE else None
            with self._device.lock:
                if turn.dropped():
                    return
                self._exchange.execute(request, forced)
        except Denied as error:
            denied = error
        fault = self._point(turn, name, Point.AFTER)
        turn.pass_time(self._device.scenario.latency(name) / 1000)
        if fault and fault.act in MUTE_ACTS:
            self._strike(turn, wrapper, fault)
        elif denied:
            self._refuse(turn, wrapper, denied)
        else:
            self._end(turn, wrapper, b"", PASSED, moved=wrapper.length, empty=_empties(fault))

    def _fetch(self, turn: Turn, wrapper: Wrapper, command: Fetch) -> None:
        with self._device.lock:
            name = self._exchange.last_command
        fault = self._point(turn, name, Point.ANSWER) if command.block == 0 else None
        if fault and fault.act in MUTE_ACTS:
            self._strike(turn, wrapper, fault)
            return
        try:
            with self._device.lock:
                block = self._exchange.fetch(command)
        except Denied as denied:
            self._refuse(turn, wrapper, denied)
            return
        block = block[: wrapper.length]
        self._end(turn, wrapper, block, PASSED, moved=len(block), empty=_empties(fault))

    def _point(self, turn: Turn, command: str, point: Point) -> Fault | None:
        return self._faults.at(self._device.scenario.device_no, command, point, turn)

    def _strike(self, turn: Turn, wrapper: Wrapper, fault: Fault | None) -> None:
        """Let a fault that keeps the answer back happen."""
        if fault is None or turn.dropped():
            return
        if fault.act is Act.PHASE_ERROR:
            self._end(turn, wrapper, b"", PHASE_ERROR, moved=wrapper.length)
        elif fault.act is Act.STALL:
            self.in_ep.stall()
        elif fault.act is Act.UNPLUG:
            self._unplug()
        elif fault.act is Act.MUTE:
            self._quirks.silent = True
        elif fault.act is Act.HANG:
            self._quirks.hung = True

    def _refuse(self, turn: Turn, wrapper: Wrapper, denied: Denied) -> None:
        with self._lock:
            if self._turn is turn:
                self._sense = denied.sense()
        self._end(turn, wrapper, b"", FAILED, moved=0 if wrapper.data_in else wrapper.length)

    def _end(
        self, turn: Turn, wrapper: Wrapper, data: bytes, status: int, *, moved: int, empty: int = 0
    ) -> None:
        """Send data and status, unless the host has given the command up."""
        with self._lock:
            if self._turn is not turn:
                return
            self._turn = None
            if data:
                self.in_ep.write(data)
            elif wrapper.length and wrapper.data_in:
                self.in_ep.stall()
            for _ in range(self._quirks.empty_reads + empty):
                self.in_ep.write(b"")
            self.in_ep.write(wrapper.status(status, moved=moved))


def _empties(fault: Fault | None) -> int:
    return 1 if fault is not None and fault.act is Act.EMPTY else 0


def _row(code: str) -> refusals.Refused:
    return next((row for row in REFUSALS if row.code == code), refusals.HARDWARE)
