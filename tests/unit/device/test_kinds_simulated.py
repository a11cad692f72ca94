"""The driver on simulated devices of the other kinds, over USB/IP: sealed once, whatever answer is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taxagent.device.bus import UsbSource
from taxagent.model.device import SealOrder
from taxagent.model.errors import AnswerLost, DeviceRefused
from taxagent.model.period import Period, first_day, last_day
from taxagent.ports import Device
from taxagent.simulator.faults import Act, Fault, Point
from taxagent.simulator.running import Running, serve
from taxagent.simulator.scenario import load
from taxagent.simulator.site import example
from tests.builders.scenario import PASSWORD, StillClock

SEPTEMBER, OCTOBER = Period("2026-09"), Period("2026-10")
UKEY_GROUP, GOLDEN_GROUP = "007+026", "004+007"


class Bench:
    """One simulated device on a bus; its clock stands, and moves with each pause of the driver."""

    def __init__(self, simulator: Running, clock: StillClock) -> None:
        self.simulator = simulator
        self.clock = clock
        self.device_no = simulator.devices[0].memory.device_no
        address = f"usbip://127.0.0.1:{simulator.usbip_port}?control={simulator.control_port}"
        self._source = UsbSource(address, pause=self._passes)

    @contextmanager
    def opened(self) -> Iterator[Device]:
        """Hold the device with an open session."""
        (seen,) = self._source.seen()
        with self._source.hold(seen.location) as device:
            device.hello()
            device.open(PASSWORD)
            yield device

    def fault(self, command: str, act: Act, point: Point, nth: int = 1) -> None:
        fault = Fault(device_no=self.device_no, command=command, act=act, point=point, nth=nth)
        self.simulator.faults.arm(fault)

    def replug(self) -> None:
        for port in self.simulator.bus.ports():
            self.simulator.bus.plug(port.busid)

    def _passes(self, seconds: float) -> None:
        self.clock.now += dt.timedelta(seconds=seconds)


@contextmanager
def bench(kind: str, folder: Path) -> Iterator[Bench]:
    clock = StillClock(dt.datetime(2026, 11, 3, 11, 30))
    with serve([load(example(kind))], folder, clock=clock) as simulator:
        yield Bench(simulator, clock)


def order(month: Period, group: str, expected: dt.date) -> SealOrder:
    return SealOrder(
        group=group, period_from=first_day(month), period_to=last_day(month), expected_last_report=expected
    )


UKEY_OCTOBER = order(OCTOBER, UKEY_GROUP, dt.date(2026, 9, 30))


def test_a_golden_disk_is_sealed_group_by_group_and_month_by_month(tmp_path: Path) -> None:
    with bench("golden_disk", tmp_path) as at, at.opened() as device:
        assert [row.group for row in device.monitor()] == [GOLDEN_GROUP, GOLDEN_GROUP, "026"]
        device.seal(order(SEPTEMBER, GOLDEN_GROUP, dt.date(2026, 9, 1)))
        device.seal(order(OCTOBER, GOLDEN_GROUP, dt.date(2026, 10, 1)))
        assert [str(row.last_report) for row in device.monitor()] == [
            "2026-11-01",
            "2026-11-01",
            "2026-09-01",
        ]
        assert device.read_summary(GOLDEN_GROUP, SEPTEMBER) != device.read_summary(GOLDEN_GROUP, OCTOBER)
        with pytest.raises(DeviceRefused, match="NO_SUCH_DATA"):
            device.read_summary("026", SEPTEMBER)


def test_a_ukey_is_sealed_by_reading_once_it_shows(tmp_path: Path) -> None:
    with bench("ukey", tmp_path) as at, at.opened() as device:
        began = at.clock.now
        device.seal(UKEY_OCTOBER)
        assert {row.last_report for row in device.monitor()} == {dt.date(2026, 10, 31)}
        assert dt.timedelta(seconds=1.2) <= at.clock.now - began <= dt.timedelta(seconds=4)
        (record,) = device.last_writes()
        assert record.payload_sha256 == device.seal_sha256(UKEY_OCTOBER)
        assert device.read_summary(UKEY_GROUP, OCTOBER) == device.read_summary(UKEY_GROUP, OCTOBER)
        with pytest.raises(DeviceRefused, match="ALREADY_SEALED"):
            device.seal(UKEY_OCTOBER)
        assert len(device.last_writes()) == 1


@pytest.mark.parametrize("point", [Point.BEFORE, Point.AFTER, Point.ANSWER])
def test_a_sealing_reading_whose_answer_is_lost_anywhere_is_done_once(tmp_path: Path, point: Point) -> None:
    with bench("ukey", tmp_path) as at, at.opened() as device:
        at.fault("read_summary", Act.PHASE_ERROR, point)
        device.seal(UKEY_OCTOBER)
        assert [record.accepted for record in device.last_writes()] == [True]


@pytest.mark.parametrize(("point", "sealed"), [(Point.BEFORE, 0), (Point.AFTER, 1)])
def test_pulled_out_at_the_reading_it_is_unknown_until_the_device_is_read_again(
    tmp_path: Path, point: Point, sealed: int
) -> None:
    with bench("ukey", tmp_path) as at:
        with at.opened() as device:
            at.fault("read_summary", Act.UNPLUG, point)
            with pytest.raises(AnswerLost):
                device.seal(UKEY_OCTOBER)
        at.replug()
        with at.opened() as device:
            shown = dt.date(2026, 10, 31) if sealed else dt.date(2026, 9, 30)
            assert {row.last_report for row in device.monitor()} == {shown}
            assert len(device.last_writes()) == sealed


def test_pulled_out_while_the_seal_settles_it_is_unknown_and_shows_later(tmp_path: Path) -> None:
    with bench("ukey", tmp_path) as at:
        with at.opened() as device:
            device.monitor()
            at.fault("monitor", Act.UNPLUG, Point.AFTER, nth=2)  # the first look is before the reading
            with pytest.raises(AnswerLost, match="sealed by reading, then"):
                device.seal(UKEY_OCTOBER)
        at.replug()
        with at.opened() as device:
            assert {row.last_report for row in device.monitor()} == {dt.date(2026, 10, 31)}
            assert len(device.last_writes()) == 1


def test_neither_takes_a_clock_ticket(tmp_path: Path) -> None:
    for kind in ("golden_disk", "ukey"):
        with bench(kind, tmp_path / kind) as at, at.opened() as device:
            with pytest.raises(DeviceRefused, match="DEVICE_REFUSED") as refused:
                device.apply_clock_ticket(b"any")
            assert refused.value.device_code == "09f112"
