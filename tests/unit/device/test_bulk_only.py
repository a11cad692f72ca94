"""Bulk-Only Transport, revision 1.0: what our side does when a device follows it, bends it or breaks it."""

from __future__ import annotations

import errno

import pytest
import usb.core
from hypothesis import given
from hypothesis import strategies as st

from taxagent.device.bulk_only import BulkOnly, Csw, decode_csw, encode_cbw, encode_csw
from taxagent.device.transport import CommandFailed, TransportError
from tests.builders.usb import (
    BULK_IN,
    Act,
    ScriptedDevice,
    Ticking,
    bulk_only,
    csw,
    fail,
    give,
    late,
    opened,
    silence,
    stall,
    take,
    unplug,
)

VENDOR = bytes((0xE2,)) + bytes(15)
SENSE = bytes((0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0))
SENSED = (take(), give(SENSE), csw())  # REQUEST SENSE, answered
RESET = ["reset", "clear 81", "clear 02"]


def transport(*script: Act) -> tuple[BulkOnly, ScriptedDevice]:
    device = ScriptedDevice(list(script))
    return bulk_only(device.connect()), device


def refused(failed: pytest.ExceptionInfo[TransportError]) -> tuple[bool, bool]:
    return failed.value.may_have_executed, failed.value.gone


# ---- the wrappers


def test_a_cbw_is_31_bytes_as_in_the_specification() -> None:
    cbw = encode_cbw(0x04030201, 0x1234, b"\x12\x00\x00\x00\x24\x00", data_in=True)
    assert cbw == b"USBC\x01\x02\x03\x04\x34\x12\x00\x00\x80\x00\x06\x12\x00\x00\x00\x24\x00" + bytes(10)


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=16), st.booleans()
)
def test_a_cbw_says_what_was_put_into_it(tag: int, length: int, cdb: bytes, data_in: bool) -> None:
    cbw = encode_cbw(tag, length, cdb, data_in=data_in)
    assert len(cbw) == 31
    assert int.from_bytes(cbw[4:8], "little") == tag
    assert int.from_bytes(cbw[8:12], "little") == length
    assert (cbw[12], cbw[13], cbw[14]) == (0x80 if data_in else 0, 0, len(cdb))
    assert cbw[15:] == cdb.ljust(16, b"\0")


@pytest.mark.parametrize("size", [0, 17])
def test_a_command_block_has_1_to_16_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 16"):
        encode_cbw(1, 0, bytes(size), data_in=False)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_a_csw_is_read_as_it_was_written(tag: int, residue: int, status: int) -> None:
    wrapper = Csw(tag=tag, residue=residue, status=status)
    assert decode_csw(encode_csw(wrapper)) == wrapper


@given(st.binary(max_size=64).filter(lambda data: len(data) != 13 or data[:4] != b"USBS"))
def test_anything_else_is_no_csw(data: bytes) -> None:
    assert decode_csw(data) is None


# ---- what is legal


def test_a_command_with_data_in_returns_the_data() -> None:
    disk, device = transport(take(), give(b"x" * 100), csw())
    assert disk.command(VENDOR, data_in=100, timeout_ms=1000) == b"x" * 100
    assert device.log == ["cbw e2", "in 100", "in 13"]


def test_a_command_without_data_returns_nothing() -> None:
    disk, device = transport(take(), csw())
    assert disk.command(VENDOR, timeout_ms=1000) == b""
    assert device.log == ["cbw e2", "in 13"]


def test_a_command_with_data_out_sends_it() -> None:
    disk, device = transport(take(), take(), csw())
    disk.command(VENDOR, data_out=bytes(700), timeout_ms=1000)
    assert device.log == ["cbw e2", "out 700", "in 13"]


def test_each_command_has_its_own_tag() -> None:
    disk, device = transport(take(), csw(), take(), csw())
    disk.command(VENDOR, timeout_ms=1000)
    disk.command(VENDOR, timeout_ms=1000)
    assert len(set(device.tags)) == 2


def test_the_tags_of_a_new_process_are_not_those_of_the_last() -> None:
    """A status that a killed process left in the device must not pass for the answer to a new command."""
    tags = []
    for _ in range(2):
        disk, device = transport(take(), csw())
        disk.command(VENDOR, timeout_ms=1000)
        tags += device.tags
    assert tags[0] != tags[1]


def test_no_read_or_write_asks_for_more_than_16_kib() -> None:
    disk, device = transport(
        take(), give(bytes(16384)), give(bytes(3616)), csw(), take(), take(), take(), csw()
    )
    assert len(disk.command(VENDOR, data_in=20000, timeout_ms=1000)) == 20000
    disk.command(VENDOR, data_out=bytes(20000), timeout_ms=1000)
    expected = ["cbw e2", "in 16384", "in 3616", "in 13", "cbw e2", "out 16384", "out 3616", "in 13"]
    assert device.log == expected


def test_a_short_read_ends_the_data() -> None:
    disk, device = transport(take(), give(b"abc"), csw(residue=97))
    assert disk.command(VENDOR, data_in=100, timeout_ms=1000) == b"abc"
    assert device.log == ["cbw e2", "in 100", "in 13"]


def test_padding_behind_the_data_is_cut_off_by_the_residue() -> None:
    disk, _ = transport(take(), give(b"abc" + bytes(97)), csw(residue=97))
    assert disk.command(VENDOR, data_in=100, timeout_ms=1000) == b"abc"


def test_a_stalled_data_phase_is_cleared_and_the_csw_read() -> None:
    disk, device = transport(take(), stall(), csw(residue=100))
    assert disk.command(VENDOR, data_in=100, timeout_ms=1000) == b""
    assert device.log == ["cbw e2", "in 100", "clear 81", "in 13"]


def test_a_stall_after_some_data_keeps_that_data() -> None:
    disk, _ = transport(take(), give(bytes(16384)), stall(), csw(residue=3616))
    assert len(disk.command(VENDOR, data_in=20000, timeout_ms=1000)) == 16384


def test_a_stalled_csw_is_cleared_and_read_once_more() -> None:
    disk, device = transport(take(), stall(), csw())
    disk.command(VENDOR, timeout_ms=1000)
    assert device.log == ["cbw e2", "in 13", "clear 81", "in 13"]


@pytest.mark.parametrize("empty", [1, 2])
def test_an_empty_read_before_the_csw_is_overlooked(empty: int) -> None:
    disk, _ = transport(take(), give(b"x" * 10), *[give(b"")] * empty, csw())
    assert disk.command(VENDOR, data_in=10, timeout_ms=1000) == b"x" * 10


def test_a_csw_in_place_of_the_data_counts_as_the_csw() -> None:
    disk, device = transport(take(), csw(1, residue=100), *SENSED)
    with pytest.raises(CommandFailed):
        disk.command(VENDOR, data_in=100, timeout_ms=1000)
    assert device.log == ["cbw e2", "in 100", "cbw 03", "in 18", "in 13"]


# ---- the device says no


@pytest.mark.parametrize(
    "data_phase",
    [
        pytest.param((stall(), csw(1, residue=100)), id="stall"),
        pytest.param((give(bytes(100)), csw(1)), id="zero-filled data"),
        pytest.param((give(b""), csw(1, residue=100)), id="no data"),
    ],
)
def test_status_1_asks_for_the_sense_however_the_data_phase_ended(data_phase: tuple[Act, ...]) -> None:
    disk, _ = transport(take(), *data_phase, *SENSED)
    with pytest.raises(CommandFailed) as failed:
        disk.command(VENDOR, data_in=100, timeout_ms=1000)
    assert failed.value.sense == SENSE


def test_data_out_may_be_stalled_and_then_refused() -> None:
    disk, device = transport(take(), stall(), csw(1, residue=700), *SENSED)
    with pytest.raises(CommandFailed):
        disk.command(VENDOR, data_out=bytes(700), timeout_ms=1000)
    assert device.log[:4] == ["cbw e2", "out 700", "clear 02", "in 13"]


def test_a_device_that_also_fails_request_sense_is_refused_without_sense() -> None:
    disk, _ = transport(take(), csw(1), take(), stall(), csw(1, residue=18))
    with pytest.raises(CommandFailed) as failed:
        disk.command(VENDOR, timeout_ms=1000)
    assert failed.value.sense == b""


def test_a_refusal_whose_sense_is_lost_may_have_been_executed() -> None:
    disk, _ = transport(take(), csw(1), unplug())
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, timeout_ms=1000)
    assert refused(failed) == (True, True)


# ---- the device breaks the rules: reset recovery, and the command may have been executed


@pytest.mark.parametrize(
    "status",
    [
        pytest.param([csw(tag_off_by=1)], id="wrong tag"),
        pytest.param([csw(cut=1)], id="short"),
        pytest.param([give(b"USBX" + bytes(9))], id="wrong signature"),
        pytest.param([give(b"")] * 3, id="nothing but empty reads"),
        pytest.param([stall(), stall()], id="stalls twice"),
        pytest.param([csw(2)], id="phase error"),
        pytest.param([csw(3)], id="status out of range"),
        pytest.param([csw(residue=1)], id="residue larger than the data"),
    ],
)
def test_a_csw_that_is_none_leads_to_reset_recovery(status: list[Act]) -> None:
    disk, device = transport(take(), *status, take(), csw())
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, timeout_ms=1000)
    assert refused(failed) == (True, False)
    assert device.log[-3:] == RESET
    disk.command(VENDOR, timeout_ms=1000)
    assert device.log[-2:] == ["cbw e2", "in 13"]


def test_a_pass_with_unread_data_out_is_not_believed() -> None:
    disk, device = transport(take(), take(), csw(residue=200))
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, data_out=bytes(700), timeout_ms=1000)
    assert refused(failed) == (True, False)
    assert device.log[-3:] == RESET


def test_a_stalled_cbw_was_certainly_not_executed_and_is_recovered() -> None:
    disk, device = transport(stall(), take(), csw())
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, timeout_ms=1000)
    assert refused(failed) == (False, False)
    disk.command(VENDOR, timeout_ms=1000)
    assert device.log == ["cbw e2", *RESET, "cbw e2", "in 13"]


# ---- silence


def test_after_a_time_out_the_next_command_begins_with_reset_recovery() -> None:
    disk, device = transport(take(), silence(), take(), give(b"new"), csw(residue=97))
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, data_in=100, timeout_ms=50)
    assert refused(failed) == (True, False)
    assert disk.command(VENDOR, data_in=100, timeout_ms=1000) == b"new"
    assert device.log == ["cbw e2", "in 100", "unlink", *RESET, "cbw e2", "in 100", "in 13"]


def test_a_late_answer_never_reaches_the_next_command() -> None:
    disk, _ = transport(take(), late(b"OLD"), take(), give(b"new"), csw(residue=97))
    with pytest.raises(TransportError):
        disk.command(VENDOR, data_in=100, timeout_ms=50)
    assert disk.command(VENDOR, data_in=100, timeout_ms=1000) == b"new"


@pytest.mark.parametrize(
    ("script", "data_out", "may_have_executed"),
    [
        pytest.param([silence()], b"", True, id="CBW, no data"),
        pytest.param([silence()], bytes(9), False, id="CBW, data-out still to come"),
        pytest.param([take(), silence()], bytes(9), True, id="the last of the data-out"),
        pytest.param([take(), silence()], bytes(20000), False, id="not the last of the data-out"),
        pytest.param([take(), take(), silence()], bytes(9), True, id="CSW"),
    ],
)
def test_silence_is_not_executed_only_where_the_device_lacks_something(
    script: list[Act], data_out: bytes, may_have_executed: bool
) -> None:
    disk, _ = transport(*script)
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, data_out=data_out, timeout_ms=50)
    assert refused(failed) == (may_have_executed, False)


class Trickle:
    """A pyusb device whose bulk-out takes part of each transfer and then times out, as libusb tells it."""

    def __init__(self, device: usb.core.Device, taken: list[int]) -> None:
        self._device = device
        self._taken = taken

    def __getattr__(self, name: str) -> object:
        return getattr(self._device, name)

    def write(self, endpoint: int, data: bytes, timeout: int) -> int:
        assert timeout > 0
        return self._taken.pop(0)


@pytest.mark.parametrize(
    ("taken", "may_have_executed"),
    [
        pytest.param([20], False, id="part of the CBW"),
        pytest.param([31, 512], False, id="more than a packet is missing"),
        pytest.param([31, 1024], True, id="at most the packet in doubt is missing"),
    ],
)
def test_a_partial_write_is_judged_by_what_is_missing(taken: list[int], may_have_executed: bool) -> None:
    disk = BulkOnly(Trickle(opened(ScriptedDevice().connect()), taken), monotonic=Ticking())
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, data_out=bytes(1200), timeout_ms=50)
    assert refused(failed) == (may_have_executed, False)


def test_no_transfer_is_ever_without_a_time_limit() -> None:
    """A clock that has run past the deadline still leaves each transfer 1 ms: 0 would mean for ever."""
    clock = Ticking()
    limits: list[int] = []

    class Slow(Trickle):
        def write(self, endpoint: int, data: bytes, timeout: int) -> int:
            limits.append(timeout)
            clock.now += 60
            return int(self._device.write(endpoint, data, 1000))

        def read(self, endpoint: int, size: int, timeout: int) -> object:
            limits.append(timeout)
            return self._device.read(endpoint, size, 1000)

    device = ScriptedDevice([take(), take(), csw()])
    BulkOnly(Slow(opened(device.connect()), []), monotonic=clock).command(
        VENDOR, data_out=bytes(9), timeout_ms=1000
    )
    assert limits == [1000, 1, 1]


def test_after_a_stall_the_csw_is_awaited_for_two_seconds_at_most() -> None:
    limits: list[int] = []

    class Watched(Trickle):
        def write(self, endpoint: int, data: bytes, timeout: int) -> int:
            return int(self._device.write(endpoint, data, timeout))

        def read(self, endpoint: int, size: int, timeout: int) -> object:
            limits.append(timeout)
            return self._device.read(endpoint, size, timeout)

    device = ScriptedDevice([take(), stall(), csw(residue=100)])
    BulkOnly(Watched(opened(device.connect()), []), monotonic=Ticking()).command(
        VENDOR, data_in=100, timeout_ms=60_000
    )
    assert limits == [60_000, 2000]


# ---- the device vanishes


@pytest.mark.parametrize(
    ("script", "data_out", "data_in", "may_have_executed"),
    [
        pytest.param([unplug()], b"", 0, True, id="at the CBW"),
        pytest.param([unplug()], bytes(9), 0, False, id="at the CBW, data-out still to come"),
        pytest.param([take(), unplug()], bytes(9), 0, True, id="at the data-out"),
        pytest.param([take(), unplug()], bytes(20000), 0, False, id="before the last of the data-out"),
        pytest.param([take(), unplug()], b"", 100, True, id="at the data-in"),
        pytest.param([take(), take(), unplug()], bytes(9), 0, True, id="at the CSW"),
    ],
)
def test_an_unplug_is_gone_and_says_whether_the_command_can_have_run(
    script: list[Act], data_out: bytes, data_in: int, may_have_executed: bool
) -> None:
    disk, _ = transport(*script)
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, data_out=data_out, data_in=data_in, timeout_ms=1000)
    assert refused(failed) == (may_have_executed, True)


def test_a_device_that_is_gone_is_not_asked_again() -> None:
    disk, device = transport(unplug())
    for expected in (True, False):
        with pytest.raises(TransportError) as failed:
            disk.command(VENDOR, timeout_ms=1000)
        assert refused(failed) == (expected, True)
    assert device.log == ["cbw e2"]


def test_an_io_error_of_a_device_that_still_answers_is_noise() -> None:
    disk, device = transport(take(), fail(-71), take(), csw())
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, timeout_ms=1000)
    assert refused(failed) == (True, False)
    disk.command(VENDOR, timeout_ms=1000)
    assert device.log == ["cbw e2", "in 13", "status", *RESET, "cbw e2", "in 13"]


def test_an_io_error_of_a_device_that_answers_no_more_is_an_unplug() -> None:
    class Dead(Trickle):
        def write(self, endpoint: int, data: bytes, timeout: int) -> int:
            raise usb.core.USBError("Input/Output Error", -1, errno.EIO)

        def ctrl_transfer(self, *args: object) -> int:
            raise usb.core.USBError("Input/Output Error", -1, errno.EIO)

    disk = BulkOnly(Dead(opened(ScriptedDevice().connect()), []), monotonic=Ticking())
    with pytest.raises(TransportError) as failed:
        disk.command(VENDOR, timeout_ms=1000)
    assert refused(failed) == (True, True)


def test_a_failed_reset_recovery_is_not_executed_and_tried_again_next_time() -> None:
    class Stubborn(Trickle):
        broken = True

        def write(self, endpoint: int, data: bytes, timeout: int) -> int:
            return int(self._device.write(endpoint, data, timeout))

        def ctrl_transfer(self, *args: object) -> object:
            if self.broken:
                raise usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
            return self._device.ctrl_transfer(*args)

    scripted = ScriptedDevice([take(), csw(2), take(), csw()])
    stubborn = Stubborn(opened(scripted.connect()), [])
    disk = BulkOnly(stubborn, monotonic=Ticking())
    for expected in (True, False):
        with pytest.raises(TransportError) as failed:
            disk.command(VENDOR, timeout_ms=1000)
        assert refused(failed) == (expected, False)
    stubborn.broken = False
    disk.command(VENDOR, timeout_ms=1000)
    assert scripted.log == ["cbw e2", "in 13", *RESET, "cbw e2", "in 13"]


def test_an_interface_without_both_bulk_pipes_is_no_mass_storage() -> None:
    class OneWay(Trickle):
        def get_active_configuration(self) -> object:
            configuration = self._device.get_active_configuration()
            return {(0, 0): [one for one in configuration[(0, 0)] if one.bEndpointAddress == BULK_IN]}

    with pytest.raises(TransportError, match="two bulk endpoints"):
        BulkOnly(OneWay(opened(ScriptedDevice().connect()), []), monotonic=Ticking())
