"""A bureau that wants a verification code: a person's answer through taxctl lets the month be settled.

Afterwards the answer is in no file of the agent: not in its journal, its log, its records or its back-ups.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from taxagent.simulator.site import Site
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import RemoteError
from tests.builders.site import (
    PERIOD,
    TAXPAYER,
    answers,
    client,
    ended,
    prepared,
    site,
    submitted,
    until,
    waits,
)

KEY, ANSWERED = "answered-by-a-person-1", "the-key-of-an-answer-1"
RIGHT, WRONG = "Qz83kV", "Jm52xY"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(1000)


def demand(shop: Site, op: str) -> None:
    """The bureau wants a code at this call and at all that follow."""
    order: dict[str, object] = {
        "do": "fault",
        "op": op,
        "act": "challenge",
        "answer": RIGHT,
        "text": "验证码？",
    }
    with shop.bureau_orders() as orders:
        orders.order({**order, "image": base64.b64encode(PICTURE).decode(), "image_type": "image/png"})


def answered(shop: Site, job_id: str, text: str) -> tuple[int, str]:
    command = [
        sys.executable,
        "-m",
        "taxclient.cli.main",
        "--endpoint",
        shop.endpoint,
        "--lang",
        "zh",
        "--json",
    ]
    ran = subprocess.run(
        [*command, "job", "answer", job_id, text], capture_output=True, check=False, timeout=60
    )
    return ran.returncode, json.loads(ran.stdout)["job"]["state"]


def question(one: Client, job_id: str) -> m.ChallengeView:
    """What the job waits with."""
    wait = waits(one, job_id, "challenge").wait
    assert wait is not None
    assert wait.challenge is not None
    return wait.challenge


def asked(one: Client, job_id: str) -> str:
    """The id of the question, which has its picture."""
    found = question(one, job_id)
    assert (found.question, found.image) == ("验证码？", PICTURE)
    return found.challenge_id


def files(folder: Path) -> bytes:
    """All that stands in any file below."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("op", ["status", "report.put", "ticket.put"])
def test_a_person_answers_and_the_month_is_settled(op: str) -> None:
    with site() as shop:
        shop.file_return(TAXPAYER, PERIOD)
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            demand(shop, op)
            job_id = submitted(one, token, KEY).job_id
            first = asked(one, job_id)
            assert answered(shop, job_id, WRONG) == (30, "waiting")
            until(lambda: asked(one, job_id) != first, "another question is asked")
            wait = one.job(job_id).wait
            assert wait is not None
            assert (wait.code, wait.detail["bureau_text"]) == ("CHALLENGE_WRONG", "验证码不正确")
            assert answered(shop, job_id, RIGHT) == (0, "done")
            assert ended(one, job_id).outcome == "executed"
        assert agent.stop() == 0
        kept = files(shop.folder)
        assert b"challenge.answered" in kept
        assert RIGHT.encode() not in kept
        assert WRONG.encode() not in kept


def test_the_question_outlives_a_killed_agent() -> None:
    with site() as shop:
        shop.file_return(TAXPAYER, PERIOD)
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            demand(shop, "report.put")
            job_id = submitted(one, token, KEY).job_id
            asked(one, job_id)
            agent.kill()
            shop.start_agent()
            until(lambda: answers(one), "the next start answers")
            until(lambda: question(one, job_id).image == PICTURE, "it is asked again, with its picture")
            assert answered(shop, job_id, RIGHT) == (0, "done")


def test_the_key_of_an_answer_is_known_after_a_killed_agent() -> None:
    with site() as shop:
        shop.file_return(TAXPAYER, PERIOD)
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            demand(shop, "report.put")
            job_id = submitted(one, token, KEY).job_id
            first = asked(one, job_id)
            one.answer(job_id, first, WRONG, key=ANSWERED)
            until(lambda: asked(one, job_id) != first, "another question is asked")
            agent.kill()
            shop.start_agent()
            until(lambda: answers(one), "the next start answers")
            until(lambda: question(one, job_id).image == PICTURE, "it is asked again, with its picture")
            again = one.answer(job_id, first, WRONG, key=ANSWERED)
            assert (again.job_id, again.state) == (job_id, "waiting")
            with pytest.raises(RemoteError, match="KEY_CONFLICT"):
                one.answer(job_id, asked(one, job_id), RIGHT, key=ANSWERED)
            with pytest.raises(RemoteError, match="KEY_CONFLICT"):
                one.answer(job_id, first, RIGHT, key=KEY)
            with pytest.raises(RemoteError, match="KEY_CONFLICT"):
                submitted(one, token, ANSWERED)
            assert answered(shop, job_id, RIGHT) == (0, "done")
            assert one.answer(job_id, first, WRONG, key=ANSWERED).state == "done"
            assert [row.type for row in one.events_since(0).events].count("challenge.answered") == 2
