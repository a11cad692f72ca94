"""Requests without arguments are read in one go; what they may be does not depend on that."""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.ipc import calls
from taxagent.ipc.calls import Malformed, read_call
from taxclient.protocol import messages as m

PLAIN = {"id": "r1", "op": "status", "sent_at": 1_795_561_200_000, "ttl_ms": 5000}
BARE = msgspec.msgpack.encode(m.Request(id="r1", op="status", sent_at=1, ttl_ms=5000, lang="en"))
_VALUES: list[Any] = [1.0, float("nan"), None, [], {}, -1, "", "x" * 65, b"\xff", 1 << 60, True, [[[1]]]]
ODD = st.sampled_from(_VALUES)


def told(data: bytes) -> tuple[Any, ...]:
    """What a request's bytes come to: the call's values, or the refusal."""
    try:
        call = read_call([b"TCA1", data], "zh", "boot", lambda _: None)
    except Malformed as error:
        return (error.fault, error.request_id)
    return (call.request, call.args, call.lang)


def told_slowly(data: bytes) -> tuple[Any, ...]:
    """The same, where no request is read in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "_BARE_BYTES", 0)
        return told(data)


@given(
    st.dictionaries(st.sampled_from([*PLAIN, "key", "ref", "lang", "args", "new"]), ODD, max_size=3),
    st.permutations(list(PLAIN)),
)
def test_odd_values_are_judged_alike_either_way(odd: dict[str, Any], order: list[str]) -> None:
    data = msgpack.packb({**{name: PLAIN[name] for name in order}, **odd})
    assert told(data) == told_slowly(data)


@given(st.integers(0, len(BARE) - 1), st.integers(0, 255), st.binary(max_size=2))
def test_changed_bytes_are_judged_alike_either_way(place: int, byte: int, tail: bytes) -> None:
    data = BARE[:place] + bytes([byte]) + BARE[place + 1 :] + tail
    assert told(data) == told_slowly(data)


def test_a_key_that_stands_twice_is_refused() -> None:
    pairs = [*PLAIN.items(), ("op", "status")]
    data = bytes([0x80 | len(pairs)]) + b"".join(msgpack.packb(each) for pair in pairs for each in pair)
    assert told(data)[0] == "BAD_REQUEST"


def test_deep_nesting_is_refused_and_not_fallen_over() -> None:
    data = b"\x81\xa1x" + b"\x91" * 508 + b"\x01"
    assert told(data)[0] == "BAD_REQUEST"
