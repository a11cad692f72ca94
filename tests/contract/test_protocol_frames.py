"""What TCA/1 forbids is refused with an answer, and the agent goes on (docs/protocol.md)."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from taxagent.ipc.loop import Loop
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from taxclient.protocol.errors import FrameError
from tests.builders.ipc import DEVICE, KEY, House, house, peer, reply_of

_NUMBERS = itertools.count(1)


def request(h: House, op: str = "status", **changes: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "id": f"r{next(_NUMBERS)}",
        "op": op,
        "sent_at": h.clock.now_ms,
        "ttl_ms": 5000,
        "args": {},
    }
    return {**plain, **changes}


def asked(socket: zmq.Socket[bytes], message: object) -> m.Reply:
    socket.send_multipart([b"TCA1", msgpack.packb(message)])
    return reply_of(socket.recv_multipart())


def nested(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_a_req_socket_is_answered_with_its_delimiter(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint, zmq.REQ) as socket:
        assert asked(socket, request(h)).status == "ok"


def test_a_req_socket_that_correlates_gets_the_answer_to_its_newest_question(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint, zmq.REQ) as socket:
        for option in (zmq.REQ_RELAXED, zmq.REQ_CORRELATE):
            socket.setsockopt(option, 1)
        for number in range(3):  # asked again without having heard the answer
            socket.send_multipart([b"TCA1", msgpack.packb(request(h, id=f"r{number}"))])
        assert reply_of(socket.recv_multipart()).id == "r2"
        assert asked(socket, request(h, op="nonsense")).status == "error"


def test_a_dealer_without_delimiter_is_answered_without(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        socket.send_multipart([b"TCA1", msgpack.packb(request(h))])
        assert socket.recv_multipart()[0] == b"TCA1"
        socket.send_multipart([b"", b"TCA1", msgpack.packb(request(h))])
        assert socket.recv_multipart()[:2] == [b"", b"TCA1"]


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"x"],
        [b"TCA1"],
        [b"TCA2", b"\x80"],
        [b"GET / HTTP/1.1", b"\x80"],
        [b"TCA1", b""],
        [b"TCA1", b"\xc1"],
        [b"TCA1", b"\x80", b"\x80"],
        [b"", b"", b"TCA1", b"\x80"],
        [b"TCA1", b"\x80\x80"],
        [b"TCA1", b"\x90"],
        [b"TCA1", b"\x81\x01\x02"],
        [b"TCA1", b"\x81\xa1\xff\x01"],
        [b"TCA1", b"\xdf\xff\xff\xff\xff"],
        [b"TCA1", b"\xdd\xff\xff\xff\xff"],
        [b"TCA1", b"\x82\xa2id\xa11\xa2id\xa12"],
        [b"TCA1", msgpack.packb({"id": "a", "x": float("nan")})],
        [b"TCA1", msgpack.packb({"id": "a", "x": 1.5})],
        [b"TCA1", msgpack.packb({"id": "a", "x": msgpack.ExtType(5, b"x")})],
        [b"TCA1", msgpack.packb({"id": "a", "x": msgpack.Timestamp(1)})],
        [b"TCA1", msgpack.packb({"id": "a", "x": nested(16)})],
        [b"TCA1", b"\x81\xa1x" + b"\x91" * 60_000 + b"\x01"],
        [b"TCA1", *([b"x"] * 2000)],
    ],
    ids=range(23),
)
def test_a_message_out_of_form_is_a_bad_request_and_the_next_one_is_served(
    tmp_path: Path, frames: list[bytes]
) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        socket.send_multipart(frames)
        bad = reply_of(socket.recv_multipart())
        assert bad.error is not None
        assert (bad.status, bad.error.code, bad.error.outcome) == ("error", "BAD_REQUEST", "not_executed")
        assert asked(socket, request(h)).status == "ok"


def test_sixteen_levels_are_taken(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        assert asked(socket, request(h, later=nested(15))).status == "ok"


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"op": "nonsense"}, "UNKNOWN_OP"),
        ({"op": 5}, "BAD_REQUEST"),
        ({"ttl_ms": 0}, "BAD_REQUEST"),
        ({"ttl_ms": 3_600_001}, "BAD_REQUEST"),
        ({"sent_at": -1}, "BAD_REQUEST"),
        ({"args": []}, "BAD_REQUEST"),
        ({"op": "submit", "args": {"kind": "settle", "device_no": DEVICE}}, "BAD_REQUEST"),
        ({"op": "submit", "args": {"kind": "settle", "device_no": DEVICE}, "key": "short"}, "BAD_REQUEST"),
        ({"op": "submit", "args": {"kind": "format", "device_no": DEVICE}, "key": KEY}, "BAD_REQUEST"),
        ({"op": "submit", "args": {"kind": "settle", "device_no": DEVICE + "\n"}, "key": KEY}, "BAD_REQUEST"),
        ({"op": "submit", "args": {"kind": "settle", "device_no": "१" * 12}, "key": KEY}, "BAD_REQUEST"),
        ({"op": "check", "args": {"device_no": DEVICE, "periods": ["2026-13"]}, "key": KEY}, "BAD_REQUEST"),
        ({"op": "job.get", "args": {}}, "BAD_REQUEST"),
        ({"op": "job.get", "args": {"job_id": "0" * 26, "key": KEY}}, "BAD_REQUEST"),
        ({"op": "job.wait", "args": {"job_id": "0" * 26, "timeout_ms": 60_001}}, "BAD_REQUEST"),
        ({"op": "job.list", "args": {"limit": 501}}, "BAD_REQUEST"),
    ],
)
def test_a_request_out_of_form_is_refused_under_its_id(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        message = request(h, **changes)
        reply = asked(socket, message)
        assert reply.error is not None
        assert (reply.id, reply.error.code) == (message["id"], code)
        assert h.desk.asked == []


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        message = request(h, later=[1], args={"later": {"a": b"x"}})
        assert asked(socket, message).status == "ok"


def test_a_frame_over_the_limit_closes_its_connection_alone(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as flooder, peer(h.endpoint) as socket:
        flooder.setsockopt(zmq.RCVTIMEO, 200)
        flooder.send_multipart([b"TCA1", b"x" * (wire.REQUEST_BYTES + 1)])
        with pytest.raises(zmq.Again):
            flooder.recv_multipart()
        assert asked(socket, request(h)).status == "ok"


def test_a_peer_that_left_is_no_trouble(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        for _ in range(50):
            with peer(h.endpoint) as leaving:
                leaving.send_multipart([b"TCA1", msgpack.packb(request(h))])
        assert asked(socket, request(h)).status == "ok"


def test_every_op_of_the_protocol_is_served_and_no_other(tmp_path: Path) -> None:
    h = House(tmp_path)
    try:
        assert set(_table(h.loop)) == set(m.OPS)
    finally:
        h.loop.close()
        h.mailbox.close()


def _table(loop: Loop) -> dict[str, object]:
    return dict(loop.operations.table)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=9), PLAIN, max_size=6))
def test_what_is_within_the_limits_is_decoded_as_it_was_encoded(value: dict[str, object]) -> None:
    assert wire.decoded(msgspec.msgpack.encode(value)) == value


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        assert isinstance(wire.decoded(data), dict)
    except FrameError as error:
        assert error.code == "BAD_REQUEST"  # noqa: PT017 - either way is right


def test_too_many_bytes_are_too_large() -> None:
    with pytest.raises(FrameError) as caught:
        wire.decoded(b"\x80" * (wire.REQUEST_BYTES + 1))
    assert caught.value.code == "TOO_LARGE"
