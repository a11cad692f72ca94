"""The client and the simulated gateway over real HTTPS with mutual TLS, on good days and bad ones."""

from __future__ import annotations

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.bureau.messages import BODY_LIMIT, Op
from taxagent.model.bureau import DeclarationState
from taxagent.model.errors import AnswerLost, BureauDown, BureauRefused
from taxagent.simulator.bureau_faults import Act, Fault, Point
from taxagent.simulator.bureau_server import Running
from tests.builders.bureau import (
    DEVICE,
    OCTOBER,
    TAXPAYER,
    BureauClock,
    Pauses,
    accepted,
    client_of,
    running_bureau,
    sealed_report,
    settings_of,
)


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
