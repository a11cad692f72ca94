"""The window of a pairing: one client, five minutes, three tries."""

from __future__ import annotations

import pytest
import zmq
from zmq.utils import z85

from taxagent.ipc.pairing import Pairing
from taxclient.protocol import codes

SERVER = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
OTHER = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"


class Seconds:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def public_of(code: str, server: str = SERVER) -> str:
    """The public key by which the code's holder comes."""
    secret = z85.encode(codes.curve_secret(codes.read(code, server), server))
    return zmq.curve_public(secret).decode()


def opened(clock: Seconds) -> tuple[Pairing, str]:
    pairing = Pairing(SERVER, clock)
    _, code = pairing.opened("till-1", "operator", "root", "key-1", now_ms=0)
    return pairing, code


def test_the_door_knows_the_key_that_is_made_of_the_code_and_no_other() -> None:
    pairing, code = opened(Seconds())
    assert pairing.admits(public_of(code))
    assert not pairing.admits(OTHER)
    assert not pairing.admits("")


def test_a_code_ends_after_five_minutes_whatever_the_wall_clock_says() -> None:
    clock = Seconds()
    pairing, code = opened(clock)
    clock.now += 299.9
    assert pairing.admits(public_of(code))
    clock.now += 0.1
    assert not pairing.admits(public_of(code))
    assert pairing.window is None
    assert pairing.code_for("root", "key-1") is None


def test_three_strange_keys_shut_the_window_and_one_that_knocks_for_ever_does_not() -> None:
    pairing, code = opened(Seconds())
    for _ in range(50):
        assert pairing.tried("same") is None
    assert pairing.tried("second") is None
    shut = pairing.tried("third")
    assert shut is not None
    assert shut.name == "till-1"
    assert not pairing.admits(public_of(code))
    assert pairing.tried("fourth") is None


def test_a_window_is_shut_once() -> None:
    pairing, code = opened(Seconds())
    window = pairing.window
    assert window is not None
    assert pairing.shut(window)
    assert not pairing.shut(window)
    assert not pairing.admits(public_of(code))


def test_a_new_code_ends_the_one_before() -> None:
    pairing, first = opened(Seconds())
    _, second = pairing.opened("till-2", "viewer", "root", "key-2", now_ms=0)
    assert pairing.admits(public_of(second))
    assert not pairing.admits(public_of(first))


def test_who_lost_the_answer_gets_the_same_code_and_nobody_else_does() -> None:
    pairing, code = opened(Seconds())
    again = pairing.code_for("root", "key-1")
    assert again is not None
    assert again[1] == code
    assert pairing.code_for("root", "key-2") is None
    assert pairing.code_for("someone", "key-1") is None


def test_a_code_is_read_as_people_type_it() -> None:
    _, code = opened(Seconds())
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert codes.read(typed, SERVER) == codes.read(code, SERVER)


def test_a_code_of_another_agent_is_noticed_before_anything_is_sent() -> None:
    secret = "ABCDEFGHJKMN"
    assert codes.read(codes.written(secret, SERVER), SERVER) == secret
    with pytest.raises(codes.BadCode, match="check"):
        codes.read(codes.written(secret, SERVER), OTHER)


def test_every_mistyped_symbol_of_a_code_is_noticed() -> None:
    code = codes.written("ABCDEFGHJKMN", SERVER)
    for place, symbol in enumerate(code):
        if symbol != "-":
            other = "7" if symbol != "7" else "8"
            with pytest.raises(codes.BadCode, match="check"):
                codes.read(code[:place] + other + code[place + 1 :], SERVER)


@pytest.mark.parametrize(
    "text", ["", "K7QM", "K7QM-4X9T-P2RD-3F8", "K7QM-4X9T-P2RD-3F8U", "一二三四-4X9T-P2RD-3F8W"]
)
def test_what_has_not_the_form_of_a_code_is_none(text: str) -> None:
    with pytest.raises(codes.BadCode, match="form"):
        codes.read(text, SERVER)


def test_the_keys_of_a_code_are_as_the_page_says() -> None:
    """A vector for other languages (docs/security.md, Pairing)."""
    assert codes.written("K7QM4X9TP2RD", SERVER) == "K7QM-4X9T-P2RD-CEPR"
    assert (
        codes.curve_secret("K7QM4X9TP2RD", SERVER).hex()
        == "5c3c74a0bf86e3e0f37c8c07713d70a8368bb7ad6fc3a74d8950109fc41aa546"
    )
