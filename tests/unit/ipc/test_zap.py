"""Who may shake hands: what is exactly ours, and nothing else."""

from __future__ import annotations

import pytest
from zmq.utils import z85

from taxagent.ipc.zap import Knock, answered

KEY = bytes(range(32))
OURS = [b"1.0", b"7", b"taxagent", b"127.0.0.1", b"", b"CURVE", KEY]


def status(frames: list[bytes], *, admits: bool = True) -> tuple[bytes, bytes]:
    """The status and the user id of the answer."""
    reply = answered(frames, lambda _knock: admits)
    assert reply[:2] == [b"1.0", frames[1] if len(frames) > 1 else b""]
    return reply[2], reply[4]


def test_a_key_that_is_admitted_becomes_the_user_id() -> None:
    asked: list[Knock] = []

    def admits(knock: Knock) -> bool:
        asked.append(knock)
        return True

    reply = answered(OURS, admits)
    assert reply == [b"1.0", b"7", b"200", b"", z85.encode(KEY), b""]
    assert asked == [Knock(address="127.0.0.1", public_key=z85.encode(KEY).decode())]


def test_one_that_is_not_gets_no_user_id() -> None:
    assert status(OURS, admits=False) == (b"400", b"")


@pytest.mark.parametrize(
    "at, frame",
    [
        (0, b"2.0"),
        (2, b""),
        (2, b"*"),
        (2, b"taxagent2"),
        (5, b"NULL"),
        (5, b"PLAIN"),
        (5, b"GSSAPI"),
        (6, b""),
        (6, KEY[:31]),
        (6, KEY + b"0"),
    ],
)
def test_whatever_is_not_exactly_ours_is_refused(at: int, frame: bytes) -> None:
    frames = list(OURS)
    frames[at] = frame
    assert status(frames)[0] in (b"400", b"500")
    assert status(frames)[1] == b""


@pytest.mark.parametrize("frames", [[], [b"1.0"], OURS[:6], [*OURS, b"more"]])
def test_too_few_and_too_many_frames_are_refused(frames: list[bytes]) -> None:
    assert status(frames)[0] == b"500" or frames == OURS[:6]
    assert status(frames)[1] == b""


@pytest.mark.parametrize(
    "address, code",
    [(b"localhost:0:0:77", b"200"), (b"127.0.0.1", b"400"), (b"::1", b"400"), (b"", b"400")],
)
def test_null_is_taken_of_the_ipc_socket_alone(address: bytes, code: bytes) -> None:
    assert status([b"1.0", b"7", b"taxagent", address, b"", b"NULL"], admits=False) == (code, b"")
