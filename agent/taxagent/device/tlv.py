"""BER-TLV as the profile uses it, and its value formats. Knows no command and no field's meaning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

MAX_LENGTH = 0xFFFF  # of one value; longer ones have no place in a frame
_LONG_FORM = 0x80
_MORE_TAG = 0x1F
_MORE_BYTES = 0x80


class WireError(ValueError):
    """Bytes that are not what the profile says. The text names the place and what was wanted."""


class TlvError(WireError):
    """A broken tag, length or value."""


def tlv(tag: int, value: bytes) -> bytes:
    """Return one TLV; `tag` is its one or two bytes as a number (0xDF20), the length in its shortest form."""
    if len(value) > MAX_LENGTH:
        raise TlvError(f"tag {tag:04X}: a value of {len(value)} bytes is longer than {MAX_LENGTH}")
    head = tag.to_bytes(2 if tag > 0xFF else 1, "big")
    return head + _length(len(value)) + value


def items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, value) of the TLVs that follow one another in `data`, in order.

    Raises TlvError for a tag of three or more bytes or below its shortest form, an indefinite, cut off or
    needlessly long length, and a value that is cut off.
    """
    at = 0
    while at < len(data):
        tag, at = _read_tag(data, at)
        length, at = _read_length(data, at, tag)
        if at + length > len(data):
            raise TlvError(f"tag {tag:04X}: {length} bytes announced, {len(data) - at} left")
        yield tag, data[at : at + length]
        at += length


def _length(length: int) -> bytes:
    if length < _LONG_FORM:
        return bytes([length])
    size = 1 if length <= 0xFF else 2
    return bytes([_LONG_FORM | size]) + length.to_bytes(size, "big")


def _read_tag(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first & _MORE_TAG != _MORE_TAG:
        return first, at + 1
    if at + 1 >= len(data):
        raise TlvError(f"tag {first:02X} is cut off")
    second = data[at + 1]
    if second & _MORE_BYTES or second < _MORE_TAG:
        raise TlvError(f"tag {first:02X}{second:02X} is not a tag of two bytes in its shortest form")
    return first << 8 | second, at + 2


def _read_length(data: bytes, at: int, tag: int) -> tuple[int, int]:
    if at >= len(data):
        raise TlvError(f"tag {tag:04X}: no length")
    first = data[at]
    if first < _LONG_FORM:
        return first, at + 1
    size = first & 0x7F
    if size not in {1, 2}:
        raise TlvError(f"tag {tag:04X}: an indefinite length, or one above {MAX_LENGTH} ({first:02X})")
    raw = data[at + 1 : at + 1 + size]
    length = int.from_bytes(raw, "big")
    if len(raw) < size or _length(length) != data[at : at + 1 + size]:
        raise TlvError(
            f"tag {tag:04X}: length {data[at : at + 1 + size].hex()} is cut off or not in its shortest form"
        )
    return length, at + 1 + size


def unsigned(size: int, value: int) -> bytes:
    """Return a big-endian unsigned number of `size` bytes; TlvError where it does not fit."""
    try:
        return value.to_bytes(size, "big")
    except OverflowError as error:
        raise TlvError(f"{value} does not fit into {size} unsigned bytes") from error


def read_unsigned(size: int, data: bytes) -> int:
    """Return the number in `data`, which must have exactly `size` bytes."""
    return int.from_bytes(_exactly(data, size), "big")


def signed64(value: int) -> bytes:
    """Return an amount in fen as a 64-bit two's complement number, big endian."""
    try:
        return value.to_bytes(8, "big", signed=True)
    except OverflowError as error:
        raise TlvError(f"{value} does not fit into 64 signed bits") from error


def read_signed64(data: bytes) -> int:
    """Return the amount in fen."""
    return int.from_bytes(_exactly(data, 8), "big", signed=True)


def bcd_digits(digits: str) -> bytes:
    """Return decimal digits, two a byte."""
    return bytes.fromhex(digits)


def read_bcd_digits(data: bytes, size: int) -> str:
    """Return the 2 x `size` decimal digits in `data`."""
    digits = _exactly(data, size).hex()
    if not digits.isdecimal():
        raise TlvError(f"{digits} is not BCD")
    return digits


def bcd_date(day: dt.date) -> bytes:
    """Return a day as yyyymmdd in four BCD bytes."""
    return bcd_digits(f"{day.year:04d}{day.month:02d}{day.day:02d}")


def read_bcd_date(data: bytes) -> dt.date:
    """Return the day; TlvError where the calendar has no such day."""
    digits = read_bcd_digits(data, 4)
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as error:
        raise TlvError(f"{digits} is no day") from error


def bcd_time(moment: dt.datetime) -> bytes:
    """Return a wall-clock time as yyyymmddhhmmss in seven BCD bytes (fractions of a second are cut off)."""
    return bcd_date(moment.date()) + bcd_digits(f"{moment.hour:02d}{moment.minute:02d}{moment.second:02d}")


def read_bcd_time(data: bytes) -> dt.datetime:
    """Return the wall-clock time, naive; TlvError where it is none."""
    day = read_bcd_date(_exactly(data, 7)[:4])
    digits = read_bcd_digits(data[4:], 3)
    try:
        return dt.datetime.combine(day, dt.time(int(digits[:2]), int(digits[2:4]), int(digits[4:])))
    except ValueError as error:
        raise TlvError(f"{digits} is no time of day") from error


def read_text(data: bytes) -> str:
    """Return UTF-8 text; TlvError where it is not."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TlvError(f"{data.hex()} is not UTF-8") from error


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise TlvError(f"{len(data)} bytes where {size} are wanted")
    return data
