"""The simulated bureau issues tickets in the order of the field: report, declare, clear."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Op
from taxagent.model.bureau import DeclarationState, FilingRow
from taxagent.model.device import DeviceKind
from taxagent.model.period import Period
from taxagent.model.value import from_json
from taxagent.simulator.bureau_register import BureauScenario, Registration
from taxagent.simulator.sealing import ClearTicket, ClockTicket, unsealed
from tests.builders.bench import SEPTEMBER, Bench, granted, refusal
from tests.builders.bureau import DEVICE, OCTOBER, TAXPAYER, sealed_report


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


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


@pytest.mark.parametrize("kind", [DeviceKind.GOLDEN_DISK, DeviceKind.UKEY])
def test_the_other_kinds_get_none_as_their_summary_tells_the_kind(bench: Bench, kind: DeviceKind) -> None:
    bench.report(sealed_report(kind=kind))
    bench.file()
    assert granted(bench.ticket()).clock_ticket is None
    bench.restart()
    again = granted(bench.ticket(supersedes=granted(bench.ticket()).ticket_no))
    assert again.clock_ticket is None


def test_a_summary_of_another_kind_than_was_issued_is_not_taken(tmp_path: Path) -> None:
    device = Registration(device_no=DEVICE, taxpayer_id=TAXPAYER, kind=DeviceKind.UKEY)
    bench = Bench(tmp_path, BureauScenario(devices=(device,)))
    assert refusal(bench.report(sealed_report(kind=DeviceKind.GOLDEN_DISK))).code == "SEAL_INVALID"
    assert bench.report(sealed_report(kind=DeviceKind.UKEY)).status == 200


def test_a_ticket_is_for_a_group_as_the_device_reported_it(bench: Bench) -> None:
    bench.group = "007+026"
    bench.report(sealed_report(group="007+026", kind=DeviceKind.UKEY))
    bench.file()
    bench.group = "007"
    assert refusal(bench.ticket()).missing == (m.Missing(period="2026-10", group="007"),)
    bench.group = "007+026"
    assert unsealed(granted(bench.ticket()).clear_ticket, ClearTicket).group == "007+026"


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
