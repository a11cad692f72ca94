"""Descriptors come from a device, and a device may send anything."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.device.descriptors import (
    DescriptorError,
    parse_configuration,
    parse_device,
    total_length,
)
from tests.builders.usb import stock_disk


def configuration(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((9, 2)) + (9 + len(body)).to_bytes(2, "little") + bytes((1, 1, 0, 0x80, 50)) + body


INTERFACE = bytes((9, 4, 0, 0, 1, 8, 6, 0x50, 0))
SETTING_1 = bytes((9, 4, 0, 1, 0, 8, 6, 0x62, 0))
ENDPOINT = bytes((7, 5, 0x81, 2, 0, 2, 0))
EXTRA = bytes((3, 0x24, 7))


def test_the_stock_disk_has_one_interface_with_two_bulk_endpoints() -> None:
    disk = stock_disk()
    assert parse_device(disk.device_descriptor().pack()).idVendor == disk.vid
    interface = parse_configuration(disk.config_bytes()).interface(0, 0)
    assert interface.bInterfaceClass == 8
    assert [endpoint.wMaxPacketSize for endpoint in interface.endpoints] == [512, 512]


def test_a_class_specific_descriptor_belongs_to_what_stands_before_it() -> None:
    parsed = parse_configuration(configuration(EXTRA, INTERFACE, EXTRA, EXTRA, ENDPOINT, EXTRA))
    interface = parsed.interface(0, 0)
    assert parsed.extra_descriptors == EXTRA
    assert interface.extra_descriptors == EXTRA * 2
    assert interface.endpoints[0].extra_descriptors == EXTRA


def test_alternate_settings_are_found_by_their_place() -> None:
    parsed = parse_configuration(configuration(INTERFACE, ENDPOINT, SETTING_1))
    assert parsed.interface(0, 1).bInterfaceProtocol == 0x62
    for index, setting in ((0, 2), (1, 0)):
        with pytest.raises(IndexError):
            parsed.interface(index, setting)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        configuration(INTERFACE)[:-1],
        configuration(b"\x00\x04"),
        configuration(b"\x01"),
        configuration(bytes((5, 4, 0, 0, 0))),
        configuration(INTERFACE, bytes((4, 5, 1, 2))),
        configuration(b"\x20\x24abc"),
        b"\x00" * 9,
    ],
)
def test_a_configuration_that_does_not_add_up_is_refused(data: bytes) -> None:
    with pytest.raises(DescriptorError):
        parse_configuration(data)


@given(st.binary(max_size=80))
def test_bytes_are_a_descriptor_or_a_descriptor_error_and_nothing_else(data: bytes) -> None:
    for parse in (
        parse_device,
        total_length,
        parse_configuration,
        lambda body: parse_configuration(configuration(body)),
    ):
        with contextlib.suppress(DescriptorError):
            parse(data)
