"""A device simulator that runs: devices, bus, USB/IP server and control connection put together."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from taxagent.host.clock import HostClock
from taxagent.ports import Clock
from taxagent.simulator.control import Control
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.faults import Fault, FaultScript
from taxagent.simulator.scenario import Scenario, invalid
from taxagent.simulator.state import DeviceStore
from taxagent.simulator.usb_bus import UsbBus
from taxclient.protocol.built import build_types

Address = tuple[str, int]
ANY_LOOPBACK: Address = ("127.0.0.1", 0)


class Running:
    """A running simulator; a context manager that stops it. Ports are those that it got."""

    def __init__(
        self, devices: Sequence[VirtualDevice], *, usbip: Address | None, control: Address | None
    ) -> None:
        """Raises OSError where an address cannot be bound."""
        self.devices = tuple(devices)
        self.faults = FaultScript(self._reached)
        self.bus = UsbBus(self.faults)
        self.control = Control(self.bus, self.faults, self.ask_to_end)
        self._end = threading.Event()
        for device in self.devices:
            self.bus.add(device)
        try:
            self.usbip_port = self.bus.listen(*usbip) if usbip else 0
            self.control_port = self.control.listen(*control) if control else 0
        except OSError:
            self.stop()
            raise

    def serve(self, sock: socket.socket) -> None:
        """Serve one USB/IP connection on a socket of this process, until it ends."""
        self.bus.serve(sock)

    def ask_to_end(self) -> None:
        """Wake `wait`. Any thread, also a signal handler."""
        self._end.set()

    def wait(self) -> None:
        """Wait until someone asks for the end."""
        self._end.wait()

    def stop(self) -> None:
        """End every connection and thread."""
        self._end.set()
        self.faults.clear()
        self.control.stop()
        self.bus.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _reached(self, fault: Fault) -> None:
        self.control.reached(fault)


def serve(
    scenarios: Sequence[Scenario],
    state_dir: Path,
    *,
    clock: Clock | None = None,
    usbip: Address | None = ANY_LOOPBACK,
    control: Address | None = ANY_LOOPBACK,
    reset: bool = False,
) -> Running:
    """Run the devices of `scenarios`, all plugged in, over the state in `state_dir`; `reset` begins anew.

    No address, no server: a host in this process goes through `Running.serve`. Raises AgentError
    SCENARIO_INVALID, OSError.
    """
    numbers = [scenario.device_no for scenario in scenarios]
    for number in numbers:
        if numbers.count(number) > 1:
            raise invalid("scenarios", "device_no", f"{number} stands twice")
    build_types()  # before its threads use them
    base = clock or HostClock()
    devices = []
    for scenario in scenarios:
        store = DeviceStore(state_dir, scenario.device_no)
        if reset:
            store.forget()
        devices.append(VirtualDevice(scenario, store, base))
    return Running(devices, usbip=usbip, control=control)
