"""Our bulk-only transport and our USB/IP client against a disk that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from usbip.protocol import serve_connection

from taxagent.device.bulk_only import BulkOnly
from taxagent.device.transport import CommandFailed
from tests.builders.usb import bulk_only, served, served_over_tcp, stock_disk

INQUIRY = bytes((0x12, 0, 0, 0, 36, 0))
REQUEST_SENSE = bytes((0x03, 0, 0, 0, 18, 0))
READ_10 = bytes((0x28, 0, 0, 0, 0, 2, 0, 0, 2, 0))
WRITE_10 = bytes((0x2A, 0, 0, 0, 0, 2, 0, 0, 2, 0))
READ_BEYOND = bytes((0x28, 0, 0, 0, 0, 200, 0, 0, 1, 0))
UNKNOWN = bytes((0xE1,)) + bytes(15)


@pytest.fixture(params=["in process", "over TCP"])
def disk(request: pytest.FixtureRequest) -> Iterator[BulkOnly]:
    device = stock_disk()
    if request.param == "in process":
        yield bulk_only(served(device))
    else:
        with served_over_tcp(lambda sock: serve_connection(sock, [device])) as (connect, _port):
            yield bulk_only(connect)


def test_inquiry_names_the_disk(disk: BulkOnly) -> None:
    answer = disk.command(INQUIRY, data_in=36, timeout_ms=2000)
    assert len(answer) == 36
    assert answer[8:16] == b"STOCK   "
    assert answer[16:32] == b"DISK            "


def test_request_sense_of_a_content_disk_is_all_clear(disk: BulkOnly) -> None:
    sense = disk.command(REQUEST_SENSE, data_in=18, timeout_ms=2000)
    assert (sense[0], sense[2], sense[12]) == (0x70, 0, 0)


@pytest.mark.parametrize("data_in", [0, 64])
def test_an_unknown_vendor_command_fails_with_sense_05_20_00(disk: BulkOnly, data_in: int) -> None:
    with pytest.raises(CommandFailed) as failed:
        disk.command(UNKNOWN, data_in=data_in, timeout_ms=2000)
    sense = failed.value.sense
    assert (sense[2], sense[12], sense[13]) == (0x05, 0x20, 0x00)


def test_the_disk_works_on_after_a_stalled_data_phase(disk: BulkOnly) -> None:
    for _ in range(3):
        with pytest.raises(CommandFailed) as failed:
            disk.command(READ_BEYOND, data_in=512, timeout_ms=2000)
        assert failed.value.sense[12] == 0x21  # logical block address out of range
        assert len(disk.command(INQUIRY, data_in=36, timeout_ms=2000)) == 36


def test_what_is_written_is_read_back(disk: BulkOnly) -> None:
    content = bytes(range(256)) * 4
    disk.command(WRITE_10, data_out=content, timeout_ms=2000)
    assert disk.command(READ_10, data_in=1024, timeout_ms=2000) == content


def test_less_data_than_asked_for_is_no_error(disk: BulkOnly) -> None:
    assert len(disk.command(INQUIRY, data_in=200, timeout_ms=2000)) == 36
