"""BER-TLV and the value formats: what goes out comes back, and nothing else is taken."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.device import tlv
from taxagent.device.tlv import TlvError

TAGS = st.one_of(
    st.integers(0, 0xFF).filter(lambda tag: tag & 0x1F != 0x1F),
    st.builds(
        lambda first, second: (first | 0x1F) << 8 | second,
        st.integers(0, 7).map(lambda top: top << 5),
        st.integers(0x1F, 0x7F),
    ),
)
TIMES = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(st.lists(st.tuples(TAGS, st.binary(max_size=300)), max_size=8))
def test_what_is_written_is_read_back_in_order(pairs: list[tuple[int, bytes]]) -> None:
    data = b"".join(tlv.tlv(tag, value) for tag, value in pairs)
    assert list(tlv.items(data)) == pairs


@pytest.mark.parametrize(
    ("length", "written"),
    [(0, "00"), (127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (65_535, "82ffff")],
)
def test_a_length_takes_its_shortest_form(length: int, written: str) -> None:
    data = tlv.tlv(0xDF30, bytes(length))
    assert data.hex().startswith("df30" + written)
    assert list(tlv.items(data)) == [(0xDF30, bytes(length))]


def test_a_value_of_64_kib_is_not_written() -> None:
    with pytest.raises(TlvError, match="longer than 65535"):
        tlv.tlv(0xDF30, bytes(65_536))


@given(st.binary(max_size=64))
def test_any_bytes_are_refused_or_are_the_only_way_to_write_what_they_say(data: bytes) -> None:
    with contextlib.suppress(TlvError):
        assert b"".join(tlv.tlv(tag, value) for tag, value in tlv.items(data)) == data


@given(st.lists(st.tuples(TAGS, st.binary(min_size=1, max_size=20)), min_size=1, max_size=3), st.data())
def test_a_cut_is_noticed_unless_it_falls_between_two_values(
    pairs: list[tuple[int, bytes]], draw: st.DataObject
) -> None:
    parts = [tlv.tlv(tag, value) for tag, value in pairs]
    data = b"".join(parts)
    borders = {sum(map(len, parts[:count])) for count in range(len(parts) + 1)}
    cut = draw.draw(st.sampled_from(sorted(set(range(len(data))) - borders)))
    with pytest.raises(TlvError):
        list(tlv.items(data[:cut]))


@given(st.integers(-(2**63), 2**63 - 1))
def test_money_is_64_bits_signed_big_endian(fen: int) -> None:
    assert tlv.read_signed64(tlv.signed64(fen)) == fen
    assert len(tlv.signed64(fen)) == 8


def test_minus_one_fen_is_all_ones() -> None:
    assert tlv.signed64(-1).hex() == "ffffffffffffffff"
    assert tlv.signed64(10_000).hex() == "0000000000002710"


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TlvError, match="64 signed"):
        tlv.signed64(2**63)
    with pytest.raises(TlvError, match="1 unsigned"):
        tlv.unsigned(1, 256)
    with pytest.raises(TlvError, match="4 unsigned"):
        tlv.unsigned(4, -1)
    with pytest.raises(TlvError, match="4 are wanted"):
        tlv.read_unsigned(4, b"\0\0\0")


@given(st.dates())
def test_a_day_is_eight_bcd_digits(day: dt.date) -> None:
    assert tlv.bcd_date(day).hex() == day.isoformat().replace("-", "")
    assert tlv.read_bcd_date(tlv.bcd_date(day)) == day


@given(TIMES)
def test_a_time_is_fourteen_bcd_digits(moment: dt.datetime) -> None:
    assert tlv.read_bcd_time(tlv.bcd_time(moment)) == moment


def test_a_time_is_written_to_the_second() -> None:
    assert tlv.bcd_time(dt.datetime(2026, 11, 3, 9, 30, 15, 999_999)).hex() == "20261103093015"


@pytest.mark.parametrize(
    ("digits", "error"),
    [
        ("20260931", "no day"),
        ("2026093a", "BCD"),
        ("202609", "4 are wanted"),
        ("00000101", "no day"),
    ],
)
def test_a_day_that_is_none_is_refused(digits: str, error: str) -> None:
    with pytest.raises(TlvError, match=error):
        tlv.read_bcd_date(bytes.fromhex(digits))


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(TlvError, match="time of day"):
        tlv.read_bcd_time(bytes.fromhex("20261103246000"))


def test_text_is_utf8_alone() -> None:
    assert tlv.read_text("上海".encode()) == "上海"
    with pytest.raises(TlvError, match="UTF-8"):
        tlv.read_text("上海".encode("gbk"))
