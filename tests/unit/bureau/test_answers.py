"""What each answer of the gateway, and each failure, tells the job (docs/bureau-gateway.md, "Errors")."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable

import httpx
import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.bureau.messages import BODY_LIMIT
from taxagent.model.bureau import DeclarationState
from taxagent.model.errors import AgentError, AnswerLost, BureauDown, BureauRefused, ChallengeAsked
from taxagent.model.job import Outcome
from tests.builders.bureau import (
    DEVICE,
    OCTOBER,
    TAXPAYER,
    BureauClock,
    Pauses,
    client_answered_by,
    sealed_report,
)

Answer = Callable[[httpx.Request], httpx.Response]


def read(client: GatewayClient) -> None:
    client.get_report(DEVICE, "007", OCTOBER)


def write(client: GatewayClient) -> None:
    client.put_report(sealed_report())


def says(status: int, code: str, **more: object) -> Answer:
    return lambda _request: httpx.Response(status, json={"code": code, "text": "税务机关答复", **more})


def page(status: int) -> Answer:
    return lambda _request: httpx.Response(status, html="<html>proxy</html>")


def breaks(error: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("as the test wants", request=request)

    return answer


def outcome_of(answer: Answer, call: Callable[[GatewayClient], None]) -> AgentError:
    clock = BureauClock()
    with client_answered_by(answer, clock, Pauses(clock)) as client, pytest.raises(AgentError) as caught:
        call(client)
    return caught.value


@pytest.mark.parametrize(
    "status, code, fault",
    [
        (409, "NOT_REPORTED", "NOT_REPORTED"),
        (409, "NOT_DECLARED", "NOT_DECLARED"),
        (409, "DECLARATION_MISMATCH", "DECLARATION_MISMATCH"),
        (409, "PERIOD_NOT_ENDED", "PERIOD_NOT_ENDED"),
        (403, "DEVICE_UNKNOWN", "DEVICE_UNREGISTERED"),
        (426, "AGENT_TOO_OLD", "BUREAU_VERSION"),
        (403, "AUTH", "BUREAU_AUTH"),
        (401, "WHATEVER", "BUREAU_AUTH"),
        (403, "TAXPAYER_MISMATCH", "BUREAU_REFUSED"),
        (422, "SEAL_INVALID", "BUREAU_REFUSED"),
        (409, "A_CODE_OF_NEXT_YEAR", "BUREAU_REFUSED"),
    ],
)
@pytest.mark.parametrize("call", [read, write])
def test_a_4xx_is_a_refusal_in_the_bureaus_words(
    status: int, code: str, fault: str, call: Callable[[GatewayClient], None]
) -> None:
    error = outcome_of(says(status, code), call)
    assert isinstance(error, BureauRefused)
    assert error.fault == fault
    assert error.detail["bureau_code"] == code
    assert error.detail["bureau_text"] == "税务机关答复"
    assert error.outcome is Outcome.NOT_EXECUTED


def test_a_refusal_names_what_is_missing() -> None:
    missing = [{"period": "2026-09", "group": "004+007"}, {"period": "2026-10", "group": "004+007"}]
    error = outcome_of(says(409, "NOT_REPORTED", missing=missing), write)
    assert error.detail["period"] == "2026-09,2026-10"
    assert error.detail["groups"] == "004+007"
    assert error.detail["types"] == "004,007"


@pytest.mark.parametrize(
    "status, code, fault",
    [
        (503, "MAINTENANCE", "BUREAU_MAINTENANCE"),
        (503, "CHALLENGE", "CHALLENGE"),
        (503, "BUSY", "BUREAU_BUSY"),
        (429, "TOO_SOON", "BUREAU_BUSY"),
        (503, "A_CODE_OF_NEXT_YEAR", "BUREAU_BUSY"),
    ],
)
@pytest.mark.parametrize("call", [read, write])
def test_not_now_is_certainly_not_executed_and_says_when_to_come_back(
    status: int, code: str, fault: str, call: Callable[[GatewayClient], None]
) -> None:
    error = outcome_of(says(status, code, retry_after_s=90), call)
    assert isinstance(error, BureauDown)
    assert (error.fault, error.retry_after_s) == (fault, 90.0)
    assert error.detail["retry_after_s"] == "90"


def test_a_verification_code_is_asked_with_all_that_a_person_has_to_see() -> None:
    challenge = {
        "challenge_id": "C1",
        "text": "请输入图片中的验证码",
        "image": "iVBORw0KGgo=",
        "image_type": "image/png",
    }
    error = outcome_of(says(503, "CHALLENGE", challenge=challenge), write)
    assert isinstance(error, ChallengeAsked)
    assert (error.challenge_id, error.question) == ("C1", "请输入图片中的验证码")
    assert (error.image, error.image_type) == (b"\x89PNG\r\n\x1a\n", "image/png")
    assert error.problem().fault == "CHALLENGE"
    assert error.problem().outcome is Outcome.NOT_EXECUTED
    assert error.problem().detail == {"challenge_id": "C1", "bureau_text": "请输入图片中的验证码"}


def answered(client: GatewayClient) -> None:
    client.answer_challenge("C1", "7k3m")


def test_an_answer_to_a_verification_code_that_is_not_taken_is_a_refusal() -> None:
    error = outcome_of(says(422, "CHALLENGE_WRONG"), answered)
    assert isinstance(error, BureauRefused)
    assert error.fault == "CHALLENGE_WRONG"


def test_an_answer_to_a_verification_code_may_have_been_taken_where_ours_was_lost() -> None:
    assert isinstance(outcome_of(breaks(httpx.ReadError), answered), AnswerLost)


def test_too_many_requests_is_not_executed_whoever_says_it() -> None:
    error = outcome_of(lambda _: httpx.Response(429, headers={"Retry-After": "30"}), write)
    assert isinstance(error, BureauDown)
    assert (error.fault, error.retry_after_s) == ("BUREAU_BUSY", 30.0)


def test_retry_after_may_be_a_date() -> None:
    clock = BureauClock(real_ms=1_795_561_200_000)  # Tue, 24 Nov 2026 23:00:00 GMT
    header = {"Retry-After": "Tue, 24 Nov 2026 23:01:00 GMT"}
    client = client_answered_by(lambda _: httpx.Response(429, headers=header), clock, Pauses(clock))
    with client as bureau, pytest.raises(BureauDown) as caught:
        bureau.status()
    assert caught.value.retry_after_s == pytest.approx(60.0)


@pytest.mark.parametrize(
    "header, seconds",
    [
        ("9" * 400, 3600.0),
        ("7200", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Tue, 24 Nov 2026 23:01:00 +" + "9" * 40, None),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_time_to_stay_away_is_at_most_an_hour_and_garbage_is_none(
    header: str, seconds: float | None
) -> None:
    error = outcome_of(lambda _: httpx.Response(429, headers={"Retry-After": header}), read)
    assert isinstance(error, BureauDown)
    assert (error.fault, error.retry_after_s) == ("BUREAU_BUSY", seconds)


def test_the_bodys_time_to_stay_away_is_bounded_too() -> None:
    error = outcome_of(says(503, "BUSY", retry_after_s=1e300), write)
    assert isinstance(error, BureauDown)
    assert error.retry_after_s == 3600.0


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
@pytest.mark.parametrize("call", [read, write])
def test_what_was_not_sent_was_not_executed(
    error: type[httpx.TransportError], call: Callable[[GatewayClient], None]
) -> None:
    failure = outcome_of(breaks(error), call)
    assert isinstance(failure, BureauDown)
    assert failure.fault == "BUREAU_DOWN"
    assert "bureau.test" in failure.detail["what"]


LOST = [
    breaks(httpx.ReadTimeout),
    breaks(httpx.ReadError),
    breaks(httpx.WriteError),
    breaks(httpx.WriteTimeout),
    breaks(httpx.RemoteProtocolError),
    page(500),
    page(502),
    page(503),  # some box on the way, perhaps after the gateway had it
    says(500, "INTERNAL"),
]


@pytest.mark.parametrize("answer", LOST)
def test_a_write_without_answer_may_have_been_executed(answer: Answer) -> None:
    error = outcome_of(answer, write)
    assert isinstance(error, AnswerLost)
    assert error.fault == "ANSWER_LOST"
    assert error.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("answer", LOST)
def test_a_read_without_answer_changed_nothing(answer: Answer) -> None:
    error = outcome_of(answer, read)
    assert isinstance(error, BureauDown)
    assert error.fault == "BUREAU_DOWN"


def receipt(**more: object) -> dict[str, object]:
    return {
        "receipt_no": "R1",
        "device_no": DEVICE,
        "group": "007",
        "period": "2026-10",
        "summary_sha256": "0" * 64,
        "received_ms": 1,
        **more,
    }


GARBLED: list[Answer] = [
    page(200),
    page(302),
    lambda _: httpx.Response(200, json={"receipt_no": "R1"}),
    lambda _: httpx.Response(200, json=receipt(device_no="661234567891")),
    lambda _: httpx.Response(200, json=receipt(group="004")),
    lambda _: httpx.Response(200, json=receipt(period="2026-09")),
    lambda _: httpx.Response(200, json=receipt(period="October")),
    lambda _: httpx.Response(200, content=b" " * (BODY_LIMIT + 1)),
]


@pytest.mark.parametrize("answer", GARBLED)
def test_an_unusable_answer_to_a_read_makes_the_job_wait(answer: Answer) -> None:
    error = outcome_of(answer, read)
    assert isinstance(error, BureauDown)
    assert error.fault == "BUREAU_GARBLED"


@pytest.mark.parametrize("answer", GARBLED)
def test_an_unusable_answer_to_a_write_leaves_open_what_was_done(answer: Answer) -> None:
    error = outcome_of(answer, write)
    assert isinstance(error, AnswerLost)
    assert error.fault == "BUREAU_GARBLED"


def test_a_receipt_for_another_summary_is_no_receipt() -> None:
    error = outcome_of(lambda _: httpx.Response(200, json=receipt()), write)
    assert isinstance(error, AnswerLost)
    assert error.fault == "BUREAU_GARBLED"


@pytest.mark.parametrize("call", [read, write])
def test_a_wrong_address_is_garbled_and_not_executed(call: Callable[[GatewayClient], None]) -> None:
    error = outcome_of(page(404), call)
    assert isinstance(error, BureauDown)
    assert error.fault == "BUREAU_GARBLED"


@pytest.mark.parametrize(
    "alert, fault",
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "BUREAU_AUTH"),
        ("TLSV1_ALERT_UNKNOWN_CA", "BUREAU_AUTH"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "BUREAU_AUTH"),
        ("SSLV3_ALERT_BAD_RECORD_MAC", "ANSWER_LOST"),
    ],
)
def test_a_tls_alert_at_the_first_read_tells_who_refused_whom(alert: str, fault: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        tls = ssl.SSLError(1, alert)
        tls.reason = alert
        raise httpx.ReadError(alert, request=request) from tls

    assert outcome_of(answer, write).fault == fault


def test_absent_is_an_answer() -> None:
    clock = BureauClock()
    with client_answered_by(says(404, "ABSENT"), clock, Pauses(clock)) as client:
        assert client.get_report(DEVICE, "007", OCTOBER) is None
        assert client.get_ticket(DEVICE, "007", OCTOBER) is None


def test_unknown_fields_are_ignored_and_an_unknown_state_makes_the_job_wait() -> None:
    state = "accepted"

    def answer(_request: httpx.Request) -> httpx.Response:
        facts = {"taxpayer_id": TAXPAYER, "period": "2026-10", "state": state, "text": "ok", "later": [1]}
        return httpx.Response(200, json=facts)

    clock = BureauClock()
    with client_answered_by(answer, clock, Pauses(clock)) as client:
        assert client.get_declaration(TAXPAYER, OCTOBER).state is DeclarationState.ACCEPTED
        state = "under_review"
        with pytest.raises(BureauDown) as caught:
            client.get_declaration(TAXPAYER, OCTOBER)
    assert caught.value.fault == "BUREAU_GARBLED"


def test_a_declaration_of_another_taxpayer_is_garbled() -> None:
    facts = {"taxpayer_id": "91110108MA01ABCD1E", "period": "2026-10", "state": "accepted", "text": "ok"}
    clock = BureauClock()
    client = client_answered_by(lambda _: httpx.Response(200, json=facts), clock, Pauses(clock))
    with client as bureau, pytest.raises(BureauDown) as caught:
        bureau.get_declaration(TAXPAYER, OCTOBER)
    assert caught.value.fault == "BUREAU_GARBLED"


def test_a_write_goes_out_with_its_key_and_below_the_prefix_of_the_url() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return says(409, "NOT_DECLARED")(request)

    outcome_of(answer, write)
    assert [r.method for r in seen] == ["PUT"]
    assert seen[0].url.raw_path == f"/gateway/v1/reports/{DEVICE}/007/2026-10".encode()
    assert len(seen[0].headers["Idempotency-Key"]) == 64
    assert seen[0].headers["User-Agent"].startswith("taxagent/")
    assert json.loads(seen[0].content)["taxpayer_id"] == TAXPAYER


class TwoAtOnce(httpx.BaseTransport):
    """In the first call another one is refused for its certificate; notes what is closed when."""

    def __init__(self) -> None:
        self.other: Callable[[], None] | None = None
        self.closed = 0
        self.closed_in_use = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        other, self.other = self.other, None
        if other is None:
            tls = ssl.SSLError(1, "alert")
            tls.reason = "TLSV1_ALERT_UNKNOWN_CA"
            raise httpx.ReadError("alert", request=request) from tls
        other()
        self.closed_in_use = self.closed
        return says(404, "ABSENT")(request)

    def close(self) -> None:
        self.closed += 1


def test_a_refused_certificate_closes_nothing_that_another_call_uses() -> None:
    wire = TwoAtOnce()
    clock = BureauClock()
    client = client_answered_by(lambda _: httpx.Response(500), clock, Pauses(clock), transport=wire)
    with client as bureau:

        def refused() -> None:
            with pytest.raises(BureauRefused, match="BUREAU_AUTH"):
                bureau.status()

        wire.other = refused
        assert bureau.get_report(DEVICE, "007", OCTOBER) is None
        assert (wire.closed_in_use, wire.closed) == (0, 1)


def test_a_call_begins_anew_after_the_connections_were_closed() -> None:
    clock = BureauClock()
    with client_answered_by(says(404, "ABSENT"), clock, Pauses(clock)) as bureau:
        assert bureau.get_report(DEVICE, "007", OCTOBER) is None
        bureau.close()
        assert bureau.get_report(DEVICE, "007", OCTOBER) is None


def test_a_row_of_the_bureaus_calendar_that_cannot_be_meant_is_left_out() -> None:
    rows = [
        {"month": "2026-11", "deadline": "2027-01-20"},
        {"month": "2026-11", "deadline": "2026-10-31"},
        {"month": "2026-12", "deadline": "2026-12-20"},
        {"month": "2027-01", "deadline": "2027-02-01"},
    ]
    facts = {"clock_ms": 1, "filing_calendar": rows}
    clock = BureauClock()
    with client_answered_by(lambda _: httpx.Response(200, json=facts), clock, Pauses(clock)) as bureau:
        kept = [(row.month, row.deadline.isoformat()) for row in bureau.status().filing_calendar]
    assert kept == [("2026-12", "2026-12-20"), ("2027-01", "2027-02-01")]
