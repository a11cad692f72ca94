"""The remote control of the simulated bureau."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.bureau.messages import Op, ReportBody, idempotency_key
from taxagent.model.bureau import DeclarationState
from taxagent.model.errors import AnswerLost
from taxagent.model.value import to_json
from taxagent.simulator.bureau_control import Control, FileReturn, Log, OrderFault, Release, Show
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
    sealed_report,
)


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
