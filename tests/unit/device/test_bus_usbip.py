"""The bus over USB/IP: what the control connection tells, and what holds without one."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from usbip.protocol import serve_handshake

from taxagent.device.bus import UsbSource
from taxagent.model.errors import DeviceAbsent, DeviceInUse
from taxagent.model.usb import Recognised
from tests.builders.usb import ScriptedDevice, served_over_tcp, silence
from tests.builders.usb_bus import PROFILE

PATIENCE = 5.0


@dataclass
class Simulator:
    """A USB/IP server with a control connection; `devices` may be changed at any time."""

    devices: list[ScriptedDevice] = field(default_factory=list)
    controls: queue.Queue[socket.socket] = field(default_factory=queue.Queue)
    sockets: list[socket.socket] = field(default_factory=list)
    run: str = ""

    def serve(self, sock: socket.socket) -> None:
        device = next(iter(self.devices), None)
        if device is None:
            with sock, contextlib.suppress(OSError):
                serve_handshake(sock, [])
        else:
            device.serve(sock)

    def control(self, sock: socket.socket) -> None:
        self.sockets.append(sock)
        with contextlib.suppress(OSError):  # the watch may have ended already
            tell(sock, "hello", devices=[device.busid for device in self.devices], server=self.run)
        self.controls.put(sock)

    def following(self) -> socket.socket:
        """Return the connection that stays; one that only asked which run this is has been closed."""
        while True:
            sock = self.controls.get(timeout=PATIENCE)
            try:
                sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
            except BlockingIOError:
                return sock


def tell(sock: socket.socket, event: str, **more: object) -> None:
    sock.sendall(json.dumps({"event": event, **more}).encode() + b"\n")


class Told:
    """What a watch said, one look at `seen()` a call."""

    def __init__(self, source: UsbSource) -> None:
        self._source = source
        self._told: queue.Queue[list[str]] = queue.Queue()

    def __call__(self) -> None:
        self._told.put([one.location for one in self._source.seen()])

    def next(self) -> list[str]:
        return self._told.get(timeout=PATIENCE)


@contextlib.contextmanager
def running(simulator: Simulator) -> Iterator[str]:
    """Serve the simulator; yield the backend's text."""
    with (
        served_over_tcp(simulator.serve) as (_, port),
        served_over_tcp(simulator.control) as (_, control),
    ):
        try:
            yield f"usbip://127.0.0.1:{port}?control={control}"
        finally:
            for sock in simulator.sockets:
                sock.close()


@contextlib.contextmanager
def watching(source: UsbSource) -> Iterator[Told]:
    told = Told(source)
    watch = source.watch(told)
    try:
        yield told
    finally:
        watch.stop()


def test_a_candidate_is_seen_and_named_by_its_strings() -> None:
    with running(Simulator([ScriptedDevice(extra=PROFILE)])) as text:
        (seen,) = UsbSource(text).seen()
    assert (seen.recognised, seen.location) == (Recognised.PROFILE, "usbip:1-1#1")
    assert seen.name == "Maker Thing"


def test_a_plugging_has_one_name_for_every_agent_that_comes_while_the_server_runs() -> None:
    device = ScriptedDevice(extra=PROFILE)
    with running(Simulator([device], run="run-1")) as text:
        assert [one.arrival for one in UsbSource(text).seen()] == ["run-1:1-1#2"]
        assert [one.arrival for one in UsbSource(text).seen()] == ["run-1:1-1#2"]
        device.devnum = 3
        assert [one.arrival for one in UsbSource(text).seen()] == ["run-1:1-1#3"]
    with running(Simulator([ScriptedDevice(extra=PROFILE)], run="run-2")) as text:
        assert [one.arrival for one in UsbSource(text).seen()] == ["run-2:1-1#2"]


def test_a_server_that_does_not_say_which_run_it_is_names_no_plugging() -> None:
    with running(Simulator([ScriptedDevice(extra=PROFILE)])) as text:
        assert [one.arrival for one in UsbSource(text).seen()] == [""]
        assert [one.arrival for one in UsbSource(text.partition("?")[0]).seen()] == [""]


def test_strings_that_cannot_be_read_leave_the_name_empty() -> None:
    with running(Simulator([ScriptedDevice(extra=PROFILE, strings=False)])) as text:
        (seen,) = UsbSource(text).seen()
    assert (seen.recognised, seen.name) == (Recognised.PROFILE, "")


def test_a_vendors_device_is_imported_for_its_descriptors_and_for_nothing_else() -> None:
    vendors = ScriptedDevice(vid=0x1432, pid=0x07DC)
    with running(Simulator([vendors])) as text:
        source = UsbSource(text)
        source.seen()
        (seen,) = source.seen()
    assert seen.recognised is Recognised.VENDOR
    assert (vendors.imports, vendors.log) == (1, [])


def test_arrival_and_removal_are_told_and_each_arrival_has_its_own_location() -> None:
    simulator = Simulator()
    with running(simulator) as text, watching(UsbSource(text)) as told:
        control = simulator.following()
        for arrival in (1, 2):
            simulator.devices = [ScriptedDevice(extra=PROFILE)]
            tell(control, "arrival", busid="1-1")
            assert told.next() == [f"usbip:1-1#{arrival}"]
            simulator.devices = []
            tell(control, "removal", busid="1-1")
            assert told.next() == []


def test_a_replug_between_two_looks_is_a_new_arrival() -> None:
    simulator = Simulator([ScriptedDevice(extra=PROFILE)])
    with running(simulator) as text:
        source = UsbSource(text)
        with watching(source) as told:
            control = simulator.following()
            tell(control, "removal", busid="1-1")
            tell(control, "arrival", busid="1-1")
            assert told.next() == ["usbip:1-1#2"]


def test_a_removal_ends_the_transfer_that_waits() -> None:
    device = ScriptedDevice([silence()], extra=PROFILE)
    simulator = Simulator([device])
    with running(simulator) as text:
        source = UsbSource(text)
        with watching(source), source.hold("usbip:1-1#1") as held:
            control = simulator.following()

            def unplugged() -> None:
                simulator.devices = []
                tell(control, "removal", busid="1-1")

            threading.Timer(0.05, unplugged).start()
            with pytest.raises(DeviceAbsent):
                held.hello()


def test_a_simulator_that_restarts_is_found_again() -> None:
    simulator = Simulator([ScriptedDevice(extra=PROFILE)])
    with running(simulator) as text:
        source = UsbSource(text)
        with watching(source) as told:
            first = simulator.following()
            simulator.devices = []
            first.shutdown(socket.SHUT_RDWR)
            assert told.next() == []
            simulator.devices = [ScriptedDevice(extra=PROFILE)]
            simulator.following()
            tell_again = told.next()
    assert tell_again == ["usbip:1-1#2"]


def test_events_of_later_versions_are_passed_over() -> None:
    simulator = Simulator()
    with running(simulator) as text, watching(UsbSource(text)) as told:
        control = simulator.following()
        tell(control, "party", guests=7)
        simulator.devices = [ScriptedDevice(extra=PROFILE)]
        tell(control, "arrival", busid="1-1", speed="high")
        assert told.next() == ["usbip:1-1#1"]


@pytest.mark.parametrize(
    "line", [b"no json\n", b"[]\n", b'{"event":1}\n', b'{"event":"removal","busid":7}\n']
)
def test_after_nonsense_the_control_connection_is_made_anew(line: bytes) -> None:
    simulator = Simulator()
    with running(simulator) as text, watching(UsbSource(text)) as told:
        simulator.following().sendall(line)
        simulator.devices = [ScriptedDevice(extra=PROFILE)]
        simulator.following()
        assert told.next() == ["usbip:1-1#1"]


def test_a_watch_of_a_server_that_is_not_there_stops_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = UsbSource(f"usbip://127.0.0.1:{port}?control={port}")
    watch = source.watch(lambda: None)
    trouble = source.trouble()
    watch.stop()
    assert trouble is not None
    assert trouble.fault == "USB_SERVER_DOWN"


def test_without_a_control_port_the_list_is_asked_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxagent.device.usbip_host.SCAN_S", 0.02)
    simulator = Simulator()
    with (
        served_over_tcp(simulator.serve) as (_, port),
        watching(UsbSource(f"usbip://127.0.0.1:{port}")) as told,
    ):
        simulator.devices = [ScriptedDevice(extra=PROFILE)]
        assert told.next() == ["usbip:1-1#1"]
        simulator.devices = []
        assert told.next() == []


def test_a_hold_configures_and_gives_the_device_back() -> None:
    device = ScriptedDevice(extra=PROFILE, configured=0)
    with running(Simulator([device])) as text:
        source = UsbSource(text)
        for _ in range(2):
            with source.hold("usbip:1-1#1"):
                pass
    assert device.log == ["configure 1"]
    assert (device.imports, device.configured) == (4, 1)  # descriptors, strings, two holds


def test_a_second_hold_of_a_held_device_is_in_use() -> None:
    with running(Simulator([ScriptedDevice(extra=PROFILE)])) as text:
        source = UsbSource(text)
        with source.hold("usbip:1-1#1"), pytest.raises(DeviceInUse), source.hold("usbip:1-1#1"):
            pass


def test_the_end_of_a_watch_leaves_a_held_device_alone() -> None:
    """A drain ends the watch first, while a device may be in the middle of a seal."""
    simulator = Simulator([ScriptedDevice(extra=PROFILE)])
    with running(simulator) as text:
        source = UsbSource(text)
        watch = source.watch(lambda: None)
        simulator.following()
        with source.hold("usbip:1-1#1"):
            watch.stop()
            assert [one.location for one in source.seen()] == ["usbip:1-1#1"]
