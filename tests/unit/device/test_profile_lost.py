"""When an answer is lost: executed, not executed, or honestly unknown; and never twice."""

from __future__ import annotations

import pytest

from taxagent.device import exchange, refusals, wire
from taxagent.device.commands import Command, SealedSummary
from taxagent.device.profile import ProfileDevice
from taxagent.model.errors import AnswerLost, DeviceAbsent, DeviceRefused, PasswordRefused
from taxagent.model.job import Outcome
from taxagent.model.period import Period
from tests.builders.tcdp_device import DONE, HELLO, INFO, OCTOBER, FakeDevice, Fault, opened

OK = Fault.NONE


def seals(fake: FakeDevice) -> int:
    return [command for command, _ in fake.executed].count(Command.SEAL)


def sealing(*faults: Fault) -> tuple[FakeDevice, ProfileDevice]:
    """Return a device that would seal, its faults beginning with SEAL's EXECUTE."""
    fake = FakeDevice({Command.SEAL: DONE, Command.INFO: INFO})
    device = opened(fake)
    fake.faults = list(faults)
    return fake, device


def test_executed_and_its_answer_lost_the_answer_is_fetched() -> None:
    fake, device = sealing(Fault.LOST_AFTER)
    device.seal(OCTOBER)
    assert seals(fake) == 1


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.UNSENT, Fault.ATTENTION])
def test_proved_not_executed_it_is_sent_once_more_and_executed_once(fault: Fault) -> None:
    fake, device = sealing(fault)
    device.seal(OCTOBER)
    assert seals(fake) == 1


def test_proved_not_executed_twice_the_device_is_mute_and_nothing_was_done() -> None:
    fake, device = sealing(Fault.LOST_BEFORE, OK, Fault.LOST_BEFORE)
    with pytest.raises(DeviceAbsent, match="DEVICE_MUTE") as absent:
        device.seal(OCTOBER)
    assert absent.value.outcome is Outcome.NOT_EXECUTED
    assert seals(fake) == 0


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.MUTE_SENSE])
def test_a_lost_refusal_is_told_again(fault: Fault) -> None:
    fake, device = sealing(fault)
    fake.replies[Command.SEAL] = refusals.ALREADY_SEALED
    with pytest.raises(DeviceRefused, match="ALREADY_SEALED") as refused:
        device.seal(OCTOBER)
    assert refused.value.device_code == "09f10c"
    assert seals(fake) == 1


def test_a_password_whose_answer_was_lost_is_never_sent_twice() -> None:
    for fault, raised in ((Fault.LOST_AFTER, PasswordRefused), (Fault.LOST_BEFORE, DeviceAbsent)):
        fake = FakeDevice({Command.HELLO: HELLO, Command.OPEN: refusals.PASSWORD_WRONG})
        device = ProfileDevice(fake, lambda: 0.0)
        device.hello()
        fake.faults = [fault]
        with pytest.raises(raised):
            device.open("wrong")
        assert [command for command, _ in fake.executed].count(Command.OPEN) == (raised is PasswordRefused)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault.GONE_AFTER],
        [Fault.LOST_AFTER, Fault.GONE_UNSENT],
        [Fault.LOST_BEFORE, Fault.GONE_UNSENT],
        [OK, Fault.GONE_UNSENT],
        [Fault.LOST_AFTER, Fault.LOST_BEFORE, Fault.LOST_BEFORE],
        [OK, Fault.UNSENT, Fault.UNSENT],
    ],
)
def test_a_write_that_may_have_happened_is_unknown(faults: list[Fault]) -> None:
    _, device = sealing(*faults)
    with pytest.raises(AnswerLost, match="ANSWER_LOST") as lost:
        device.seal(OCTOBER)
    assert lost.value.outcome is Outcome.UNKNOWN


def test_unplugged_before_it_left_the_write_was_not_executed() -> None:
    fake, device = sealing(Fault.GONE_UNSENT)
    with pytest.raises(DeviceAbsent, match="DEVICE_ABSENT"):
        device.seal(OCTOBER)
    assert seals(fake) == 0


@pytest.mark.parametrize("faults", [[Fault.GONE_UNSENT], [Fault.GONE_AFTER], [OK, Fault.GONE_AFTER]])
def test_a_read_from_a_device_that_vanished_is_only_absent(faults: list[Fault]) -> None:
    _, device = sealing(*faults)
    with pytest.raises(DeviceAbsent, match="DEVICE_ABSENT"):
        device.info()


def test_a_device_that_lost_its_session_in_the_middle_proves_nothing() -> None:
    fake, device = sealing(Fault.LOST_BEFORE)
    fake.session = bytes(range(8))
    with pytest.raises(AnswerLost) as lost:
        device.seal(OCTOBER)
    assert lost.value.device_code == refusals.SESSION_UNKNOWN.code


def test_a_session_that_is_over_refuses_before_anything_happens() -> None:
    fake, device = sealing()
    fake.session = bytes(range(8))
    with pytest.raises(DeviceAbsent, match="SESSION_UNKNOWN"):
        device.seal(OCTOBER)
    assert seals(fake) == 0


def test_a_command_block_that_was_repeated_below_us_is_executed_once_and_answered() -> None:
    fake, device = sealing(Fault.REPEATED)
    device.seal(OCTOBER)
    assert seals(fake) == 1


def test_a_garbled_answer_is_fetched_again_and_a_second_one_is_unknown() -> None:
    _, device = sealing(OK, Fault.GARBLED)
    device.seal(OCTOBER)
    _, device = sealing(OK, Fault.GARBLED, Fault.GARBLED)
    with pytest.raises(AnswerLost, match="DEVICE_GARBLED"):
        device.seal(OCTOBER)


def test_unit_attention_at_a_fetch_only_asks_again() -> None:
    fake, device = sealing(Fault.LOST_AFTER, Fault.ATTENTION)
    device.seal(OCTOBER)
    assert seals(fake) == 1


def test_a_status_0_that_fetch_denies_is_unknown() -> None:
    fake, device = sealing()
    fake.forgets = True
    with pytest.raises(AnswerLost, match="FETCH refused"):
        device.seal(OCTOBER)


def test_an_answer_to_another_command_is_garbled() -> None:
    fake, device = sealing()
    fake.answers_as = Command.CLOCK
    with pytest.raises(AnswerLost, match="DEVICE_GARBLED"):
        device.seal(OCTOBER)


def test_a_lost_hello_is_not_taken_for_the_one_before() -> None:
    fake = FakeDevice({Command.HELLO: HELLO}, OK, OK, Fault.LOST_BEFORE)
    device = ProfileDevice(fake, lambda: 0.0)
    device.hello()
    device.hello()
    assert [command for command, _ in fake.executed] == [Command.HELLO] * 2
    fake.faults = [Fault.LOST_AFTER]
    assert device.hello() == HELLO
    assert [command for command, _ in fake.executed] == [Command.HELLO] * 3


@pytest.mark.parametrize("size", [1, 4_000, 4_060, 4_061, 9_000, 65_000])
def test_a_long_answer_comes_in_blocks_of_4_kib_at_most(size: int) -> None:
    summary = SealedSummary(summary=bytes(range(256)) * (size // 256) + bytes(size % 256))
    fake = FakeDevice({Command.READ_SUMMARY: summary})
    device = opened(fake)
    fake.reads.clear()
    assert device.read_summary("007", Period("2026-10")) == summary.summary
    assert set(fake.reads) == {wire.BLOCK}
    assert len(fake.reads) == -(-len(fake.kept) // wire.BLOCK)


def test_a_block_that_is_lost_starts_the_fetch_anew() -> None:
    summary = SealedSummary(summary=bytes(9_000))
    fake = FakeDevice({Command.READ_SUMMARY: summary})
    device = opened(fake)
    fake.faults = [OK, OK, Fault.LOST_AFTER]
    assert device.read_summary("007", Period("2026-10")) == summary.summary
    assert [command for command, _ in fake.executed].count(Command.READ_SUMMARY) == 1


def test_reads_and_writes_keep_to_the_fields_watchdogs() -> None:
    fake, device = sealing()
    fake.timeouts.clear()
    device.info()
    device.seal(OCTOBER)
    device.close()
    assert fake.timeouts == [50_000, 5_000, 110_000, 5_000, 5_000, 5_000]
    assert (exchange.READ_MS, exchange.WRITE_MS) == (60_000, 120_000)


def test_nothing_is_sent_again_once_the_time_is_used_up() -> None:
    fake, _ = sealing()
    now = iter([0.0, 0.0, 115.0, 115.0])
    device = ProfileDevice(fake, lambda: next(now))
    fake.faults = [Fault.UNSENT]
    with pytest.raises(DeviceAbsent, match="DEVICE_MUTE"):
        device.info()
    assert len(fake.faults) == 0
