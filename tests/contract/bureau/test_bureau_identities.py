"""Both ends of the gateway show a certificate, and neither bears with a stranger."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import httpx
import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.model.errors import BureauDown, BureauRefused
from taxagent.simulator.authority import Papers, papers_in
from taxagent.simulator.bureau_server import Running
from tests.builders.bureau import (
    BureauClock,
    Pauses,
    real_ms,
    sealed_report,
    settings_of,
)


def test_a_client_of_another_authority_is_refused_at_once(
    running: Running, clock: BureauClock, pauses: Pauses, tmp_path: Path
) -> None:
    stranger = papers_in(tmp_path / "stranger", real_ms())
    client = GatewayClient(settings_of(running.url, running.paths, identity=stranger), clock, pause=pauses)
    with pytest.raises(BureauRefused) as caught:
        client.put_report(sealed_report())
    assert caught.value.fault == "BUREAU_AUTH"
    assert pauses.taken == []
    assert running.bureau.calls() == ()


def test_a_gateway_of_another_authority_is_refused_at_once(
    running: Running, clock: BureauClock, pauses: Pauses, tmp_path: Path
) -> None:
    stranger = papers_in(tmp_path / "stranger", real_ms())
    client = GatewayClient(settings_of(running.url, stranger), clock, pause=pauses)
    with pytest.raises(BureauRefused) as caught:
        client.put_report(sealed_report())
    assert caught.value.fault == "BUREAU_AUTH"
    assert "CERTIFICATE_VERIFY_FAILED" in caught.value.detail["what"]
    assert pauses.taken == []


def test_a_gateway_under_another_name_is_refused(
    running: Running, clock: BureauClock, pauses: Pauses
) -> None:
    url = running.url.replace("127.0.0.1", "127.0.0.2")
    client = GatewayClient(settings_of(url, running.paths), clock, pause=pauses)
    with pytest.raises((BureauRefused, BureauDown)) as caught:  # it listens on 127.0.0.1 alone
        client.status()
    assert caught.value.fault in ("BUREAU_AUTH", "BUREAU_DOWN")


def test_without_a_certificate_nothing_is_answered(running: Running) -> None:
    context = ssl.create_default_context(cafile=running.paths.ca)
    with httpx.Client(verify=context, trust_env=False) as anybody, pytest.raises(httpx.TransportError):
        anybody.get(running.url + "/v1/status")
    assert running.bureau.calls() == ()


def test_a_missing_certificate_file_is_named(running: Running, clock: BureauClock, tmp_path: Path) -> None:
    Path(running.paths.client_key).unlink()
    client = GatewayClient(settings_of(running.url, running.paths), clock)
    with pytest.raises(BureauRefused) as caught:
        client.status()
    assert caught.value.fault == "BUREAU_AUTH"
    assert running.paths.client_key in caught.value.detail["what"]


def test_a_renewed_certificate_is_taken_without_a_restart(
    running: Running, clock: BureauClock, pauses: Pauses, tmp_path: Path
) -> None:
    stranger = papers_in(tmp_path / "stranger", real_ms())
    settings = settings_of(running.url, running.paths, identity=stranger)
    client = GatewayClient(settings, clock, pause=pauses)
    with pytest.raises(BureauRefused):
        client.status()
    for wrong, right in (
        (stranger.client_certificate, running.paths.client_certificate),
        (stranger.client_key, running.paths.client_key),
    ):
        Path(wrong).write_bytes(Path(right).read_bytes())
    assert client.status().notices == ()
    client.close()


def test_keys_are_readable_by_their_owner_alone(papers: Papers) -> None:
    for path in (papers.client_key, papers.server_key):
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


def test_certificates_are_made_once(papers: Papers) -> None:
    before = Path(papers.ca).read_bytes()
    assert papers_in(Path(papers.ca).parent, real_ms()) == papers
    assert Path(papers.ca).read_bytes() == before


def test_a_plain_url_is_no_gateway(running: Running, clock: BureauClock) -> None:
    with pytest.raises(ValueError, match="https"):
        GatewayClient(settings_of(running.url.replace("https", "http"), running.paths), clock)
