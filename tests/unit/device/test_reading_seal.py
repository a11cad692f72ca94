"""A kind whose reading is the seal: checked before, awaited after, and never done by a mere read."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from taxagent.device import refusals
from taxagent.device.commands import (
    Command,
    MonitorList,
    SealedSummary,
    SummaryQuery,
    WriteList,
    payload_sha256,
)
from taxagent.device.profile import ProfileDevice
from taxagent.device.reading_seal import POLL_S
from taxagent.model.device import QUIRKS, DeviceKind, MonitorData, SealOrder, WriteKind, WriteRecord
from taxagent.model.errors import AgentError, AnswerLost, DeviceAbsent, DeviceInUse, DeviceRefused
from taxagent.model.job import Outcome
from taxagent.model.period import Period
from taxagent.model.value import Value
from tests.builders.model import monitor
from tests.builders.tcdp_device import HELLO, FakeDevice, Fault

GROUP = "007+026"
SEPT_30, OCT_31 = dt.date(2026, 9, 30), dt.date(2026, 10, 31)
OCTOBER = Period("2026-10")
ORDER = SealOrder(
    group=GROUP, period_from=dt.date(2026, 10, 1), period_to=OCT_31, expected_last_report=SEPT_30
)
SETTLES_S = QUIRKS[DeviceKind.UKEY].settles_within_s
OK = Fault.NONE


class Ukey:
    """A ukey in memory that shows a seal after `settles_s` of pauses."""

    def __init__(self, *, settles_s: float = 1.0, last: dt.date = SEPT_30) -> None:
        self.last = last
        self.seals = 0
        self.waited: list[float] = []
        self._settles_s = settles_s
        self._sealed_at: float | None = None
        self.fake = FakeDevice(
            {
                Command.HELLO: msgspec.structs.replace(HELLO, kind=DeviceKind.UKEY),
                Command.MONITOR: lambda _: MonitorList(monitor=self._rows()),
                Command.READ_SUMMARY: self._read,
                Command.LAST_WRITE: lambda _: WriteList(writes=self._writes()),
            }
        )

    def opened(self) -> ProfileDevice:
        device = ProfileDevice(self.fake, lambda: 0.0, self.waited.append)
        device.hello()
        device.open("12345678")
        return device

    def sealed_before(self) -> None:
        """Someone sealed October a moment ago."""
        self._read(SummaryQuery(group=GROUP, month=OCTOBER))

    def done(self) -> list[Command]:
        return [command for command, _ in self.fake.executed if command not in {Command.HELLO, Command.OPEN}]

    def _read(self, query: Value) -> SealedSummary:
        if self._sealed_at is None:
            self._sealed_at = sum(self.waited)
            self.seals += 1
        return SealedSummary(summary=b"sealed")

    def _rows(self) -> tuple[MonitorData, ...]:
        settled = self._sealed_at is not None and sum(self.waited) >= self._sealed_at + self._settles_s
        shown = OCT_31 if settled else self.last
        return tuple(monitor(invoice_type=kind, group=GROUP, last_report=shown) for kind in ("007", "026"))

    def _writes(self) -> tuple[WriteRecord, ...]:
        record = WriteRecord(
            write_no=1,
            kind=WriteKind.SEAL,
            payload_sha256="ab" * 32,
            session=HELLO.session,
            sequence=3,
            accepted=True,
            before=SEPT_30,
            after=OCT_31,
        )
        return (record,) if self._sealed_at is not None else ()


def test_a_seal_is_one_reading_and_returns_once_it_shows() -> None:
    ukey = Ukey(settles_s=1.0)
    ukey.opened().seal(ORDER)
    assert (ukey.seals, sum(ukey.waited)) == (1, 1.0)
    assert ukey.done().count(Command.READ_SUMMARY) == 1
    assert Command.SEAL not in ukey.done()
    assert ukey.done()[-1] is Command.MONITOR


def test_the_hash_of_the_reading_is_known_before_it_is_sent() -> None:
    ukey = Ukey()
    device = ukey.opened()
    promised = device.seal_sha256(ORDER)
    assert not ukey.done()
    device.seal(ORDER)
    sent = [
        body
        for (command, _), body in zip(ukey.fake.executed, ukey.fake.bodies, strict=True)
        if command is Command.READ_SUMMARY
    ]
    assert [payload_sha256(body) for body in sent] == [promised]


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        (msgspec.structs.replace(ORDER, expected_last_report=dt.date(2026, 8, 31)), "CAS_FAILED"),
        (msgspec.structs.replace(ORDER, group="007"), "TYPE_UNKNOWN"),
        (msgspec.structs.replace(ORDER, period_to=dt.date(2026, 10, 30)), "DEVICE_REFUSED"),
        (msgspec.structs.replace(ORDER, period_from=dt.date(2026, 9, 1)), "DEVICE_REFUSED"),
        (
            msgspec.structs.replace(ORDER, period_from=dt.date(2026, 9, 1), period_to=SEPT_30),
            "ALREADY_SEALED",
        ),
    ],
)
def test_what_monitor_contradicts_is_refused_and_nothing_is_read(order: SealOrder, fault: str) -> None:
    ukey = Ukey()
    with pytest.raises(DeviceRefused, match=fault):
        ukey.opened().seal(order)
    assert Command.READ_SUMMARY not in ukey.done()


def test_a_refusal_of_the_device_is_the_seals() -> None:
    ukey = Ukey()
    ukey.fake.replies[Command.READ_SUMMARY] = refusals.UPLOAD_PENDING
    with pytest.raises(DeviceRefused, match="UPLOAD_PENDING"):
        ukey.opened().seal(ORDER)
    ukey.fake.replies[Command.READ_SUMMARY] = refusals.SETTLING
    with pytest.raises(DeviceInUse, match="DEVICE_BUSY"):
        ukey.opened().seal(ORDER)


def test_a_seal_that_does_not_show_in_time_is_unknown() -> None:
    ukey = Ukey(settles_s=SETTLES_S + 1)
    with pytest.raises(AnswerLost, match="does not show within 4 s") as lost:
        ukey.opened().seal(ORDER)
    assert lost.value.outcome is Outcome.UNKNOWN
    assert ukey.waited == [POLL_S] * round(SETTLES_S / POLL_S)


def test_a_device_that_takes_its_time_to_show_anything_is_not_asked_for_longer() -> None:
    ukey = Ukey(settles_s=99.0)
    now = 0.0

    def monotonic() -> float:
        nonlocal now
        now += 0.75  # that long takes each step of the driver
        return now

    device = ProfileDevice(ukey.fake, monotonic, ukey.waited.append)
    device.hello()
    device.open("12345678")
    with pytest.raises(AnswerLost, match="does not show"):
        device.seal(ORDER)
    assert len(ukey.waited) < 4


READ = [Command.LAST_WRITE, Command.MONITOR, Command.READ_SUMMARY]


def faults_at_the_reading(*faults: Fault) -> list[Fault]:
    """Return no fault for the two commands before the reading, each an EXECUTE and a FETCH."""
    return [OK] * 4 + list(faults)


def test_executed_and_its_answer_lost_the_seal_is_fetched() -> None:
    ukey = Ukey()
    device = ukey.opened()
    ukey.fake.faults = faults_at_the_reading(Fault.LOST_AFTER)
    device.seal(ORDER)
    assert ukey.done()[:3] == READ
    assert ukey.done().count(Command.READ_SUMMARY) == 1


def test_proved_not_executed_it_is_read_once_more() -> None:
    ukey = Ukey()
    device = ukey.opened()
    ukey.fake.faults = faults_at_the_reading(Fault.LOST_BEFORE)
    device.seal(ORDER)
    assert ukey.done().count(Command.READ_SUMMARY) == 1


@pytest.mark.parametrize(
    "faults",
    [
        [Fault.GONE_AFTER],  # at the reading
        [Fault.LOST_AFTER, Fault.GONE_UNSENT],  # at its FETCH
        [OK, OK, Fault.GONE_UNSENT],  # at the first look afterwards: it is sealed
        [OK, OK, OK, OK, Fault.GONE_AFTER],  # at a later one
        [OK, OK, Fault.UNSENT, Fault.UNSENT],  # mute afterwards
    ],
)
def test_once_it_may_have_sealed_every_end_but_its_showing_is_unknown(faults: list[Fault]) -> None:
    ukey = Ukey()
    device = ukey.opened()
    ukey.fake.faults = faults_at_the_reading(*faults)
    with pytest.raises(AnswerLost, match="ANSWER_LOST") as lost:
        device.seal(ORDER)
    assert lost.value.outcome is Outcome.UNKNOWN
    assert ukey.seals == 1


@pytest.mark.parametrize("faults", [[Fault.GONE_UNSENT], [OK, Fault.GARBLED, Fault.GARBLED]])
def test_before_the_reading_nothing_was_done(faults: list[Fault]) -> None:
    ukey = Ukey()
    device = ukey.opened()
    ukey.fake.faults = [OK, OK, *faults]  # at MONITOR
    with pytest.raises(DeviceAbsent) as absent:
        device.seal(ORDER)
    assert absent.value.outcome is Outcome.NOT_EXECUTED
    assert ukey.seals == 0


def test_reading_the_summary_of_a_month_that_is_not_sealed_never_seals_it() -> None:
    ukey = Ukey()
    with pytest.raises(DeviceRefused, match="NO_SUCH_DATA"):
        ukey.opened().read_summary(GROUP, OCTOBER)
    assert ukey.seals == 0
    assert Command.READ_SUMMARY not in ukey.done()


def test_reading_the_summary_of_a_sealed_month_is_a_pure_read() -> None:
    ukey = Ukey(last=OCT_31)
    device = ukey.opened()
    assert device.read_summary(GROUP, OCTOBER) == b"sealed"
    ukey.fake.faults = [OK, OK, Fault.GONE_AFTER]
    with pytest.raises(DeviceAbsent):  # and no write whose answer is lost
        device.read_summary(GROUP, OCTOBER)


def test_a_seal_of_a_moment_ago_is_awaited_before_anyone_is_told_what_the_device_shows() -> None:
    ukey = Ukey(settles_s=1.0)
    ukey.sealed_before()
    device = ukey.opened()
    assert {row.last_report for row in device.monitor()} == {OCT_31}
    assert sum(ukey.waited) == 1.0
    looked = len(ukey.done())
    device.monitor()
    assert ukey.done()[looked:] == [Command.MONITOR]  # it is asked for once a session


def test_a_seal_that_never_shows_is_told_as_the_device_shows_it() -> None:
    ukey = Ukey(settles_s=99.0)
    ukey.sealed_before()
    device = ukey.opened()
    assert {row.last_report for row in device.monitor()} == {SEPT_30}
    assert sum(ukey.waited) == SETTLES_S
    device.monitor()
    assert sum(ukey.waited) == SETTLES_S


@pytest.mark.parametrize("kind", [DeviceKind.GOLDEN_DISK, DeviceKind.CONTROL_DISK])
def test_the_other_kinds_are_sealed_by_their_command_and_asked_nothing_more(kind: DeviceKind) -> None:
    fake = FakeDevice({Command.HELLO: msgspec.structs.replace(HELLO, kind=kind)})
    fake.replies[Command.SEAL] = refusals.ALREADY_SEALED
    device = ProfileDevice(fake, lambda: 0.0, _never)
    device.hello()
    with pytest.raises(AgentError, match="ALREADY_SEALED"):
        device.seal(ORDER)
    assert fake.executed[-1] == (Command.SEAL, ORDER)
    fake.replies[Command.MONITOR] = MonitorList(monitor=())
    device.monitor()
    assert [command for command, _ in fake.executed] == [Command.HELLO, Command.SEAL, Command.MONITOR]


def _never(seconds: float) -> None:
    raise AssertionError(seconds)
