"""How often a call tries by itself: only what is repeatable, not long, and never past the agent's end."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.bureau.retrying import FIRST_WAIT_S, GIVE_UP_S
from taxagent.model.errors import AgentError, AnswerLost, BureauDown, BureauRefused
from tests.builders.bureau import DEVICE, OCTOBER, BureauClock, Pauses, client_answered_by, sealed_report


class Script:
    """A network that answers from a list; the last line repeats for ever."""

    def __init__(self, *lines: httpx.Response | type[httpx.TransportError]) -> None:
        self.lines = lines
        self.keys: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        line = self.lines[min(len(self.keys), len(self.lines) - 1)]
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        if isinstance(line, httpx.Response):
            return httpx.Response(line.status_code, content=line.content, headers=line.headers)
        raise line("as the test wants", request=request)


def no(status: int, code: str, **more: object) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "text": "", **more})


def absent() -> httpx.Response:
    return no(404, "ABSENT")


def write(client: GatewayClient) -> None:
    client.put_report(sealed_report())


def read(client: GatewayClient) -> None:
    client.get_report(DEVICE, "007", OCTOBER)


def run(
    script: Script, call: Callable[[GatewayClient], None], *, stops_at: int | None = None
) -> tuple[list[float], AgentError | None]:
    clock = BureauClock()
    pauses = Pauses(clock, stops_at=stops_at)
    with client_answered_by(script, clock, pauses) as client:
        try:
            call(client)
        except AgentError as error:
            return pauses.taken, error
    return pauses.taken, None


def answer(client: GatewayClient) -> None:
    client.answer_challenge("C1", "w7x9")


def test_a_persons_answer_is_given_once_though_its_reply_is_lost() -> None:
    script = Script(httpx.ReadError)
    pauses, error = run(script, answer)
    assert isinstance(error, AnswerLost)
    assert (len(script.keys), pauses) == (1, [])


def test_a_persons_answer_that_certainly_was_not_given_is_given_then() -> None:
    taken = httpx.Response(200, json={"challenge_id": "C1", "accepted_ms": 1})
    script = Script(httpx.ConnectError, no(503, "BUSY"), taken)
    _, error = run(script, answer)
    assert error is None
    assert len(script.keys) == 3


def test_a_passing_failure_is_not_even_noticed() -> None:
    script = Script(httpx.ConnectError, httpx.ReadTimeout, absent())
    taken, error = run(script, read)
    assert error is None
    assert len(taken) == 2


def test_tries_grow_apart_and_end_within_the_limit() -> None:
    script = Script(httpx.ConnectError)
    taken, error = run(script, read)
    assert isinstance(error, BureauDown)
    assert taken[0] < taken[1] < taken[2]
    assert sum(taken) <= GIVE_UP_S
    assert 4 <= len(script.keys) <= 12


def test_all_tries_of_a_write_carry_the_same_key() -> None:
    script = Script(httpx.ReadError)
    _, error = run(script, write)
    assert isinstance(error, AnswerLost)
    assert len(script.keys) > 1
    assert len(set(script.keys)) == 1
    assert script.keys[0]


@pytest.mark.parametrize(
    "answer",
    [
        no(409, "NOT_DECLARED"),
        no(422, "SEAL_INVALID"),
        no(401, "AUTH"),
        no(503, "MAINTENANCE", retry_after_s=1),
        no(503, "CHALLENGE", retry_after_s=1),
        httpx.Response(200, text="garbled"),
        httpx.Response(404, text="garbled"),
    ],
)
def test_what_is_not_on_the_list_is_tried_once(answer: httpx.Response) -> None:
    script = Script(answer)
    taken, _ = run(script, write)
    assert taken == []
    assert len(script.keys) == 1


def test_retry_after_is_kept_to() -> None:
    script = Script(no(429, "TOO_SOON", retry_after_s=7.5), absent())
    taken, error = run(script, read)
    assert error is None
    assert taken == [7.5]


def test_a_long_retry_after_is_the_jobs_to_wait() -> None:
    script = Script(no(503, "BUSY", retry_after_s=600))
    taken, error = run(script, read)
    assert taken == []
    assert isinstance(error, BureauDown)
    assert error.retry_after_s == 600


def test_the_end_of_the_agent_ends_the_tries() -> None:
    script = Script(httpx.ConnectError)
    taken, error = run(script, read, stops_at=1)
    assert len(taken) == 1
    assert isinstance(error, BureauDown)
    assert len(script.keys) == 1


def test_a_lost_answer_is_not_forgotten_when_the_next_try_cannot_connect() -> None:
    _, error = run(Script(httpx.ReadError, httpx.ConnectError), write)
    assert isinstance(error, AnswerLost)


def test_a_lost_answer_is_not_forgotten_when_maintenance_begins() -> None:
    _, error = run(Script(httpx.ReadError, no(503, "MAINTENANCE")), write)
    assert isinstance(error, AnswerLost)


def test_a_refusal_under_the_same_key_settles_a_lost_answer() -> None:
    _, error = run(Script(httpx.ReadError, no(409, "NOT_DECLARED")), write)
    assert isinstance(error, BureauRefused)


def test_jitter_spreads_the_tries() -> None:
    waits = set()
    for jitter in (0.0, 0.5, 0.999):
        clock = BureauClock()
        pauses = Pauses(clock)
        with client_answered_by(Script(httpx.ConnectError, absent()), clock, pauses, jitter=jitter) as client:
            read(client)
        waits.update(pauses.taken)
    assert len(waits) == 3
    assert all(FIRST_WAIT_S / 2 <= wait <= FIRST_WAIT_S for wait in waits)
