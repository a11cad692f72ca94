"""The simulated bureau keeps the rules of order: report, declare, clear."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Op, idempotency_key
from taxagent.model.bureau import DeclarationState, FilingRow, Report
from taxagent.model.errors import AgentError
from taxagent.model.period import Period
from taxagent.model.value import Value, from_json, to_json
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_register import BureauScenario, Registration
from taxagent.simulator.bureau_requests import Reply, Request
from taxagent.simulator.bureau_state import BureauStore, Result
from taxagent.simulator.sealing import ClearTicket, ClockTicket, unsealed
from tests.builders.bureau import DEVICE, OCTOBER, TAXPAYER, BureauClock, sealed_report

SEPTEMBER = Period("2026-09")
OTHER_TAXPAYER = "91110108MA01ABCD1E"


class Bench:
    """A bureau without a network."""

    def __init__(self, directory: Path, scenario: BureauScenario | None = None, *, at: str = "") -> None:
        self.directory = directory
        self.scenario = scenario or BureauScenario()
        self.clock = BureauClock(at) if at else BureauClock()
        self.restart()

    def restart(self) -> None:
        self.bureau = VirtualBureau(BureauStore(self.directory), self.scenario, self.clock)

    def put(self, op: Op, body: Value, payload: bytes, month: Period = OCTOBER, *, key: str = "") -> Reply:
        return self.bureau.reply(
            Request(
                op=op,
                device_no=DEVICE,
                group="007",
                period=month,
                key=key or idempotency_key(op, DEVICE, "007", month, payload),
                body=to_json(body),
            )
        )

    def report(self, report: Report | None = None, *, month: Period = OCTOBER, key: str = "") -> Reply:
        report = report or sealed_report(month=month)
        body = m.ReportBody(taxpayer_id=report.taxpayer_id, summary=report.summary)
        return self.put(Op.REPORT_PUT, body, report.summary, month, key=key)

    def ticket(self, *, month: Period = OCTOBER, supersedes: str = "") -> Reply:
        return self.put(Op.TICKET_PUT, m.TicketBody(supersedes=supersedes), supersedes.encode(), month)

    def confirm(self, ticket_no: str) -> Reply:
        return self.put(Op.CONFIRM, m.ConfirmBody(ticket_no=ticket_no), ticket_no.encode())

    def get(self, op: Op, month: Period = OCTOBER) -> Reply:
        return self.bureau.reply(Request(op=op, device_no=DEVICE, group="007", period=month))

    def declaration(self, month: Period = OCTOBER) -> m.DeclarationAnswer:
        reply = self.bureau.reply(Request(op=Op.DECLARATION_GET, taxpayer_id=TAXPAYER, period=month))
        return from_json(reply.body, m.DeclarationAnswer)

    def file(self, month: Period = OCTOBER, state: DeclarationState = DeclarationState.ACCEPTED) -> None:
        self.bureau.file_return(TAXPAYER, month, state)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def refusal(reply: Reply) -> m.ErrorAnswer:
    assert reply.status != 200
    return from_json(reply.body, m.ErrorAnswer)


def granted(reply: Reply) -> m.TicketAnswer:
    assert reply.status == 200, reply.body
    return from_json(reply.body, m.TicketAnswer)


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


def test_no_ticket_before_the_report(bench: Bench) -> None:
    bench.file()
    no = refusal(bench.ticket())
    assert no.code == "NOT_REPORTED"
    assert no.missing == (m.Missing(period="2026-10", group="007"),)


def test_no_ticket_before_the_return_is_accepted(bench: Bench) -> None:
    bench.report()
    assert refusal(bench.ticket()).code == "NOT_DECLARED"
    bench.file(state=DeclarationState.MISMATCH)
    assert refusal(bench.ticket()).code == "DECLARATION_MISMATCH"
    bench.file()
    assert bench.ticket().status == 200


def test_a_return_can_be_taken_back(bench: Bench) -> None:
    bench.file()
    bench.file(state=DeclarationState.MISSING)
    assert bench.declaration().state == "missing"


@pytest.mark.parametrize(
    "month, state", [("2026-07", "not_due"), ("2026-08", "not_due"), ("2026-09", "missing")]
)
def test_who_files_each_quarter_owes_a_return_for_its_last_month(
    tmp_path: Path, month: str, state: str
) -> None:
    bench = Bench(tmp_path, BureauScenario(quarterly=(TAXPAYER,)))
    assert bench.declaration(Period(month)).state == state


def test_a_quarterly_filer_is_cleared_in_the_other_months(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BureauScenario(quarterly=(TAXPAYER,)))
    bench.report()
    assert granted(bench.ticket()).deadline == dt.date(2026, 12, 15)


def test_the_ticket_moves_the_deadline_to_the_filing_deadline_of_the_month_after_next(bench: Bench) -> None:
    bench.report()
    bench.file()
    ticket = granted(bench.ticket())
    assert ticket.deadline == dt.date(2026, 12, 15)
    clear = unsealed(ticket.clear_ticket, ClearTicket)
    assert (clear.device_no, clear.group, clear.period) == (DEVICE, "007", OCTOBER)
    assert (clear.ticket_no, clear.deadline, clear.serial) == (ticket.ticket_no, ticket.deadline, 1)


def test_a_control_disk_gets_a_clock_ticket_with_the_same_number(bench: Bench) -> None:
    bench.report()
    bench.file()
    ticket = granted(bench.ticket())
    assert ticket.clock_ticket is not None
    clock = unsealed(ticket.clock_ticket, ClockTicket)
    assert (clock.ticket_no, clock.clock) == (ticket.ticket_no, dt.datetime(2026, 11, 3, 9, 30))


def test_the_calendar_moves_the_deadline(tmp_path: Path) -> None:
    row = FilingRow(month=Period("2026-12"), deadline=dt.date(2026, 12, 21))
    bench = Bench(tmp_path, BureauScenario(calendar=(row,)))
    bench.report()
    bench.file()
    assert granted(bench.ticket()).deadline == dt.date(2026, 12, 21)


def test_a_fresh_ticket_supersedes_with_a_higher_serial(bench: Bench) -> None:
    bench.report()
    bench.file()
    first = granted(bench.ticket())
    second = granted(bench.ticket(supersedes=first.ticket_no))
    assert unsealed(second.clear_ticket, ClearTicket).serial == 2
    assert granted(bench.ticket(supersedes=first.ticket_no)) == second
    assert granted(bench.get(Op.TICKET_GET)) == second


def test_a_ticket_that_was_never_issued_is_not_superseded_or_confirmed(bench: Bench) -> None:
    bench.report()
    bench.file()
    assert refusal(bench.ticket(supersedes="T0")).code == "TICKET_UNKNOWN"
    assert refusal(bench.confirm("T0")).code == "TICKET_UNKNOWN"


def test_one_ticket_settles_all_months_and_wants_each_reported_and_declared(tmp_path: Path) -> None:
    device = Registration(device_no=DEVICE, taxpayer_id=TAXPAYER, first_period=SEPTEMBER)
    bench = Bench(tmp_path, BureauScenario(devices=(device,)))
    bench.report()
    assert refusal(bench.ticket()).missing == (m.Missing(period="2026-09", group="007"),)
    bench.report(month=SEPTEMBER)
    bench.file()
    assert refusal(bench.ticket()).missing == (m.Missing(period="2026-09"),)
    bench.file(SEPTEMBER)
    assert granted(bench.ticket()).period == "2026-10"
    assert refusal(bench.ticket(month=SEPTEMBER)).code == "ALREADY_CLEARED"


def test_a_month_after_a_ticketed_one_stands_alone(bench: Bench) -> None:
    bench.report(month=SEPTEMBER)
    bench.file(SEPTEMBER)
    bench.ticket(month=SEPTEMBER)
    bench.report()
    bench.file()
    assert bench.ticket().status == 200


def test_a_confirmation_is_remembered_once(bench: Bench) -> None:
    bench.report()
    bench.file()
    ticket_no = granted(bench.ticket()).ticket_no
    first = bench.confirm(ticket_no)
    bench.clock.advance(60)
    assert bench.confirm(ticket_no) == first
    (issued,) = bench.bureau.memory.tickets[f"{DEVICE}/007/2026-10"]
    assert issued.confirmed_ms == from_json(first.body, m.ConfirmAnswer).confirmed_ms


def test_questions_about_one_device_keep_a_least_interval(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BureauScenario(least_interval_ms=10_000))
    assert bench.get(Op.REPORT_GET).status == 404
    no = refusal(bench.get(Op.REPORT_GET))
    assert (no.code, no.retry_after_s) == ("TOO_SOON", 10.0)
    bench.clock.advance(10)
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
