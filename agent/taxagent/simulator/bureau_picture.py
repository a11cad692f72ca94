"""The picture of a verification code: its digits, drawn as a PNG. Pure."""

from __future__ import annotations

import struct
import zlib

IMAGE_TYPE = "image/png"
_SCALE = 4  # pixels for a dot of a digit
_DOTS = (
    ("01110", "10001", "10011", "10101", "11001", "10001", "01110"),
    ("00100", "01100", "00100", "00100", "00100", "00100", "01110"),
    ("01110", "10001", "00001", "00110", "01000", "10000", "11111"),
    ("11110", "00001", "00001", "01110", "00001", "00001", "11110"),
    ("00010", "00110", "01010", "10010", "11111", "00010", "00010"),
    ("11111", "10000", "11110", "00001", "00001", "10001", "01110"),
    ("00110", "01000", "10000", "11110", "10001", "10001", "01110"),
    ("11111", "00001", "00010", "00100", "01000", "01000", "01000"),
    ("01110", "10001", "10001", "01110", "10001", "10001", "01110"),
    ("01110", "10001", "10001", "01111", "00001", "00010", "01100"),
)


def picture_of(digits: str) -> bytes:
    """Return a black-on-white PNG of `digits`; b"" for what is not digits alone."""
    if not (digits.isascii() and digits.isdigit()):
        return b""
    rows = ["0" * (len(digits) * 6 + 1)]
    rows += ["0" + "".join(_DOTS[int(digit)][row] + "0" for digit in digits) for row in range(7)]
    rows.append(rows[0])
    width, height = len(rows[0]) * _SCALE, len(rows) * _SCALE
    lines = [
        b"\0" + b"".join((b"\x00" if dot == "1" else b"\xff") * _SCALE for dot in row)
        for row in rows
        for _ in range(_SCALE)
    ]
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8-bit grey
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
