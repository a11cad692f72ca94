"""Main and sub machines at the simulated bureau: nothing is cleared or filed before all have reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Op, idempotency_key
from taxagent.model.bureau import DeclarationState
from taxagent.model.period import Period
from taxagent.model.value import from_json, to_json
from taxagent.simulator.bureau_register import BureauScenario, Registration
from taxagent.simulator.bureau_requests import Request
from tests.builders.bench import OTHER_TAXPAYER, SEPTEMBER, Bench, refusal
from tests.builders.bureau import DEVICE, OCTOBER, TAXPAYER, sealed_report

SUB = "661234567892"
MAIN_AND_SUB = BureauScenario(
    devices=(
        Registration(device_no=DEVICE, taxpayer_id=TAXPAYER),
        Registration(device_no=SUB, taxpayer_id=TAXPAYER, terminal_no=2),
    )
)
NAMED = m.MachineMessage(device_no=SUB, terminal_no=2)


def reported(bench: Bench, device_no: str, month: Period = OCTOBER, group: str = "007") -> None:
    """Send the report of a machine of the taxpayer; every machine but DEVICE is number 2."""
    report = sealed_report(device_no=device_no, month=month, group=group)
    body = m.ReportBody(
        taxpayer_id=TAXPAYER,
        summary=report.summary,
        device_kind="control_disk",
        terminal_no=0 if device_no == DEVICE else 2,
    )
    reply = bench.bureau.reply(
        Request(
            op=Op.REPORT_PUT,
            device_no=device_no,
            group=group,
            period=month,
            key=idempotency_key(Op.REPORT_PUT, device_no, group, month, report.summary),
            body=to_json(body),
        )
    )
    assert reply.status == 200, reply.body


def test_the_ticket_of_the_main_machine_waits_for_the_sub_machine_and_names_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, MAIN_AND_SUB)
    reported(bench, DEVICE)
    no = refusal(bench.ticket())
    assert no.code == "MACHINE_NOT_REPORTED"
    assert no.missing == (m.Missing(period="2026-10", device_no=SUB, terminal_no=2),)
    assert "2号开票机（661234567892）" in no.text


def test_no_return_is_taken_before_every_machine_has_reported(tmp_path: Path) -> None:
    bench = Bench(tmp_path, MAIN_AND_SUB)
    reported(bench, DEVICE)
    with pytest.raises(ValueError, match=SUB):
        bench.file()
    assert bench.declaration().unreported == (NAMED,)
    reported(bench, SUB)
    bench.file()
    assert bench.declaration().state == "accepted"
    assert bench.declaration().unreported == ()
    assert bench.ticket().status == 200


def test_a_return_that_does_not_match_can_be_told_at_any_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, MAIN_AND_SUB)
    bench.file(state=DeclarationState.MISMATCH)
    assert bench.declaration().state == "mismatch"


def test_a_machine_is_known_from_its_first_report_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    reported(bench, SUB, SEPTEMBER)
    reported(bench, DEVICE)
    assert bench.declaration().unreported == (
        m.MachineMessage(device_no=SUB, terminal_no=2, device_kind="control_disk"),
    )
    bench.restart()
    assert refusal(bench.ticket()).code == "MACHINE_NOT_REPORTED"


def test_a_machine_owes_each_group_that_it_has_reported(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    reported(bench, DEVICE)
    for group in ("004", "007"):
        reported(bench, SUB, SEPTEMBER, group)
    reported(bench, SUB, OCTOBER, "007")
    assert [one.device_no for one in bench.declaration().unreported] == [SUB]
    reported(bench, SUB, OCTOBER, "004")
    assert bench.declaration().unreported == ()


def test_a_machine_owes_nothing_before_its_first_month(tmp_path: Path) -> None:
    new = Registration(device_no=SUB, taxpayer_id=TAXPAYER, terminal_no=2, first_period=Period("2026-11"))
    bench = Bench(tmp_path, BureauScenario(devices=(MAIN_AND_SUB.devices[0], new)))
    reported(bench, DEVICE)
    bench.file()
    assert bench.ticket().status == 200


def test_the_machines_of_another_taxpayer_do_not_count(tmp_path: Path) -> None:
    other = Registration(device_no=SUB, taxpayer_id=OTHER_TAXPAYER, terminal_no=2)
    bench = Bench(tmp_path, BureauScenario(devices=(MAIN_AND_SUB.devices[0], other)))
    reported(bench, DEVICE)
    bench.file()
    assert bench.ticket().status == 200


def test_a_single_machine_may_file_before_it_reports(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BureauScenario(devices=MAIN_AND_SUB.devices[:1]))
    bench.file()
    assert bench.declaration().state == "accepted"


def test_a_report_under_its_key_may_come_again_with_more_fields_than_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.report()
    report = sealed_report()
    body = m.ReportBody(taxpayer_id=TAXPAYER, summary=report.summary, device_kind="ukey", terminal_no=1)
    again = bench.put(Op.REPORT_PUT, body, report.summary)
    assert from_json(again.body, m.ReceiptAnswer) == from_json(first.body, m.ReceiptAnswer)
