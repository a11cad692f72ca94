"""The profile's bytes around a command: command blocks, frames, sense data. Knows no command's parameters.

What stands in a frame's body is in `commands`; both ways are here, for the driver and for a device.
docs/device-profile.md is the authority.
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum

from taxagent.device.tlv import WireError
from taxagent.model.value import Value

OP_EXECUTE = 0xE1  # SCSI leaves C0h..FFh to vendors
OP_FETCH = 0xE2
CDB_SIZE = 16
NO_SESSION = bytes(8)  # HELLO's session
BLOCK = 4096  # bytes of one FETCH at most, and its unit, where HELLO says nothing else
BLOCK_SIZES = (256, 512, 1024, 2048, BLOCK)  # what HELLO may say: some batches break when asked for more
HELLO_BLOCK = BLOCK_SIZES[0]  # what is asked of an answer to HELLO: no device breaks of that
MAX_REQUEST = 16 * 1024  # bytes of a request frame
MAX_ANSWER = 64 * 1024  # bytes of an answer frame
VERSION = 1
SENSE_SIZE = 18

_CDB = struct.Struct(">BBHI8s")
_HEAD = struct.Struct(">4sBBH8sII")
_CRC = struct.Struct(">I")
HEAD_SIZE = _HEAD.size  # 24
_OVERHEAD = _HEAD.size + _CRC.size
_MAGIC = b"TCDP"
_REQUEST = ord("Q")
_ANSWER = ord("A")


class Execute(Value, frozen=True, kw_only=True):
    """The command block EXECUTE: `length` bytes of request frame follow as data-out."""

    session: bytes
    sequence: int
    length: int


class Fetch(Value, frozen=True, kw_only=True):
    """The command block FETCH: up to `length` bytes of the answer from `block` blocks on, as data-in."""

    session: bytes
    sequence: int
    block: int
    length: int


class Request(Value, frozen=True, kw_only=True):
    """A request frame. `command` is a number here: a device may be asked for one that it does not know."""

    command: int
    session: bytes  # 8 bytes; zero for HELLO
    sequence: int  # 32 bits, grows within a session
    body: bytes  # the parameters as TLVs; SHA-256 of it is what LAST_WRITE remembers


class Answer(Value, frozen=True, kw_only=True):
    """An answer frame: command, session and sequence are the request's."""

    command: int
    session: bytes
    sequence: int
    body: bytes


class SenseKey(IntEnum):
    """The sense keys that the profile uses (SPC)."""

    NOT_READY = 0x2  # busy, or no password yet
    HARDWARE_ERROR = 0x4
    ILLEGAL_REQUEST = 0x5  # malformed, unknown
    DATA_PROTECT = 0x7  # a rule of the device says no
    ABORTED_COMMAND = 0xB  # session and sequence do not fit


class Sense(Value, frozen=True, kw_only=True):
    """Why a command block ended with status 1."""

    key: int
    asc: int
    ascq: int
    device_code: str  # hex, lower case, 2, 6 or 8 digits; "" where the device gave none


def execute_cdb(request: Request, length: int) -> bytes:
    """Return the command block that announces `request`, whose frame has `length` bytes."""
    return _CDB.pack(OP_EXECUTE, 0, length, request.sequence, request.session)


def fetch_cdb(session: bytes, sequence: int, block: int, length: int | None = None) -> bytes:
    """Return the command block that reads up to `length` bytes of an answer from `block` blocks on.

    Without `length` it is a block: of the answer to HELLO 256 bytes, of any other 4096.
    """
    if length is None:
        length = HELLO_BLOCK if session == NO_SESSION else BLOCK
    return _CDB.pack(OP_FETCH, block, length, sequence, session)


def parse_cdb(cdb: bytes) -> Execute | Fetch | None:
    """Return the profile's command block in `cdb` (zero-padded to 16 bytes), or None for any other opcode.

    Raises WireError for one whose fields are out of their range (sense 05/24/00).
    """
    if not cdb or cdb[0] not in {OP_EXECUTE, OP_FETCH}:
        return None
    opcode, block, length, sequence, session = _CDB.unpack(cdb.ljust(CDB_SIZE, b"\0")[:CDB_SIZE])
    if opcode == OP_FETCH:
        _within("allocation length", length, 1, BLOCK)
        return Fetch(session=session, sequence=sequence, block=block, length=length)
    _within("reserved byte 1", block, 0, 0)
    _within("frame length", length, _OVERHEAD, MAX_REQUEST)
    return Execute(session=session, sequence=sequence, length=length)


def encode_request(request: Request) -> bytes:
    """Return the frame's bytes; WireError where the body is too long."""
    return _frame(_REQUEST, request, MAX_REQUEST)


def encode_answer(answer: Answer) -> bytes:
    """Return the frame's bytes; WireError where the body is too long."""
    return _frame(_ANSWER, answer, MAX_ANSWER)


def decode_request(data: bytes) -> Request:
    """Return the request in exactly `data`; WireError says what is wrong with it."""
    command, session, sequence, body = _unframe(_REQUEST, data, MAX_REQUEST)
    return Request(command=command, session=session, sequence=sequence, body=body)


def decode_answer(data: bytes) -> Answer:
    """Return the answer in exactly `data`; WireError says what is wrong with it."""
    command, session, sequence, body = _unframe(_ANSWER, data, MAX_ANSWER)
    return Answer(command=command, session=session, sequence=sequence, body=body)


def answer_size(first: bytes) -> int:
    """Return the size of the whole answer frame of which `first` are the first bytes (24 or more)."""
    return _announced(_ANSWER, first, MAX_ANSWER)


def encode_sense(sense: Sense) -> bytes:
    """Return 18 bytes of fixed-format sense data, the device code in bytes 8 to 11."""
    code = int(sense.device_code or "0", 16)
    return struct.pack(
        ">BBB4sBIBBB3s", 0x70, 0, sense.key, bytes(4), 10, code, sense.asc, sense.ascq, 0, bytes(3)
    )


def decode_sense(data: bytes) -> Sense:
    """Return what fixed-format sense data says; a short or foreign block gives key 0 and no code."""
    if len(data) < SENSE_SIZE or data[0] & 0x7E != 0x70:
        return Sense(key=0, asc=0, ascq=0, device_code="")
    code = int.from_bytes(data[8:12], "big")
    return Sense(key=data[2] & 0x0F, asc=data[12], ascq=data[13], device_code=device_code_text(code))


def device_code_text(code: int) -> str:
    """Return a device code as it is written: hex in 2, 6 or 8 digits, "" for 0 (no code)."""
    if not code:
        return ""
    digits = 2 if code <= 0xFF else 6 if code <= 0xFFFFFF else 8
    return f"{code:0{digits}x}"


def _frame(direction: int, frame: Request | Answer, limit: int) -> bytes:
    size = _OVERHEAD + len(frame.body)
    if size > limit:
        raise WireError(f"a frame of {size} bytes: at most {limit} are allowed")
    head = _HEAD.pack(
        _MAGIC, VERSION, direction, frame.command, frame.session, frame.sequence, len(frame.body)
    )
    data = head + frame.body
    return data + _CRC.pack(zlib.crc32(data))


def _unframe(direction: int, data: bytes, limit: int) -> tuple[int, bytes, int, bytes]:
    size = _announced(direction, data, limit)
    if len(data) != size:
        raise WireError(f"{len(data)} bytes, and the frame announces {size}")
    (crc,) = _CRC.unpack_from(data, size - _CRC.size)
    if crc != zlib.crc32(data[: -_CRC.size]):
        raise WireError(f"CRC {crc:08x} does not fit the frame")
    _, _, _, command, session, sequence, length = _HEAD.unpack_from(data)
    return command, session, sequence, data[HEAD_SIZE : HEAD_SIZE + length]


def _announced(direction: int, data: bytes, limit: int) -> int:
    if len(data) < HEAD_SIZE:
        raise WireError(f"{len(data)} bytes are no frame: the head alone has {HEAD_SIZE}")
    magic, version, seen, *_, length = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != VERSION:
        raise WireError(f"{data[:5].hex()} is not the start of a TCDP/1 frame")
    if seen != direction:
        raise WireError(f"a frame of direction {seen:02x} where {direction:02x} is wanted")
    size: int = _OVERHEAD + length
    if size > limit:
        raise WireError(f"a frame of {size} bytes: at most {limit} are allowed")
    return size


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise WireError(f"{name} {value} is not in {least}..{most}")
