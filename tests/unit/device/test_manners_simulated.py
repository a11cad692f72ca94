"""Our driver bears what devices in the field are known to do, one thing after the other, over USB/IP."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from taxagent.device import driver, wire
from taxagent.device.bulk_only import BulkOnly
from taxagent.device.profile import ProfileDevice
from taxagent.device.transport import TransportError
from taxagent.model.device import DeviceKind, WriteKind
from taxagent.model.errors import AgentError, AnswerLost, DeviceAbsent, DeviceRefused
from taxagent.model.vendor_codes import met
from taxagent.ports import DeviceSource
from taxagent.simulator import control_messages as m
from taxagent.simulator import control_orders as orders
from taxagent.simulator.control_orders import BadOrder
from taxagent.simulator.faults import Act, Fault, Point
from taxagent.simulator.running import Running
from taxagent.simulator.scenario import (
    AtStart,
    Battery,
    ClockScenario,
    Generated,
    UsbScenario,
)
from tests.builders.scenario import (
    DEVICE_NO,
    NOON,
    OCTOBER,
    PASSWORD,
    host_of,
    listed,
    running,
    scenario,
    seal_of,
    type_007,
)
from tests.builders.usb import bulk_only

PATIENCE_MS = 150
MANY = Generated(seed=3, months=("2026-10",), per_month=60)


class Impatient:
    """transport.Transport that waits no longer than PATIENCE_MS for a device that says nothing."""

    def __init__(self, transport: BulkOnly) -> None:
        self._transport = transport
        self.asked: list[int] = []

    def command(self, cdb: bytes, *, data_out: bytes = b"", data_in: int = 0, timeout_ms: int) -> bytes:
        self.asked.append(data_in)
        patience = min(timeout_ms, PATIENCE_MS)
        return self._transport.command(cdb, data_out=data_out, data_in=data_in, timeout_ms=patience)


@contextmanager
def simulated(folder: Path, **changes: Any) -> Iterator[Running]:
    with running(folder, scenario(**changes), servers=True) as simulator:
        yield simulator


def source_of(simulator: Running) -> DeviceSource:
    return driver(f"usbip://127.0.0.1:{simulator.usbip_port}?control={simulator.control_port}")


@contextmanager
def opened(simulator: Running) -> Iterator[ProfileDevice]:
    """Yield the device, held by the real driver and let in."""
    source = source_of(simulator)
    (seen,) = source.seen()
    with source.hold(seen.location) as device:
        assert isinstance(device, ProfileDevice)
        device.hello()
        device.open(PASSWORD)
        yield device


def impatient(simulator: Running) -> tuple[ProfileDevice, Impatient]:
    """Return our driver's upper half on our transport, which loses its patience soon."""
    transport = Impatient(bulk_only(host_of(simulator)))
    return ProfileDevice(transport, time.monotonic), transport


def obeys(simulator: Running, order: orders.DeviceOrder) -> None:
    orders.carry_out(simulator.bus, simulator.bus.ports()[0], order)


def seals(simulator: Running) -> list[bool]:
    writes = simulator.devices[0].memory.writes
    return [write.accepted for write in writes if write.kind is WriteKind.SEAL]


# ---- strings, empty reads, small buffers


def test_a_device_whose_strings_cannot_be_read_is_recognised_and_works(tmp_path: Path) -> None:
    with simulated(tmp_path, usb=UsbScenario(readable_strings=False)) as simulator:
        (seen,) = source_of(simulator).seen()
        assert (seen.recognised, seen.name) == ("profile", "")
        with opened(simulator) as device:
            assert device.info().device_no == DEVICE_NO


def test_strings_may_become_unreadable_and_readable_while_it_runs(tmp_path: Path) -> None:
    with simulated(tmp_path) as simulator:
        obeys(simulator, m.SetUsb(device="1-1", readable_strings=False))
        assert source_of(simulator).seen()[0].name == ""
        obeys(simulator, m.SetUsb(device="1-1", readable_strings=True))
        assert source_of(simulator).seen()[0].name != ""


@pytest.mark.parametrize("empty", [1, 2])
def test_empty_packets_before_each_status_are_overlooked(tmp_path: Path, empty: int) -> None:
    with (
        simulated(tmp_path, usb=UsbScenario(empty_reads=empty)) as simulator,
        opened(simulator) as device,
    ):
        device.seal(seal_of())
        assert device.read_summary("007", OCTOBER)
        assert seals(simulator) == [True]


def test_more_empty_packets_than_any_device_sends_break_the_answer_off(tmp_path: Path) -> None:
    with simulated(tmp_path) as simulator, opened(simulator) as device:
        obeys(simulator, m.SetUsb(device="1-1", empty_reads=8))
        with pytest.raises(AgentError) as caught:
            device.seal(seal_of())
        assert isinstance(caught.value, AnswerLost)
        assert seals(simulator) == [True]


@pytest.mark.parametrize("point", [Point.AFTER, Point.ANSWER])
def test_one_empty_packet_once_is_overlooked(tmp_path: Path, point: Point) -> None:
    with simulated(tmp_path) as simulator, opened(simulator) as device:
        simulator.faults.arm(Fault(device_no=DEVICE_NO, command="seal", act=Act.EMPTY, point=point))
        device.seal(seal_of())
        assert seals(simulator) == [True]


@pytest.mark.parametrize("largest", [256, 512, 1024, 2048])
def test_a_device_with_a_small_buffer_is_asked_in_pieces_that_it_takes(tmp_path: Path, largest: Any) -> None:
    with simulated(
        tmp_path, usb=UsbScenario(largest_read=largest), types=(type_007(generate=MANY),)
    ) as simulator:
        device, transport = impatient(simulator)
        device.hello()
        device.open(PASSWORD)
        october = seal_of()
        invoices = list(device.invoices("007", october.period_from, october.period_to))
        assert len(invoices) == 60  # an answer of several KiB
        assert max(transport.asked) == largest
        device.seal(october)
        assert seals(simulator) == [True]


def test_the_answer_to_hello_is_asked_for_in_a_piece_that_every_device_takes(tmp_path: Path) -> None:
    with simulated(tmp_path) as simulator:
        device, transport = impatient(simulator)
        device.hello()
        assert max(transport.asked) == wire.HELLO_BLOCK == 256


def test_asked_for_more_than_its_buffer_holds_it_is_silent_until_it_loses_power(tmp_path: Path) -> None:
    with simulated(tmp_path, usb=UsbScenario(largest_read=512)) as simulator:
        transport = bulk_only(host_of(simulator))
        inquiry = bytes((0x12, 0, 0, 2, 1, 0))
        with pytest.raises(TransportError):
            transport.command(inquiry, data_in=513, timeout_ms=PATIENCE_MS)
        assert simulator.bus.ports()[0].quirks.state == "silent"
        obeys(simulator, m.PowerCycle(device="1-1"))
        with opened(simulator) as device:
            assert device.info().device_no == DEVICE_NO


# ---- address and location


def test_after_a_power_cycle_it_has_a_new_address_in_the_same_port(tmp_path: Path) -> None:
    with simulated(tmp_path) as simulator:
        source = source_of(simulator)
        (before,) = source.seen()
        obeys(simulator, m.PowerCycle(device=DEVICE_NO))
        (after,) = source.seen()
        assert before.location.split("#")[0] == after.location.split("#")[0]
        assert before.location != after.location
        with pytest.raises(DeviceAbsent), source.hold(before.location):
            pass
        with source.hold(after.location) as device:
            assert device.hello().device_no == DEVICE_NO


def test_plugged_into_another_port_it_is_the_same_device_at_another_location(tmp_path: Path) -> None:
    with simulated(tmp_path) as simulator:
        obeys(simulator, m.PowerCycle(device=DEVICE_NO, port="1-7.2"))
        (after,) = source_of(simulator).seen()
        assert after.location.startswith("usbip:1-7.2#")
        with opened(simulator) as device:
            assert device.hello().device_no == DEVICE_NO


def test_a_port_that_is_taken_is_not_given_to_a_second_device(tmp_path: Path) -> None:
    second = scenario(device_no="661700000029")
    with running(tmp_path, scenario(), second) as simulator:
        with pytest.raises(BadOrder, match="1-2"):
            obeys(simulator, m.PowerCycle(device=DEVICE_NO, port="1-2"))
        assert [port.plugged for port in simulator.bus.ports()] == [True, True]


def test_a_plugged_device_does_not_jump_to_another_port(tmp_path: Path) -> None:
    with running(tmp_path, scenario()) as simulator, pytest.raises(BadOrder, match="power_cycle"):
        obeys(simulator, m.Plug(device=DEVICE_NO, port="1-7"))


def test_a_device_may_be_unplugged_at_the_start(tmp_path: Path) -> None:
    with simulated(tmp_path, usb=UsbScenario(at_start=AtStart.UNPLUGGED)) as simulator:
        assert source_of(simulator).seen() == ()
        obeys(simulator, m.Plug(device=DEVICE_NO))
        with opened(simulator) as device:
            assert device.info().device_no == DEVICE_NO


# ---- silent and hung


@pytest.mark.parametrize(
    ("order", "state", "fault"),
    [
        (m.Silence(device="1-1"), "silent", "ANSWER_LOST"),
        (m.Hang(device="1-1"), "hung", "DEVICE_MUTE"),
    ],
)
def test_a_device_that_says_nothing_is_told_by_its_fault(
    tmp_path: Path, order: m.Silence | m.Hang, state: str, fault: str
) -> None:
    with simulated(tmp_path) as simulator:
        device, _ = impatient(simulator)
        obeys(simulator, order)
        with pytest.raises((DeviceAbsent, AnswerLost)) as caught:
            device.hello()
        assert caught.value.fault == fault
        assert simulator.bus.ports()[0].quirks.state == state


@pytest.mark.parametrize("state", [AtStart.SILENT, AtStart.HUNG])
def test_a_device_may_be_so_from_the_start_and_a_power_cycle_ends_it(tmp_path: Path, state: AtStart) -> None:
    with simulated(tmp_path, usb=UsbScenario(at_start=state)) as simulator:
        assert simulator.bus.ports()[0].quirks.state == state.value
        obeys(simulator, m.PowerCycle(device="1-1"))
        with opened(simulator) as device:
            assert device.info().device_no == DEVICE_NO


def test_a_silent_device_answers_control_transfers_and_a_hung_one_none(tmp_path: Path) -> None:
    with simulated(tmp_path) as simulator:
        transport = bulk_only(host_of(simulator))
        obeys(simulator, m.Silence(device="1-1"))
        transport.recover()
        obeys(simulator, m.Hang(device="1-1"))
        with pytest.raises(TransportError):
            transport.recover()


@pytest.mark.parametrize(
    ("act", "point", "done"),
    [
        (Act.MUTE, Point.BEFORE, []),
        (Act.MUTE, Point.AFTER, [True]),
        (Act.MUTE, Point.ANSWER, [True]),
        (Act.HANG, Point.BEFORE, []),
        (Act.HANG, Point.AFTER, [True]),
    ],
)
def test_a_write_during_which_it_falls_silent_is_unknown_until_it_is_read(
    tmp_path: Path, act: Act, point: Point, done: list[bool]
) -> None:
    with simulated(tmp_path) as simulator:
        device, _ = impatient(simulator)
        device.hello()
        device.open(PASSWORD)
        simulator.faults.arm(Fault(device_no=DEVICE_NO, command="seal", act=act, point=point))
        with pytest.raises(AnswerLost):
            device.seal(seal_of())
        assert seals(simulator) == done
        obeys(simulator, m.PowerCycle(device="1-1"))
        with opened(simulator) as again:
            hashes = [write.payload_sha256 for write in again.last_writes()]
            assert hashes == [again.seal_sha256(seal_of())] * len(done)


# ---- clocks


def test_a_dead_battery_puts_the_clock_to_its_default_whenever_it_gets_power(tmp_path: Path) -> None:
    clock = ClockScenario(battery=Battery.DEAD, default=dt.datetime(2010, 1, 1))
    with simulated(tmp_path, clock=clock) as simulator:
        with opened(simulator) as device:
            assert device.clock() == dt.datetime(2010, 1, 1)
        obeys(simulator, m.SetClock(device="1-1", set=NOON))
        with opened(simulator) as device:
            assert device.clock() == NOON
        obeys(simulator, m.PowerCycle(device="1-1"))
        with opened(simulator) as device:
            assert device.clock() == dt.datetime(2010, 1, 1)


def test_a_broken_clock_is_refused_by_its_code_and_nothing_is_sealed(tmp_path: Path) -> None:
    with simulated(tmp_path, clock=ClockScenario(battery=Battery.BROKEN)) as simulator:
        with opened(simulator) as device:
            for ask in (device.clock, device.monitor, lambda: device.seal(seal_of())):
                with pytest.raises(DeviceRefused) as caught:
                    ask()
                assert (caught.value.fault, caught.value.device_code) == ("CLOCK_WRONG", "09e105")
        assert seals(simulator) == []


def test_the_battery_may_die_be_changed_and_the_clock_be_put_forward(tmp_path: Path) -> None:
    with simulated(tmp_path) as simulator:
        obeys(simulator, m.SetClock(device="1-1", battery=Battery.DEAD))
        with opened(simulator) as device:
            assert device.clock().year == 2010
        obeys(simulator, m.SetClock(device="1-1", battery=Battery.GOOD, set=NOON, advance_s=3600))
        obeys(simulator, m.PowerCycle(device="1-1"))
        with opened(simulator) as device:
            assert device.clock() == NOON + dt.timedelta(hours=1)


def test_a_clock_order_that_orders_nothing_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, scenario()) as simulator, pytest.raises(BadOrder, match="advance_s"):
        obeys(simulator, m.SetClock(device="1-1"))


# ---- what the device says no to


PENDING = listed(1, dt.datetime(2026, 10, 30, 9), uploaded=False, amount=900_00)


@pytest.mark.parametrize(
    ("of_type", "code"),
    [
        ({"offline_hours": 1000}, "09f108"),
        ({"offline_hours": 72}, "09d11f"),
        ({"offline_hours": 1000, "offline_count": 1}, "09d120"),
        ({"offline_hours": 1000, "offline_amount": 1000_00}, "09d121"),
        ({"offline_hours": 1000, "upload_deadline": dt.date(2026, 11, 2)}, "09d122"),
    ],
)
@pytest.mark.parametrize("kind", [DeviceKind.CONTROL_DISK, DeviceKind.UKEY])
def test_a_seal_over_pending_uploads_is_refused_by_the_limit_that_is_exceeded(
    tmp_path: Path, kind: DeviceKind, of_type: dict[str, Any], code: str
) -> None:
    pending = (PENDING, listed(2, dt.datetime(2026, 10, 30, 10), uploaded=False, amount=900_00))
    types = (type_007(generate=None, invoices=pending, **of_type),)
    with simulated(tmp_path, kind=kind, types=types) as simulator, opened(simulator) as device:
        with pytest.raises(DeviceRefused) as caught:
            device.seal(seal_of())
        assert (caught.value.fault, caught.value.device_code) == ("UPLOAD_PENDING", code)


@pytest.mark.parametrize(
    ("changes", "fault", "code"),
    [
        ({"certificate_to": dt.date(2026, 11, 2)}, "CERTIFICATE_EXPIRED", "09f113"),
        ({"certificate_from": dt.date(2026, 11, 4)}, "CERTIFICATE_EXPIRED", "09f113"),
        ({"registration_code": False}, "DEVICE_UNREGISTERED", "09c005"),
        ({"registered": False}, "DEVICE_UNREGISTERED", "09c005"),
        ({"unknown_commands": ("seal",)}, "FIRMWARE_UNSUPPORTED", "09f003"),
    ],
)
def test_a_device_that_cannot_seal_says_why(
    tmp_path: Path, changes: dict[str, Any], fault: str, code: str
) -> None:
    with simulated(tmp_path, **changes) as simulator, opened(simulator) as device:
        with pytest.raises(DeviceRefused) as caught:
            device.seal(seal_of())
        assert (caught.value.fault, caught.value.device_code) == (fault, code)


def test_a_golden_disk_says_no_in_its_vendors_numbers(tmp_path: Path) -> None:
    october = seal_of(expected=dt.date(2026, 10, 1))
    late = type_007(
        last_report=dt.date(2026, 10, 1),
        generate=None,
        invoices=(PENDING,),
        upload_deadline=dt.date(2026, 11, 2),
    )
    told = []
    golden = {"kind": DeviceKind.GOLDEN_DISK, "types": (late,), "capacity": 1}
    with simulated(tmp_path, **golden) as simulator, opened(simulator) as device:
        for ask in (
            lambda: device.seal(october),
            lambda: device.read_summary("007", OCTOBER),
            device.self_test,
        ):
            with pytest.raises(DeviceRefused) as caught:
                ask()
            told.append((caught.value.fault, caught.value.device_code))
        obeys(simulator, m.Upload(device="1-1"))
        device.seal(october)
        with pytest.raises(DeviceRefused) as caught:
            device.seal(october)
        told.append((caught.value.fault, caught.value.device_code))
    assert told == [
        ("UPLOAD_PENDING", "246"),
        ("NO_SUCH_DATA", "220"),
        ("DEVICE_FULL", "161"),
        ("ALREADY_SEALED", "202"),
    ]
    assert all(met(code, DeviceKind.GOLDEN_DISK)[0].fault == fault for fault, code in told)


def test_a_device_for_training_says_so(tmp_path: Path) -> None:
    with simulated(tmp_path, training=True) as simulator, opened(simulator) as device:
        assert device.info().training is True
    with simulated(tmp_path / "other") as simulator, opened(simulator) as device:
        assert device.info().training is None


def test_a_full_device_says_so_in_its_self_test(tmp_path: Path) -> None:
    types = (type_007(generate=MANY),)
    with simulated(tmp_path, capacity=1, types=types) as simulator, opened(simulator) as device:
        assert device.monitor()[0].capacity_left == 0
        with pytest.raises(DeviceRefused) as caught:
            device.self_test()
        assert (caught.value.fault, caught.value.device_code) == ("DEVICE_FULL", "09f110")
