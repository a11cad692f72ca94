"""Frames, command blocks, sense data and values: round trips, and clear errors for everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.device import recognition, refusals, wire
from taxagent.device.commands import (
    SPECS,
    Command,
    decode_params,
)
from taxagent.device.layout import FIELDS, LISTED, Layout
from taxagent.device.recognition import ProfileDescriptor
from taxagent.device.tlv import TlvError, WireError, tlv
from taxagent.device.wire import Answer, Execute, Fetch, Request, Sense
from taxagent.model.device import DeviceKind
from taxagent.model.faults import codes
from taxagent.model.invoice import Invoice
from taxagent.model.value import Value

VECTORS = Path(__file__).parents[2] / "vectors" / "device"
SESSIONS = st.binary(min_size=8, max_size=8)
SEQUENCES = st.integers(0, 0xFFFFFFFF)
COMMANDS = st.integers(0, 0xFFFF)


def rows(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return loaded


@given(COMMANDS, SESSIONS, SEQUENCES, st.binary(max_size=500))
def test_a_frame_comes_back_as_it_was(command: int, session: bytes, sequence: int, body: bytes) -> None:
    fields = {"command": command, "session": session, "sequence": sequence, "body": body}
    request, answer = Request(**fields), Answer(**fields)  # type: ignore[arg-type]
    assert wire.decode_request(wire.encode_request(request)) == request
    assert wire.decode_answer(wire.encode_answer(answer)) == answer
    assert wire.answer_size(wire.encode_answer(answer)[:24]) == 28 + len(body)


@given(st.binary(max_size=200), st.data())
def test_one_turned_bit_anywhere_is_noticed(body: bytes, draw: st.DataObject) -> None:
    frame = wire.encode_request(Request(command=1, session=bytes(8), sequence=1, body=body))
    bit = draw.draw(st.integers(0, len(frame) * 8 - 1))
    broken = bytearray(frame)
    broken[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        wire.decode_request(bytes(broken))


@given(st.binary(max_size=100))
def test_any_bytes_are_a_frame_or_a_clear_error(data: bytes) -> None:
    with pytest.raises(WireError):
        wire.decode_request(data)


def test_a_frame_is_bounded_both_ways() -> None:
    largest = Request(
        command=1, session=bytes(8), sequence=1, body=bytes(wire.MAX_REQUEST - wire.HEAD_SIZE - 4)
    )
    assert len(wire.encode_request(largest)) == wire.MAX_REQUEST
    with pytest.raises(WireError, match="at most 16384"):
        wire.encode_request(Request(command=1, session=bytes(8), sequence=1, body=bytes(wire.MAX_REQUEST)))
    with pytest.raises(WireError, match="at most 65536"):
        wire.encode_answer(Answer(command=1, session=bytes(8), sequence=1, body=bytes(wire.MAX_ANSWER)))


@pytest.mark.parametrize("row", rows("bad-frames.json"), ids=lambda row: row["what"])
def test_a_bad_frame_is_refused_with_its_reason(row: dict[str, Any]) -> None:
    with pytest.raises(WireError, match=row["error"]):
        wire.decode_request(bytes.fromhex(row["frame"]))


@pytest.mark.parametrize("row", rows("bad-bodies.json"), ids=lambda row: row["what"])
def test_a_bad_body_is_refused_with_its_reason(row: dict[str, Any]) -> None:
    with pytest.raises(TlvError, match=row["error"]):
        decode_params(Command[row["command"]], bytes.fromhex(row["body"]))


@given(SESSIONS, SEQUENCES, st.integers(0, 255), st.integers(1, wire.BLOCK))
def test_fetch_comes_back_as_it_was(session: bytes, sequence: int, block: int, length: int) -> None:
    cdb = wire.fetch_cdb(session, sequence, block, length)
    assert len(cdb) == 16
    assert wire.parse_cdb(cdb) == Fetch(session=session, sequence=sequence, block=block, length=length)


@given(SESSIONS, SEQUENCES, st.integers(28, wire.MAX_REQUEST))
def test_execute_comes_back_as_it_was(session: bytes, sequence: int, length: int) -> None:
    request = Request(command=1, session=session, sequence=sequence, body=b"")
    cdb = wire.execute_cdb(request, length)
    assert wire.parse_cdb(cdb) == Execute(session=session, sequence=sequence, length=length)


def test_other_opcodes_are_not_the_profiles() -> None:
    assert wire.parse_cdb(bytes.fromhex("120000002400")) is None
    assert wire.parse_cdb(b"") is None


@pytest.mark.parametrize(
    ("cdb", "error"),
    [
        (wire.fetch_cdb(bytes(8), 1, 0, 0), "allocation length"),
        (wire.fetch_cdb(bytes(8), 1, 0, 4097), "allocation length"),
        (b"\xe1\x01\x00\x1c" + bytes(12), "reserved"),
        (b"\xe1\x00\x00\x1b" + bytes(12), "frame length"),
        (b"\xe1\x00\x40\x01" + bytes(12), "frame length"),
        (b"\xe2", "allocation length"),
    ],
)
def test_a_command_block_out_of_range_is_refused(cdb: bytes, error: str) -> None:
    with pytest.raises(WireError, match=error):
        wire.parse_cdb(cdb)


CODES = st.one_of(
    st.just(""),
    st.integers(1, 0xFF).map("{:02x}".format),
    st.integers(0x100, 0xFFFFFF).map("{:06x}".format),
    st.integers(0x1000000, 0xFFFFFFFF).map("{:08x}".format),
)


@given(st.integers(0, 15), st.integers(0, 255), st.integers(0, 255), CODES)
def test_sense_data_comes_back_as_it_was(key: int, asc: int, ascq: int, code: str) -> None:
    sense = Sense(key=key, asc=asc, ascq=ascq, device_code=code)
    assert len(wire.encode_sense(sense)) == 18
    assert wire.decode_sense(wire.encode_sense(sense)) == sense


@pytest.mark.parametrize("data", ["", "7000", "720b" + "00" * 20, "00" * 18])
def test_foreign_sense_data_says_nothing(data: str) -> None:
    assert wire.decode_sense(bytes.fromhex(data)) == Sense(key=0, asc=0, ascq=0, device_code="")


@pytest.mark.parametrize("row", rows("refusals.json"), ids=lambda row: row["code"])
def test_each_refusal_has_its_sense_data(row: dict[str, Any]) -> None:
    sense = bytes.fromhex(row["sense"])
    found, read = refusals.refusal(sense)
    assert found is not None
    assert (found.code, found.fault, found.meaning) == (row["code"], row["fault"], row["meaning"])
    assert (read.key, read.asc, read.ascq) == (row["key"], row["asc"], row["ascq"])
    assert found.sense(row.get("tries_left", 0)) == sense
    if "tries_left" in row:
        assert refusals.tries_left(read) == row["tries_left"]


def test_no_two_refusals_share_a_code_or_a_sense() -> None:
    listed = refusals.REFUSALS
    assert len({row.code for row in listed}) == len(listed)
    assert len({(row.asc, row.ascq) for row in listed}) == len(listed)
    assert {row["code"] for row in rows("refusals.json")} == {row.code for row in listed}


def test_an_unknown_code_has_no_row_and_keeps_its_number() -> None:
    sense = Sense(key=7, asc=0x80, ascq=0, device_code="09ffff")
    assert refusals.refusal(wire.encode_sense(sense)) == (None, sense)


def test_every_field_has_its_own_tag_of_the_private_class() -> None:
    tags = [tag for tag, _ in FIELDS.values()]
    assert len(set(tags)) == len(tags)
    assert all(0xDF1F <= tag <= 0xDF7F for tag in tags)
    lists = [tag for tag, _ in LISTED.values()]
    assert len(set(lists)) == len(lists)
    assert all(0xFF1F <= tag <= 0xFF7F for tag in lists)


def test_a_driver_skips_tags_that_it_does_not_know() -> None:
    result = SPECS[Command.CLOCK].result
    known = bytes.fromhex("df2e0720261103093015")
    assert result.decode(tlv(0xDF7F, b"later") + known + tlv(0xFF7F, b"")) == result.decode(known)


def test_a_device_does_not_skip_them() -> None:
    with pytest.raises(TlvError, match="no place"):
        decode_params(Command.CLOCK, tlv(0xDF7F, b"later"))


def test_a_list_inside_a_value_is_checked_as_strictly() -> None:
    layout: Layout[Any] = LISTED[Invoice][1]
    with pytest.raises(TlvError, match="without"):
        layout.decode(b"")
    with pytest.raises(TlvError, match=r"mark.*9 is no mark"):
        layout.decode(tlv(0xDF57, b"\x09"))


@pytest.mark.parametrize(
    ("command", "body", "error"),
    [
        (Command.READ_SUMMARY, "df3003303037df6203202613", r"month.*202613 is no month"),
        (Command.READ_SUMMARY, "df3003303037df62022026", r"month.*3 are wanted"),
    ],
)
def test_a_value_out_of_form_is_named(command: Command, body: str, error: str) -> None:
    with pytest.raises(TlvError, match=error):
        decode_params(command, bytes.fromhex(body))


def test_a_session_of_seven_bytes_is_none() -> None:
    with pytest.raises(TlvError, match=r"session.*8 are wanted"):
        SPECS[Command.HELLO].result.decode(tlv(0xDF25, bytes(7)))


@pytest.mark.parametrize("row", rows("descriptors.json"), ids=lambda row: row["descriptor"])
def test_the_interface_descriptor(row: dict[str, Any]) -> None:
    kind = DeviceKind(row["kind"]) if row["kind"] else None
    version = int(row.get("version", "0100"), 16)
    value = ProfileDescriptor(version=version, kind=kind, simulated=row["simulated"])
    data = bytes.fromhex(row["descriptor"])
    assert recognition.encode_descriptor(value) == data
    assert recognition.decode_descriptor(data) == value


def test_a_device_is_recognised_by_its_descriptor_or_its_id_and_always_by_its_interface() -> None:
    extra = recognition.encode_descriptor(ProfileDescriptor(kind=None, simulated=True))
    assert recognition.speaks_profile(0x1234, 0x5678, (8, 6, 0x50), extra)
    assert recognition.speaks_profile(0x1234, 0x5678, (8, 6, 0x50), b"\x03\x24\x07" + extra)
    assert recognition.speaks_profile(*recognition.SIMULATOR_ID, (8, 6, 0x50), b"")
    assert not recognition.speaks_profile(0x1234, 0x5678, (8, 6, 0x50), b"")
    assert not recognition.speaks_profile(*recognition.SIMULATOR_ID, (3, 0, 0), extra)


@pytest.mark.parametrize(
    "broken", ["00", "0c", "0c24", "0c24015443445000020000", "0d2401544344500001000000", "0b2401544344500001"]
)
def test_broken_or_foreign_descriptors_recognise_nothing(broken: str) -> None:
    assert recognition.find_descriptor(bytes.fromhex(broken)) is None


def test_a_descriptor_of_the_next_major_version_is_not_ours_and_a_longer_one_is() -> None:
    ours = recognition.encode_descriptor(ProfileDescriptor(kind=DeviceKind.UKEY, simulated=False))
    next_major = ours[:7] + b"\x00\x02" + ours[9:]
    longer = b"\x0e" + ours[1:7] + b"\x10\x01" + ours[9:] + b"\0\0"
    assert recognition.find_descriptor(next_major) is None
    found = recognition.find_descriptor(longer)
    assert found is not None
    assert (found.version, found.kind) == (0x0110, DeviceKind.UKEY)


def test_every_command_has_a_vector() -> None:
    assert {row["command"] for row in rows("commands.json")} == {command.name for command in Command}


def test_every_refusal_is_in_the_catalogue_of_faults() -> None:
    assert {row.fault for row in refusals.REFUSALS} <= set(codes())


def test_requests_and_results_are_values() -> None:
    assert all(
        issubclass(layout.kind, Value) for spec in SPECS.values() for layout in (spec.params, spec.result)
    )
