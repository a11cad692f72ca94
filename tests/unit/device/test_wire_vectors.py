"""The published vectors: each command and answer, to the byte, in both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from taxagent.device import wire
from taxagent.device.commands import SPECS, Command, decode_params, encode_result, payload_sha256
from taxagent.device.layout import Layout
from taxagent.device.wire import Answer, Request

VECTORS = Path(__file__).parents[2] / "vectors" / "device" / "commands.json"
ROWS: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
each_vector = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['command']} {row['note']}".strip())


def value_of(layout: Layout[Any], readable: dict[str, Any]) -> Any:
    """Return the value of a vector's readable form, in which bytes are hex."""
    fields = {
        name: bytes.fromhex(text) if name in {"ticket", "summary", "cursor"} and text is not None else text
        for name, text in readable.items()
    }
    return msgspec.convert(fields, layout.kind)


@each_vector
def test_a_request_is_written_as_in_the_vector(row: dict[str, Any]) -> None:
    spec = SPECS[Command[row["command"]]]
    body = spec.body(value_of(spec.params, row["params"]))
    assert body.hex() == row["request_body"]
    assert payload_sha256(body) == row["payload_sha256"]
    request = Request(
        command=spec.command,
        session=bytes.fromhex(row["session"]),
        sequence=row["sequence"],
        body=body,
    )
    frame = wire.encode_request(request)
    assert frame.hex() == row["request_frame"]
    assert wire.execute_cdb(request, len(frame)).hex() == row["execute_cdb"]
    assert wire.fetch_cdb(request.session, request.sequence, 0).hex() == row["fetch_cdb"]


@each_vector
def test_a_device_reads_the_request(row: dict[str, Any]) -> None:
    request = wire.decode_request(bytes.fromhex(row["request_frame"]))
    command = Command[row["command"]]
    assert (request.command, request.session.hex(), request.sequence) == (
        command,
        row["session"],
        row["sequence"],
    )
    assert decode_params(command, request.body) == value_of(SPECS[command].params, row["params"])


@each_vector
def test_a_device_writes_the_answer_as_in_the_vector(row: dict[str, Any]) -> None:
    command = Command[row["command"]]
    body = encode_result(command, value_of(SPECS[command].result, row["result"]))
    assert body.hex() == row["answer_body"]
    answer = Answer(
        command=command, session=bytes.fromhex(row["session"]), sequence=row["sequence"], body=body
    )
    assert wire.encode_answer(answer).hex() == row["answer_frame"]


@each_vector
def test_the_driver_reads_the_answer(row: dict[str, Any]) -> None:
    answer = wire.decode_answer(bytes.fromhex(row["answer_frame"]))
    result = SPECS[Command[row["command"]]].result
    assert result.decode(answer.body) == value_of(result, row["result"])
