"""The simulated bureau takes reports once, from whom it knows, and remembers what it answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Op, idempotency_key
from taxagent.model.bureau import Report
from taxagent.model.errors import AgentError
from taxagent.simulator.bureau_register import BureauScenario, Registration
from taxagent.simulator.bureau_state import Result
from tests.builders.bench import OTHER_TAXPAYER, SEPTEMBER, Bench, refusal
from tests.builders.bureau import DEVICE, OCTOBER, TAXPAYER, sealed_report


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_report_gets_a_receipt_and_a_repeat_the_same_one(bench: Bench) -> None:
    first = bench.report()
    assert first.status == 200
    assert bench.report() == first
    assert bench.report(key="f" * 64).body == first.body  # another key, the same summary
    assert bench.get(Op.REPORT_GET).body == first.body


def test_what_was_answered_survives_a_restart(bench: Bench) -> None:
    receipt = bench.report()
    bench.file()
    ticket = bench.ticket()
    bench.restart()
    assert bench.report() == receipt
    assert bench.ticket() == ticket
    assert bench.get(Op.TICKET_GET) == ticket
    assert bench.declaration().state == "accepted"


def test_a_key_with_another_payload_is_a_conflict(bench: Bench) -> None:
    key = idempotency_key(Op.REPORT_PUT, DEVICE, "007", OCTOBER, sealed_report().summary)
    bench.report()
    body = m.ReportBody(taxpayer_id=TAXPAYER, summary=b"other")
    assert refusal(bench.put(Op.REPORT_PUT, body, b"", key=key)).code == "KEY_CONFLICT"


def test_a_refusal_binds_no_key(bench: Bench) -> None:
    bench.report()
    assert refusal(bench.ticket()).code == "NOT_DECLARED"
    bench.file()
    assert bench.ticket().status == 200


def test_keys_are_forgotten_after_thirteen_months_but_the_report_is_not(bench: Bench) -> None:
    first = bench.report()
    bench.clock.advance(401 * 86_400)
    bench.put(Op.REPORT_PUT, m.ReportBody(taxpayer_id=TAXPAYER, summary=b""), b"")
    assert bench.report().body == first.body


@pytest.mark.parametrize(
    "report, code",
    [
        (sealed_report(device_no="661234567891"), "SEAL_INVALID"),
        (sealed_report(group="004"), "SEAL_INVALID"),
        (sealed_report(month=SEPTEMBER), "SEAL_INVALID"),
    ],
)
def test_a_summary_of_something_else_is_not_taken(bench: Bench, report: Report, code: str) -> None:
    assert refusal(bench.report(report)).code == code
    assert bench.get(Op.REPORT_GET).status == 404


def test_a_summary_with_a_changed_byte_is_not_taken(bench: Bench) -> None:
    summary = bytearray(sealed_report().summary)
    summary[20] ^= 1
    body = m.ReportBody(taxpayer_id=TAXPAYER, summary=bytes(summary))
    assert refusal(bench.put(Op.REPORT_PUT, body, bytes(summary))).code == "SEAL_INVALID"


def test_a_month_that_has_not_ended_is_not_taken(tmp_path: Path) -> None:
    bench = Bench(tmp_path, at="2026-10-31T23:59:00+08:00")
    assert refusal(bench.report()).code == "PERIOD_NOT_ENDED"
    bench.clock.advance(120)
    assert bench.report().status == 200


def test_a_device_of_an_unknown_taxpayer_is_unknown(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BureauScenario(taxpayers=(OTHER_TAXPAYER,)))
    assert refusal(bench.report()).code == "DEVICE_UNKNOWN"


def test_a_device_belongs_to_the_taxpayer_of_its_first_report(bench: Bench) -> None:
    bench.report(month=SEPTEMBER)
    other = sealed_report(taxpayer_id=OTHER_TAXPAYER)
    assert refusal(bench.report(other)).code == "TAXPAYER_MISMATCH"


def test_a_registered_device_belongs_to_its_taxpayer(tmp_path: Path) -> None:
    device = Registration(device_no=DEVICE, taxpayer_id=OTHER_TAXPAYER)
    bench = Bench(tmp_path, BureauScenario(devices=(device,)))
    assert refusal(bench.report()).code == "TAXPAYER_MISMATCH"


def test_a_body_that_is_none_is_a_bad_request(bench: Bench) -> None:
    assert refusal(bench.put(Op.REPORT_PUT, m.ConfirmBody(ticket_no="x"), b"")).code == "BAD_REQUEST"


def test_questions_about_one_device_keep_a_least_interval(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BureauScenario(least_interval_ms=10_000))
    assert bench.get(Op.REPORT_GET).status == 404
    no = refusal(bench.get(Op.REPORT_GET))
    assert (no.code, no.retry_after_s) == ("TOO_SOON", 10.0)
    bench.clock.advance(10)
    assert bench.get(Op.REPORT_GET).status == 404


def test_a_bureau_whose_clock_was_put_back_does_not_refuse_for_hours(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BureauScenario(least_interval_ms=10_000))
    bench.get(Op.REPORT_GET)
    bench.clock.advance(-3600)
    assert bench.get(Op.REPORT_GET).status == 404


def test_the_log_tells_what_was_carried_out_and_what_was_repeated(bench: Bench) -> None:
    bench.report()
    bench.report()
    bench.ticket()
    bench.get(Op.TICKET_GET)
    lines = [(call.op, call.result) for call in bench.bureau.calls()]
    assert lines == [
        ("report.put", Result.ACCEPTED),
        ("report.put", Result.REPEATED),
        ("ticket.put", Result.REFUSED),
        ("ticket.get", Result.ANSWERED),
    ]


def test_a_state_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "bureau.json").write_text('{"reports": 1}')
    with pytest.raises(AgentError) as caught:
        Bench(tmp_path)
    assert caught.value.fault == "SCENARIO_INVALID"
    assert "bureau.json" in caught.value.detail["file"]
