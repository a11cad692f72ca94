"""A verification code (验证码): asked over real TLS, answered by a person, and the call made again."""

from __future__ import annotations

import struct

import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.bureau.messages import Op
from taxagent.model.errors import AnswerLost, BureauRefused, ChallengeAsked
from taxagent.simulator.bureau_faults import Act, Fault, Point
from taxagent.simulator.bureau_server import Running
from tests.builders.bureau import DEVICE, OCTOBER, accepted, sealed_report


def ordered(running: Running, op: Op = Op.REPORT_PUT) -> None:
    running.bureau.faults.order(Fault(op=op, act=Act.CHALLENGE, answer="7k3m", text="验证码？", image=b"png"))


def asked(client: GatewayClient) -> ChallengeAsked:
    with pytest.raises(ChallengeAsked) as caught:
        client.put_report(sealed_report())
    return caught.value


def test_the_call_is_not_carried_out_until_the_answer_was_given(
    running: Running, client: GatewayClient
) -> None:
    ordered(running)
    challenge = asked(client)
    assert (challenge.question, challenge.image) == ("验证码？", b"png")
    assert accepted(running, Op.REPORT_PUT) == 0
    client.answer_challenge(challenge.challenge_id, " 7K3M ")
    client.put_report(sealed_report())
    assert accepted(running, Op.REPORT_PUT) == 1


def test_while_it_is_open_every_call_meets_it(running: Running, client: GatewayClient) -> None:
    ordered(running)
    first = asked(client)
    with pytest.raises(ChallengeAsked) as caught:
        client.get_report(DEVICE, "007", OCTOBER)
    assert caught.value.challenge_id == first.challenge_id


def test_a_wrong_answer_is_refused_and_the_next_call_asks_anew(
    running: Running, client: GatewayClient
) -> None:
    ordered(running)
    first = asked(client)
    with pytest.raises(BureauRefused) as caught:
        client.answer_challenge(first.challenge_id, "0000")
    assert caught.value.fault == "CHALLENGE_WRONG"
    second = asked(client)
    assert second.challenge_id != first.challenge_id
    with pytest.raises(BureauRefused):
        client.answer_challenge(first.challenge_id, "7k3m")
    client.answer_challenge(second.challenge_id, "7k3m")


def test_an_answer_that_was_taken_is_taken_again(running: Running, client: GatewayClient) -> None:
    ordered(running)
    challenge = asked(client)
    for _ in range(2):
        client.answer_challenge(challenge.challenge_id, "7k3m")
    client.put_report(sealed_report())
    assert accepted(running, Op.REPORT_PUT) == 1


def test_the_answer_whose_reply_is_lost_is_given_once_and_the_next_call_shows_whether_it_was_taken(
    running: Running, client: GatewayClient
) -> None:
    ordered(running)
    challenge = asked(client)
    running.bureau.faults.order(Fault(op=Op.CHALLENGE_ANSWER, act=Act.DROP, point=Point.AFTER))
    with pytest.raises(AnswerLost):
        client.answer_challenge(challenge.challenge_id, "7k3m")
    client.put_report(sealed_report())


def test_digits_are_drawn_where_no_picture_is_given(running: Running, client: GatewayClient) -> None:
    running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.CHALLENGE, answer="4711"))
    challenge = asked(client)
    assert challenge.image_type == "image/png"
    assert challenge.image.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", challenge.image[16:24]) == (100, 36)
    client.answer_challenge(challenge.challenge_id, "4711")


def test_other_answers_are_not_drawn(running: Running, client: GatewayClient) -> None:
    running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.CHALLENGE, answer="7k3m"))
    assert (asked(client).image, asked(client).image_type) == (b"", "")


def test_a_challenge_without_its_answer_is_no_order(running: Running) -> None:
    with pytest.raises(ValueError, match="answer"):
        running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.CHALLENGE))
