"""The way to the gateway: each step says its time, and the first that fails says why."""

from __future__ import annotations

import datetime as dt
import email.utils
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from taxagent.bureau.messages import STATUS_PATH
from taxagent.host.probes import network
from taxagent.host.probes.network import Gateway
from taxagent.model import checks
from taxagent.model.simtime import local_time
from taxagent.simulator.authority import Papers
from tests.builders.bureau import BureauClock, real_ms, running_bureau
from tests.builders.probes import answering, cases


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """The papers of a bureau that ran once."""
    with running_bureau(tmp_path_factory.mktemp("papers"), BureauClock(real_ms=real_ms())) as running:
        return running.paths


def gateway(url: str, papers: Papers, **changes: str) -> Gateway:
    plain = Gateway(
        url=url,
        status_path=STATUS_PATH,
        ca=papers.ca,
        certificate=papers.client_certificate,
        key=papers.client_key,
    )
    return msgspec.structs.replace(plain, **changes)


def walked(url: str, papers: Papers, **changes: str) -> list[str]:
    return cases(network.path(gateway(url, papers, **changes), BureauClock(real_ms=real_ms())))


def test_a_gateway_that_answers_is_four_good_steps(tmp_path: Path) -> None:
    with running_bureau(tmp_path, BureauClock(real_ms=real_ms())) as running:
        assert walked(running.url, running.paths) == ["DNS_OK", "TCP_OK", "TLS_OK", "HTTP_OK", "CLOCK_AGREES"]


def test_a_name_that_nobody_knows_ends_at_the_first_step(papers: Papers) -> None:
    def unknown(host: str, port: int) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    found = list(network.path(gateway("https://nowhere.invalid/", papers), BureauClock(), unknown))
    assert cases(found) == ["DNS_FAILED"]
    assert found[0].facts["what"] == "Name or service not known"


def test_a_port_where_nobody_listens_ends_at_the_second_step(papers: Papers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    assert walked(f"https://127.0.0.1:{port}", papers) == ["DNS_OK", "TCP_FAILED"]


def test_a_gateway_of_another_authority_is_not_trusted(papers: Papers, tmp_path: Path) -> None:
    with running_bureau(tmp_path, BureauClock(real_ms=real_ms())) as running:
        assert walked(running.url, running.paths, ca=papers.ca)[2:] == ["TLS_GATEWAY_UNKNOWN"]


def test_a_gateway_that_refuses_our_certificate_says_so(papers: Papers, tmp_path: Path) -> None:
    with running_bureau(tmp_path, BureauClock(real_ms=real_ms())) as running:
        strange = {"certificate": papers.client_certificate, "key": papers.client_key}
        assert walked(running.url, running.paths, **strange)[-1] == "TLS_REFUSED"


def test_what_does_not_speak_tls_ends_at_the_third_step(papers: Papers) -> None:
    with answering(b"", None) as port:
        assert walked(f"https://127.0.0.1:{port}", papers) == ["DNS_OK", "TCP_OK", "TLS_FAILED"]


@pytest.mark.parametrize(
    ("missing", "case"), [("ca", "TLS_NO_CA"), ("certificate", "TLS_NO_PAPERS"), ("key", "TLS_NO_PAPERS")]
)
def test_papers_that_are_missing_end_at_the_third_step_and_say_which_and_what_to_do(
    papers: Papers, missing: str, case: str
) -> None:
    with answering(b"", None) as port:
        where = gateway(f"https://127.0.0.1:{port}", papers, **{missing: "/nowhere"})
        line = list(network.path(where, BureauClock(real_ms=real_ms())))[-1]
    words = checks.text(line, "en")
    assert (line.code, "/nowhere" in words.fact, "gateway's operator" in words.remedy) == (case, True, True)


@pytest.mark.parametrize(
    "answer, case",
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "HTTP_AUTH"),
        (b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", "HTTP_NOT_NOW"),
        (b"HTTP/1.1 404 What\r\nContent-Length: 0\r\n\r\n", "HTTP_WRONG"),
        (b"SSH-2.0-OpenSSH\r\n", "HTTP_FAILED"),
        (b"", "HTTP_FAILED"),
    ],
)
def test_the_last_step_says_what_the_gateway_said(papers: Papers, answer: bytes, case: str) -> None:
    with answering(answer, papers) as port:
        assert walked(f"https://127.0.0.1:{port}/bridge", papers) == ["DNS_OK", "TCP_OK", "TLS_OK", case]


@pytest.mark.parametrize(
    "ahead_s, found", [(0, ["CLOCK_AGREES"]), (3600, ["CLOCK_SKEW"]), (-3600, ["CLOCK_SKEW"])]
)
def test_a_clock_far_from_the_gateways_is_told(papers: Papers, ahead_s: int, found: list[str]) -> None:
    there = local_time(real_ms() - ahead_s * 1000).astimezone(dt.UTC)
    date = email.utils.format_datetime(there, usegmt=True).encode()
    with answering(b"HTTP/1.1 200 OK\r\nDate: " + date + b"\r\nContent-Length: 0\r\n\r\n", papers) as port:
        assert walked(f"https://127.0.0.1:{port}", papers)[4:] == found
