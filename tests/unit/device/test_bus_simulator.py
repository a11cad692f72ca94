"""The whole path down to the simulator and back: bus, hold, profile, bulk-only, USB/IP, over TCP."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

import taxagent.simulator
from taxagent.device.bus import UsbSource
from taxagent.model.errors import DeviceAbsent
from taxagent.simulator.faults import Act, Fault, Point
from taxagent.simulator.running import Running, serve
from taxagent.simulator.scenario import load

PATIENCE = 5.0
SCENARIO = Path(taxagent.simulator.__file__).parent / "scenarios" / "control_disk.toml"


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Running]:
    with serve([load(SCENARIO)], tmp_path) as running:
        yield running


@pytest.fixture
def source(simulator: Running) -> UsbSource:
    return UsbSource(f"usbip://127.0.0.1:{simulator.usbip_port}?control={simulator.control_port}")


def test_hold_after_hold_reaches_the_device(simulator: Running, source: UsbSource) -> None:
    """Each hold gives the device back before it returns: the next is never refused as busy."""
    location = source.seen()[0].location
    sessions = set()
    for _ in range(10):
        with source.hold(location) as device:
            sessions.add(device.hello().session)
    assert len(sessions) == 10


def test_a_replug_is_seen_as_gone_and_come(simulator: Running, source: UsbSource) -> None:
    told: queue.Queue[list[str]] = queue.Queue()
    first = source.seen()[0].location
    watch = source.watch(lambda: told.put([one.location for one in source.seen()]))
    simulator.bus.unplug("1-1")
    assert told.get(timeout=PATIENCE) == []
    simulator.bus.plug("1-1")
    (second,) = told.get(timeout=PATIENCE)
    assert second != first
    with pytest.raises(DeviceAbsent), source.hold(first):
        pass
    with source.hold(second) as device:
        device.hello()
    watch.stop()


@pytest.mark.parametrize("act", [Act.STALL, Act.PHASE_ERROR])
@pytest.mark.parametrize("point", [Point.AFTER, Point.ANSWER])
def test_a_device_with_bad_manners_still_gives_its_answer(
    simulator: Running, source: UsbSource, act: Act, point: Point
) -> None:
    number = simulator.devices[0].scenario.device_no
    with source.hold(source.seen()[0].location) as device:
        device.hello()
        simulator.faults.arm(Fault(device_no=number, command="clock", act=act, point=point))
        device.open(simulator.devices[0].scenario.password)
        assert device.clock().year >= 2000


@pytest.mark.parametrize("point", list(Point))
def test_an_unplug_in_a_read_is_an_absent_device(simulator: Running, source: UsbSource, point: Point) -> None:
    number = simulator.devices[0].scenario.device_no
    with source.hold(source.seen()[0].location) as device:
        device.hello()
        simulator.faults.arm(Fault(device_no=number, command="self_test", act=Act.UNPLUG, point=point))
        with pytest.raises(DeviceAbsent):
            device.self_test()
