"""Whoever holds a device may not be wanted any more in the middle of a call: then nothing more is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import taxagent.simulator
from taxagent.device.bulk_only import BulkOnly
from taxagent.device.bus import UsbSource
from taxagent.device.commands import Command
from taxagent.device.profile import ProfileDevice
from taxagent.device.wire import Execute, parse_cdb
from taxagent.jobs.fence import Fence
from taxagent.jobs.watched import Limits, WatchedDevice
from taxagent.model.device import DeviceKind, SealOrder
from taxagent.model.errors import AgentError, Interrupted
from taxagent.model.period import Period, first_day, last_day
from taxagent.simulator.running import serve
from taxagent.simulator.scenario import load
from tests.builders.driven import DrivenBench
from tests.builders.tcdp_device import DONE, HELLO, INFO, OCTOBER, FakeDevice, Fault
from tests.builders.usb import ScriptedDevice, Ticking, opened, take

PASSWORD = "88888888"
SCENARIO = Path(taxagent.simulator.__file__).parent / "scenarios" / "control_disk.toml"
VENDOR = bytes((0xE2,)) + bytes(15)


class Until:
    """may_go_on, which says no after so many commands."""

    def __init__(self, allowed: int = 1_000) -> None:
        self.allowed = allowed
        self.no = Interrupted("DEVICE_HUNG")

    def __call__(self) -> None:
        if self.allowed == 0:
            raise self.no
        self.allowed -= 1


class Hanging:
    """Carries command blocks; the first EXECUTE after `hangs` was set does that first."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.hangs: Callable[[], None] | None = None

    def command(self, cdb: bytes, **how: Any) -> bytes:
        hangs, self.hangs = self.hangs, None
        if hangs is not None and isinstance(parse_cdb(cdb), Execute):
            hangs()
        return bytes(self._inner.command(cdb, **how))


def test_a_thread_given_up_in_the_comparison_before_the_seal_does_not_seal(tmp_path: Path) -> None:
    """Where reading seals, one seal() is several exchanges: it hung in the first, and came back well."""
    bench = DrivenBench(tmp_path, DeviceKind.UKEY)
    now = [0.0]
    fence = Fence(lambda: now[0])
    line = Hanging(bench.transport())
    driver = ProfileDevice(line, bench.clock.monotonic, may_go_on=fence.passed)
    device = WatchedDevice(driver, fence, Limits())
    device.hello()
    device.open(PASSWORD)
    row = device.monitor()[0]
    month = Period("2026-10")
    order = SealOrder(
        group=row.group,
        period_from=first_day(month),
        period_to=last_day(month),
        expected_last_report=row.last_report,
    )

    def given_up() -> None:
        now[0] = 1_000.0
        late = fence.late()
        assert late is not None
        assert fence.give_up(late)

    line.hangs = given_up
    with pytest.raises(Interrupted, match="DEVICE_HUNG"):
        device.seal(order)
    assert bench.writes() == []


def test_it_is_asked_before_each_command_block_and_what_it_raises_is_unchanged() -> None:
    for allowed in range(2):  # EXECUTE, FETCH
        may_go_on = Until()
        fake = FakeDevice({Command.HELLO: HELLO, Command.SEAL: DONE})
        device = ProfileDevice(fake, lambda: 0.0, may_go_on=may_go_on)
        device.hello()
        may_go_on.allowed = allowed
        with pytest.raises(Interrupted) as stopped:
            device.seal(OCTOBER)
        assert stopped.value is may_go_on.no
        assert [command for command, _ in fake.executed].count(Command.SEAL) == allowed


def test_a_command_that_the_device_has_not_seen_is_not_sent_again() -> None:
    may_go_on = Until()
    fake = FakeDevice({Command.HELLO: HELLO, Command.SEAL: DONE})
    device = ProfileDevice(fake, lambda: 0.0, may_go_on=may_go_on)
    device.hello()
    fake.faults = [Fault.UNSENT]
    may_go_on.allowed = 1
    with pytest.raises(Interrupted):
        device.seal(OCTOBER)
    assert Command.SEAL not in [command for command, _ in fake.executed]


def test_a_close_that_may_not_be_sent_raises_nothing() -> None:
    may_go_on = Until()
    fake = FakeDevice({Command.HELLO: HELLO, Command.INFO: INFO})
    device = ProfileDevice(fake, lambda: 0.0, may_go_on=may_go_on)
    device.hello()
    may_go_on.allowed = 0
    device.close()
    assert Command.CLOSE not in [command for command, _ in fake.executed]


def test_the_data_of_a_command_whose_header_hung_is_not_sent_and_the_device_forgets_it() -> None:
    scripted = ScriptedDevice([take()])
    disk = BulkOnly(opened(scripted.connect()), monotonic=Ticking(), may_go_on=Until(0))
    with pytest.raises(Interrupted):
        disk.command(VENDOR, data_out=bytes(9), timeout_ms=1_000)
    assert scripted.log[-3:] == ["reset", "clear 81", "clear 02"]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[UsbSource]:
    with serve([load(SCENARIO)], tmp_path) as running:
        yield UsbSource(f"usbip://127.0.0.1:{running.usbip_port}?control={running.control_port}")


def test_the_bus_hands_it_to_the_device_that_it_gives(source: UsbSource) -> None:
    may_go_on = Until()
    with source.hold(source.seen()[0].location, may_go_on) as device:
        device.hello()
        may_go_on.allowed = 0
        with pytest.raises(AgentError) as stopped:
            device.hello()
        assert stopped.value is may_go_on.no
