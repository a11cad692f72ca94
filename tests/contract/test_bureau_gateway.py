"""The client and the simulated gateway over real HTTPS with mutual TLS, on good days and bad ones."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.bureau.messages import BODY_LIMIT, Op, ReportBody, idempotency_key
from taxagent.model.bureau import DeclarationState
from taxagent.model.errors import AnswerLost, BureauDown, BureauRefused
from taxagent.model.value import to_json
from taxagent.simulator.authority import Papers, papers_in
from taxagent.simulator.bureau_control import Control, FileReturn, Log, OrderFault, Release, Show
from taxagent.simulator.bureau_faults import Act, Fault, Point
from taxagent.simulator.bureau_server import Running
from tests.builders.bureau import (
    DEVICE,
    OCTOBER,
    TAXPAYER,
    BureauClock,
    Pauses,
    client_of,
    running_bureau,
    sealed_report,
    settings_of,
)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Certificates are made once: they are the slow part."""
    return papers_in(tmp_path_factory.mktemp("papers"), real_ms())


@pytest.fixture
def clock() -> BureauClock:
    return BureauClock(real_ms=real_ms())


@pytest.fixture
def running(tmp_path: Path, papers: Papers, clock: BureauClock) -> Iterator[Running]:
    for path in Path(papers.ca).parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with running_bureau(tmp_path, clock) as bureau:
        yield bureau


@pytest.fixture
def pauses(clock: BureauClock) -> Pauses:
    return Pauses(clock)


@pytest.fixture
def client(running: Running, clock: BureauClock, pauses: Pauses) -> Iterator[GatewayClient]:
    with client_of(running, clock, pauses) as gateway:
        yield gateway


def real_ms() -> int:
    """TLS compares certificates with real time."""
    return time.time_ns() // 1_000_000


def accepted(running: Running, op: Op) -> int:
    return sum(call.op == op and call.result == "accepted" for call in running.bureau.calls())


def test_a_month_is_reported_declared_ticketed_and_confirmed(running: Running, client: GatewayClient) -> None:
    assert client.get_report(DEVICE, "007", OCTOBER) is None
    receipt = client.put_report(sealed_report())
    assert client.get_report(DEVICE, "007", OCTOBER) == receipt
    assert client.get_declaration(TAXPAYER, OCTOBER).state is DeclarationState.MISSING
    with pytest.raises(BureauRefused) as caught:
        client.put_ticket(DEVICE, "007", OCTOBER)
    assert caught.value.fault == "NOT_DECLARED"
    running.bureau.file_return(TAXPAYER, OCTOBER)
    assert client.get_declaration(TAXPAYER, OCTOBER).state is DeclarationState.ACCEPTED
    ticket = client.put_ticket(DEVICE, "007", OCTOBER)
    assert client.get_ticket(DEVICE, "007", OCTOBER) == ticket
    assert ticket.clear_ticket.startswith(b"TCT1")
    client.confirm(DEVICE, "007", OCTOBER, ticket.ticket_no)


def test_status_tells_the_bureaus_clock_and_calendar(client: GatewayClient, clock: BureauClock) -> None:
    status = client.status()
    assert status.clock_ms == clock.sim_ms()
    assert [row.month for row in status.filing_calendar][:3] == ["2026-10", "2026-11", "2026-12"]
    assert status.maintenance is None


def test_a_group_with_a_plus_finds_its_way(client: GatewayClient) -> None:
    receipt = client.put_report(sealed_report(group="004+007"))
    assert client.get_report(DEVICE, "004+007", OCTOBER) == receipt


def test_threads_share_one_client(client: GatewayClient, running: Running) -> None:
    numbers = [f"66123456{n:04d}" for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda no: client.put_report(sealed_report(device_no=no)), numbers))
    assert {receipt.device_no for receipt in receipts} == set(numbers)
    assert len({receipt.receipt_no for receipt in receipts}) == len(numbers)


# -- who may talk


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


# -- bad days


def test_nobody_listens(running: Running, clock: BureauClock, pauses: Pauses) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{free.getsockname()[1]}"
    client = GatewayClient(settings_of(url, running.paths), clock, pause=pauses, jitter=lambda: 0.0)
    with pytest.raises(BureauDown) as caught:
        client.put_report(sealed_report())
    assert caught.value.fault == "BUREAU_DOWN"
    assert len(pauses.taken) > 1


def test_the_answer_is_lost_after_acceptance_and_the_same_key_gives_the_receipt(
    running: Running, client: GatewayClient
) -> None:
    running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.DROP, point=Point.AFTER))
    receipt = client.put_report(sealed_report())
    assert receipt.receipt_no == "R00000001"
    assert accepted(running, Op.REPORT_PUT) == 1
    assert [c.result for c in running.bureau.calls()] == ["accepted", "repeated"]


def test_an_answer_that_stays_lost_is_unknown_and_reading_tells(running: Running, clock: BureauClock) -> None:
    running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.DROP, point=Point.AFTER))
    with client_of(running, clock, Pauses(clock, stops_at=1)) as client:
        with pytest.raises(AnswerLost):
            client.put_report(sealed_report())
        assert client.get_report(DEVICE, "007", OCTOBER) is not None


def test_dropped_before_acceptance_is_tried_again(running: Running, client: GatewayClient) -> None:
    running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.DROP))
    client.put_report(sealed_report())
    assert accepted(running, Op.REPORT_PUT) == 1


def test_a_busy_bureau_is_asked_again_after_the_time_it_names(
    running: Running, client: GatewayClient, pauses: Pauses
) -> None:
    running.bureau.faults.order(Fault(op=Op.STATUS, act=Act.BUSY, status=429, retry_after_s=3))
    client.status()
    assert pauses.taken == [3.0]


def test_maintenance_is_the_jobs_to_wait(running: Running, client: GatewayClient, pauses: Pauses) -> None:
    running.bureau.faults.order(Fault(op=Op.TICKET_PUT, act=Act.MAINTENANCE, retry_after_s=1800))
    with pytest.raises(BureauDown) as caught:
        client.put_ticket(DEVICE, "007", OCTOBER)
    assert (caught.value.fault, caught.value.retry_after_s) == ("BUREAU_MAINTENANCE", 1800.0)
    assert pauses.taken == []


def test_the_second_call_meets_a_fault_that_is_for_the_second(
    running: Running, client: GatewayClient
) -> None:
    fault = Fault(op=Op.REPORT_GET, act=Act.REFUSE, code="SEAL_INVALID", text="坏的", nth=2)
    running.bureau.faults.order(fault)
    assert client.get_report(DEVICE, "007", OCTOBER) is None
    with pytest.raises(BureauRefused) as caught:
        client.get_report(DEVICE, "007", OCTOBER)
    assert caught.value.detail["bureau_text"] == "坏的"
    assert client.get_report(DEVICE, "007", OCTOBER) is None


def test_a_login_page_instead_of_the_receipt(running: Running, client: GatewayClient) -> None:
    running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.GARBLE, point=Point.AFTER))
    with pytest.raises(AnswerLost) as caught:
        client.put_report(sealed_report())
    assert caught.value.fault == "BUREAU_GARBLED"


def test_the_bureau_comes_back_with_the_same_identity_and_memory(
    running: Running, clock: BureauClock, pauses: Pauses, tmp_path: Path
) -> None:
    with client_of(running, clock, pauses) as client:
        receipt = client.put_report(sealed_report())
    running.stop()
    with running_bureau(tmp_path, clock) as again, client_of(again, clock, pauses) as client:
        assert client.get_report(DEVICE, "007", OCTOBER) == receipt
        assert again.paths == running.paths


# -- the remote control


def test_a_held_call_waits_for_its_release(running: Running, client: GatewayClient) -> None:
    with Control(running.control_port) as control, ThreadPoolExecutor(1) as pool:
        fault = control.order(OrderFault(op=Op.REPORT_PUT, act=Act.HOLD, point=Point.AFTER))["fault"]
        call = pool.submit(client.put_report, sealed_report())
        control.wait_reached(fault)
        shown = control.order(Show())
        assert shown["held"] == [fault]
        assert len(shown["reports"]) == 1  # accepted and durable, not answered
        assert not call.done()
        assert control.order(Release(fault=fault))["released"] == 1
        assert call.result(timeout=10).receipt_no == "R00000001"


@pytest.mark.parametrize("point", list(Point))
def test_a_client_that_dies_while_its_write_is_held_finds_it_done(
    running: Running, client: GatewayClient, raw: http.client.HTTPSConnection, point: Point
) -> None:
    report = sealed_report()
    body = to_json(ReportBody(taxpayer_id=TAXPAYER, summary=report.summary))
    key = idempotency_key(Op.REPORT_PUT, DEVICE, "007", OCTOBER, report.summary)
    with Control(running.control_port) as control:
        fault = control.order(OrderFault(op=Op.REPORT_PUT, act=Act.HOLD, point=point))["fault"]
        raw.request("PUT", f"/v1/reports/{DEVICE}/007/2026-10", body, {"Idempotency-Key": key})
        control.wait_reached(fault)
        raw.close()
        control.order(Release())
    assert client.put_report(report).receipt_no == "R00000001"
    assert accepted(running, Op.REPORT_PUT) == 1


def test_a_stop_ends_what_is_held(running: Running, clock: BureauClock) -> None:
    reached = threading.Event()
    running.bureau.faults.on_reached = lambda _id, _fault: reached.set()
    running.bureau.faults.order(Fault(op=Op.REPORT_PUT, act=Act.HOLD))
    with client_of(running, clock, Pauses(clock, stops_at=1)) as client, ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.put_report, sealed_report())
        assert reached.wait(10)
        running.stop()
        with pytest.raises(AnswerLost):
            call.result(timeout=10)


def test_returns_are_filed_and_the_log_is_shown(running: Running, client: GatewayClient) -> None:
    client.status()
    with Control(running.control_port) as control:
        filed = control.order(FileReturn(taxpayer_id=TAXPAYER, period="2026-10"))
        assert (filed["state"], filed["text"]) == ("accepted", "申报成功")
        assert [call["op"] for call in control.order(Log())["calls"]] == ["status"]
    assert client.get_declaration(TAXPAYER, OCTOBER).state is DeclarationState.ACCEPTED


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b'{"do": "dance"}',
        b'{"do": "fault", "op": "status", "act": "maintenance", "point": "after"}',
        b'{"do": "file", "taxpayer_id": "X", "period": "October"}',
    ],
)
def test_a_wrong_order_is_answered_not_obeyed(running: Running, line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.control_port), timeout=10) as control:
        control.sendall(line + b"\n")
        lines = control.makefile("rb")
        assert json.loads(lines.readline())["event"] == "hello"
        answer = json.loads(lines.readline())
    assert answer["ok"] is False
    assert answer["error"]


# -- the server bears with strangers


@pytest.fixture
def raw(running: Running) -> Iterator[http.client.HTTPSConnection]:
    context = ssl.create_default_context(cafile=running.paths.ca)
    context.load_cert_chain(running.paths.client_certificate, running.paths.client_key)
    port = int(running.url.rpartition(":")[2])
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    "method, path, headers, status",
    [
        ("GET", "/", {}, 404),
        ("GET", "/v1/reports/12/007/2026-10", {}, 404),
        ("GET", "/v2/status", {}, 404),
        ("PUT", f"/v1/reports/{DEVICE}/007/2026-10", {}, 400),  # no key
        ("PUT", f"/v1/reports/{DEVICE}/007/2026-10", {"Content-Length": str(BODY_LIMIT + 1)}, 413),
        ("PUT", f"/v1/reports/{DEVICE}/007/2026-10", {"Transfer-Encoding": "chunked"}, 411),
        ("DELETE", "/v1/status", {}, 501),
    ],
)
def test_a_bad_request_gets_a_json_error(
    raw: http.client.HTTPSConnection, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    raw.putrequest(method, path)
    for name, value in headers.items():
        raw.putheader(name, value)
    raw.endheaders()
    response = raw.getresponse()
    answer = json.loads(response.read())
    assert response.status == status
    assert set(answer) >= {"code", "text"}


def test_a_slow_stranger_keeps_nobody_waiting(running: Running, client: GatewayClient) -> None:
    port = int(running.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10):  # says nothing
        assert client.status().notices == ()
