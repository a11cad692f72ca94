"""The driver on the simulated device over USB/IP: the whole way down, and answers lost on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.device import driver
from taxagent.model.device import SealOrder
from taxagent.model.errors import DeviceAbsent, DeviceRefused, PasswordRefused
from taxagent.model.period import Period
from taxagent.model.simtime import SimulatedTime, local_time
from taxagent.ports import Device
from taxagent.simulator.faults import Act, Fault, Point
from taxagent.simulator.running import Running, serve
from taxagent.simulator.scenario import load

SCENARIO = Path(__file__).parents[3] / "agent/taxagent/simulator/scenarios/control_disk.toml"
NOVEMBER = SimulatedTime(start_ms=1_793_669_400_000, origin_ms=0)  # 2026-11-03T09:30+08:00
OCTOBER = SealOrder(
    group="007",
    period_from=dt.date(2026, 10, 1),
    period_to=dt.date(2026, 10, 31),
    expected_last_report=dt.date(2026, 9, 30),
)


class StoppedClock:
    """ports.Clock on the third of November 2026."""

    def utc_ms(self) -> int:
        return NOVEMBER.start_ms

    def sim_ms(self) -> int | None:
        return NOVEMBER.start_ms

    def local(self) -> dt.datetime:
        return local_time(NOVEMBER.start_ms)

    def monotonic(self) -> float:
        return 0.0


class Bench:
    """A simulator, the device held by the driver, and the faults of the one for the other."""

    def __init__(self, simulator: Running, device: Device) -> None:
        self.simulator = simulator
        self.device = device

    def fault(self, command: str, act: Act, point: Point) -> None:
        device_no = self.simulator.devices[0].memory.device_no
        self.simulator.faults.arm(Fault(device_no=device_no, command=command, act=act, point=point))

    def seals(self) -> int:
        return sum(record.kind == "seal" for record in self.device.last_writes())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serve([load(SCENARIO)], tmp_path, clock=StoppedClock()) as simulator:
        source = driver(f"usbip://127.0.0.1:{simulator.usbip_port}?control={simulator.control_port}")
        (seen,) = source.seen()
        with source.hold(seen.location) as device:
            device.hello()
            device.open("88888888")
            yield Bench(simulator, device)


def test_a_month_is_read_sealed_and_its_summary_read_again(bench: Bench) -> None:
    device = bench.device
    assert device.monitor()[0].last_report == dt.date(2026, 9, 30)
    counted = device.statistics("007", OCTOBER.period_from, OCTOBER.period_to)
    listed = list(device.invoices("007", OCTOBER.period_from, OCTOBER.period_to))
    assert len(listed) == counted.positive + counted.positive_voided + counted.negative + (
        counted.negative_voided + counted.blank_voided
    )
    assert device.find_invoice(listed[0].code, listed[0].number) == listed[0]
    assert device.find_invoice("0000000000", "00000000") is None
    device.seal(OCTOBER)
    assert device.monitor()[0].last_report == OCTOBER.period_to
    assert device.read_summary("007", Period("2026-10")) == device.read_summary("007", Period("2026-10"))
    with pytest.raises(DeviceRefused, match="ALREADY_SEALED"):
        device.seal(OCTOBER)


@pytest.mark.parametrize("point", [Point.BEFORE, Point.AFTER, Point.ANSWER])
def test_a_seal_whose_answer_is_lost_anywhere_is_done_once(bench: Bench, point: Point) -> None:
    bench.fault("seal", Act.PHASE_ERROR, point)
    bench.device.seal(OCTOBER)
    (record,) = bench.device.last_writes()
    assert record.payload_sha256 == bench.device.seal_sha256(OCTOBER)
    assert record.accepted


def test_a_refusal_whose_answer_is_lost_is_told_and_not_repeated(bench: Bench) -> None:
    bench.device.seal(OCTOBER)
    bench.fault("seal", Act.PHASE_ERROR, Point.AFTER)
    with pytest.raises(DeviceRefused, match="ALREADY_SEALED"):
        bench.device.seal(OCTOBER)
    assert bench.seals() == 2


def test_a_wrong_password_whose_answer_is_lost_spends_one_try(bench: Bench) -> None:
    before = bench.device.hello().tries_left
    bench.fault("open", Act.PHASE_ERROR, Point.AFTER)
    with pytest.raises(PasswordRefused) as refused:
        bench.device.open("wrong")
    assert refused.value.tries_left == before - 1
    assert bench.device.hello().tries_left == before - 1


def test_a_device_that_is_pulled_out_while_it_is_read_is_absent(bench: Bench) -> None:
    bench.fault("info", Act.UNPLUG, Point.AFTER)
    with pytest.raises(DeviceAbsent, match="DEVICE_ABSENT"):
        bench.device.info()
    bench.device.close()
