"""The vectors that a third party builds from: both ends agree with them."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from taxagent.ipc.calls import request_sha256
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from taxclient.protocol.errors import FrameError
from tests.builders.vectors import case, rows

FILE = "protocol/messages.toml"


def readable(value: Any) -> Any:
    """The value as `json` has it: binary as base64."""
    if isinstance(value, dict):
        return {name: readable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [readable(each) for each in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def agrees(sent: Any, known: Any) -> bool:
    """Whether all that was sent and is known is known as it was sent; what was not sent has its default."""
    if isinstance(sent, dict) and isinstance(known, dict):
        return all(agrees(sent[name], known[name]) for name in known if name in sent)
    if isinstance(sent, list) and isinstance(known, list):
        return len(sent) == len(known) and all(map(agrees, sent, known))
    return bool(sent == known)


def test_every_op_has_a_request_and_a_reply() -> None:
    requests = {json.loads(row["json"])["op"] for row in rows(FILE, "request")}
    replies = {row["op"] for row in rows(FILE, "reply")}
    assert requests == set(m.OPS)
    assert set(m.OPS) - replies <= {"device.retry"}  # answered as device.hold


@pytest.mark.parametrize("row", rows(FILE, "request"), ids=case)
def test_a_request_is_decoded_and_valid(row: dict[str, Any]) -> None:
    plain = wire.decoded(bytes.fromhex(row["hex"]))
    assert plain == json.loads(row["json"])
    request = msgspec.convert(plain, m.Request)
    msgspec.convert(request.args, m.OPS[request.op].args)


@pytest.mark.parametrize("row", rows(FILE, "reply"), ids=case)
def test_a_reply_is_decoded_and_valid(row: dict[str, Any]) -> None:
    data, plain = bytes.fromhex(row["hex"]), json.loads(row["json"])
    assert readable(wire.decoded(data, wire.REPLY)) == plain
    reply = msgspec.msgpack.decode(data, type=m.Reply)
    if reply.error is None:
        result = msgspec.msgpack.decode(reply.result, type=m.OPS[row["op"]].result)
        assert agrees(plain["result"], json.loads(msgspec.json.encode(result)))
    else:
        assert msgspec.to_builtins(reply.error) == plain["error"]


@pytest.mark.parametrize("row", rows(FILE, "refused"), ids=case)
def test_what_must_be_refused_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(FrameError) as caught:
        wire.decoded(bytes.fromhex(row["hex"]))
    assert caught.value.code == row["code"]


@pytest.mark.parametrize("row", rows(FILE, "identity"), ids=case)
def test_the_identity_of_a_request_is_that_of_its_canonical_form(row: dict[str, Any]) -> None:
    args = msgspec.convert(json.loads(row["args"]), m.OPS[row["op"]].args)
    assert request_sha256(row["op"], args) == row["sha256"]
    assert json.loads(row["canonical"])["op"] == row["op"]
