"""A simulated control disk seals, clears and refuses as one does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from taxagent.device import refusals
from taxagent.device.refusals import Refused
from taxagent.model.device import WriteKind
from taxagent.model.invoice import Invoice
from taxagent.model.period import Period
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.scenario import Blanks, ClockScenario, Generated
from taxagent.simulator.sealing import Summary, unsealed
from taxagent.simulator.state import read_log
from tests.builders.scenario import (
    CODE,
    DEVICE_NO,
    NOON,
    OCTOBER,
    PASSWORD,
    StillClock,
    clear_ticket,
    clock_ticket,
    opened,
    seal_of,
    sent,
    type_007,
    virtual_device,
)

SEPT_30, OCT_31 = dt.date(2026, 9, 30), dt.date(2026, 10, 31)
NOV_16, DEC_15 = dt.date(2026, 11, 16), dt.date(2026, 12, 15)


def why(act: Callable[[], object]) -> Refused:
    """Return why the device refuses `act`."""
    with pytest.raises(Denied) as denied:
        act()
    return denied.value.why


def standing(device: VirtualDevice, group: str = "007") -> tuple[dt.date, dt.date]:
    memory = device.memory.group(group)
    assert memory is not None
    return memory.last_report, memory.invoicing_deadline


# --- session and password ---


def test_only_hello_needs_no_password(tmp_path: Path) -> None:
    device = virtual_device(tmp_path)
    assert device.hello().device_no == DEVICE_NO
    assert why(device.info) is refusals.NOT_OPEN
    assert why(device.last_writes) is refusals.NOT_OPEN
    assert why(lambda: device.seal(seal_of(), sent())) is refusals.NOT_OPEN


def test_each_hello_begins_a_session_and_ends_the_one_before(tmp_path: Path) -> None:
    device = opened(tmp_path)
    first = device.session
    assert device.hello().session != first
    assert why(device.info) is refusals.NOT_OPEN


def test_a_wrong_password_costs_a_try_and_the_right_one_brings_them_back(tmp_path: Path) -> None:
    device = virtual_device(tmp_path, tries=3)
    device.hello()
    with pytest.raises(Denied) as denied:
        device.open("wrong")
    assert (denied.value.why, denied.value.code) == (refusals.PASSWORD_WRONG, "09d1c2")
    assert device.hello().tries_left == 2
    device.open(PASSWORD)
    assert device.hello().tries_left == 3


def test_a_device_without_tries_is_blocked_even_for_the_right_password(tmp_path: Path) -> None:
    device = virtual_device(tmp_path, tries=2)
    device.hello()
    assert why(lambda: device.open("wrong")) is refusals.PASSWORD_WRONG
    assert why(lambda: device.open("wrong")) is refusals.PASSWORD_BLOCKED
    assert why(lambda: device.open(PASSWORD)) is refusals.PASSWORD_BLOCKED


def test_a_spent_try_is_still_spent_after_a_restart(tmp_path: Path) -> None:
    device = virtual_device(tmp_path)
    device.hello()
    assert why(lambda: device.open("wrong")) is refusals.PASSWORD_WRONG
    assert virtual_device(tmp_path).hello().tries_left == 4


def test_an_empty_password_costs_no_try(tmp_path: Path) -> None:
    device = virtual_device(tmp_path)
    device.hello()
    assert why(lambda: device.open("")) is refusals.PASSWORD_FORM
    assert device.hello().tries_left == 5


def test_the_password_can_be_changed_with_the_old_one(tmp_path: Path) -> None:
    device = opened(tmp_path)
    assert why(lambda: device.change_password("wrong", "new", sent())) is refusals.PASSWORD_WRONG
    device.change_password(PASSWORD, "new", sent(2))
    device.hello()
    device.open("new")
    assert [(w.kind, w.accepted) for w in device.last_writes()] == [
        (WriteKind.CHANGE_PASSWORD, True),
        (WriteKind.CHANGE_PASSWORD, False),
    ]
    assert {w.payload_sha256 for w in device.last_writes()} == {"00" * 32}  # secrets are not hashed


def test_a_device_that_the_bureau_never_issued_tells_who_it_is_and_no_more(tmp_path: Path) -> None:
    device = opened(tmp_path, registered=False)
    assert device.info().registered is False
    assert why(lambda: device.monitor("007")) is refusals.UNREGISTERED
    assert why(lambda: device.seal(seal_of(), sent())) is refusals.UNREGISTERED


# --- reads ---


def test_monitor_data_shows_the_next_month_to_report(tmp_path: Path) -> None:
    seen = opened(tmp_path).monitor("007")
    assert (seen.group, seen.last_report, seen.invoicing_deadline) == ("007", SEPT_30, NOV_16)
    assert (seen.report_from, seen.report_to) == (dt.date(2026, 10, 1), OCT_31)
    assert (seen.pending_uploads, seen.capacity_left) == (0, 100_000 - 40)


def test_monitor_data_counts_what_is_offline(tmp_path: Path) -> None:
    kind = type_007(generate=Generated(seed=1, months=("2026-11",), per_month=30, pending=30))
    device = opened(tmp_path, types=(kind,))
    seen, offline = device.monitor("007"), device.offline("007")
    pending = device.invoices("007", dt.date(2026, 11, 1), dt.date(2026, 11, 3), start=0, limit=64)[0]
    assert 0 < seen.pending_uploads == len(pending) == offline.pending_uploads < 30
    assert seen.offline_amount_left == seen.offline_amount - sum(abs(i.amount) for i in pending)
    assert seen.offline_hours_left == 72 - (NOON - pending[0].issued_at) // dt.timedelta(hours=1)


def test_invoices_come_in_pages_that_together_are_all(tmp_path: Path) -> None:
    device = opened(tmp_path)
    whole, end = device.invoices("007", dt.date(2026, 9, 1), OCT_31, start=0, limit=64)
    assert (len(whole), end) == (40, None)
    pages = list[Invoice]()
    start: int | None = 0
    while start is not None:
        page, start = device.invoices("007", dt.date(2026, 9, 1), OCT_31, start=start, limit=16)
        pages += page
    assert tuple(pages) == whole


def test_an_invoice_is_found_by_its_number_or_not_at_all(tmp_path: Path) -> None:
    device = opened(tmp_path)
    assert device.find_invoice(CODE, "00000001") is not None
    assert device.find_invoice(CODE, "00000199") is None  # a blank


def test_a_type_that_is_not_on_the_device_is_refused(tmp_path: Path) -> None:
    device = opened(tmp_path)
    assert why(lambda: device.monitor("004")) is refusals.TYPE_UNKNOWN
    assert why(lambda: device.stock("004")) is refusals.TYPE_UNKNOWN
    assert why(lambda: device.read_summary("004", OCTOBER)) is refusals.GROUP_UNKNOWN


def test_the_clock_is_the_devices_own(tmp_path: Path) -> None:
    behind = opened(tmp_path, clock=ClockScenario(error_s=-3600))
    assert behind.clock() == NOON - dt.timedelta(hours=1)


def test_a_clock_with_a_start_runs_on_from_there_after_a_restart(tmp_path: Path) -> None:
    clock = StillClock()
    begun = dt.datetime(2026, 5, 1, 8)
    assert opened(tmp_path, clock, clock=ClockScenario(start=begun)).clock() == begun
    clock.now += dt.timedelta(days=2)
    assert opened(tmp_path, clock, clock=ClockScenario(start=begun)).clock() == begun + dt.timedelta(days=2)


def test_a_broken_or_full_device_says_so_in_its_self_test(tmp_path: Path) -> None:
    assert why(opened(tmp_path / "full", capacity=40).self_test) is refusals.MEMORY_FULL
    opened(tmp_path / "sound").self_test()
    assert why(opened(tmp_path / "broken", broken=True).self_test) is refusals.HARDWARE


# --- seal ---


def test_a_seal_moves_last_report_and_nothing_else(tmp_path: Path) -> None:
    device = opened(tmp_path)
    before = (device.stock("007"), device.statistics("007", dt.date(2026, 10, 1), OCT_31))
    written = device.seal(seal_of(), sent())
    assert (written.before, written.after, written.accepted) == (SEPT_30, OCT_31, True)
    assert standing(device) == (OCT_31, NOV_16)
    assert (device.stock("007"), device.statistics("007", dt.date(2026, 10, 1), OCT_31)) == before


def test_the_summary_of_a_sealed_month_can_be_read_again_and_again(tmp_path: Path) -> None:
    device = opened(tmp_path)
    assert why(lambda: device.read_summary("007", OCTOBER)) is refusals.NO_SUCH_DATA
    device.seal(seal_of(), sent())
    first = device.read_summary("007", OCTOBER)
    assert device.read_summary("007", OCTOBER) == first
    summary = unsealed(first, Summary)
    assert (summary.device_no, summary.group, summary.period) == (DEVICE_NO, "007", OCTOBER)
    assert summary.statistics == (device.statistics("007", dt.date(2026, 10, 1), OCT_31),)


def test_months_are_sealed_one_by_one_oldest_first(tmp_path: Path) -> None:
    device = opened(tmp_path, types=(type_007(last_report=dt.date(2026, 8, 31)),))
    skip = seal_of("2026-10", expected=dt.date(2026, 8, 31))
    assert why(lambda: device.seal(skip, sent())) is refusals.OUT_OF_ORDER
    device.seal(seal_of("2026-09"), sent(2))
    device.seal(seal_of("2026-10"), sent(3))
    assert standing(device)[0] == OCT_31


@pytest.mark.parametrize(
    ("now", "month", "expected", "refusal"),
    [
        (dt.datetime(2026, 10, 31, 23, 59), "2026-10", None, refusals.PERIOD_NOT_ENDED),
        (dt.datetime(2026, 11, 1, 0, 4, 59), "2026-10", None, refusals.TOO_EARLY),
        (NOON, "2026-09", dt.date(2026, 8, 31), refusals.ALREADY_SEALED),
        (NOON, "2026-10", dt.date(2026, 8, 31), refusals.CAS_FAILED),
        (dt.datetime(2026, 12, 31, 12), "2026-10", None, refusals.OVERDUE),
    ],
)
def test_a_seal_that_breaks_a_rule_changes_nothing(
    tmp_path: Path, now: dt.datetime, month: str, expected: dt.date | None, refusal: Refused
) -> None:
    device = opened(tmp_path, StillClock(now))
    assert why(lambda: device.seal(seal_of(month, expected=expected), sent())) is refusal
    assert standing(device) == (SEPT_30, NOV_16)


@pytest.mark.parametrize("now", [dt.datetime(2026, 11, 1, 0, 5), dt.datetime(2026, 12, 30, 12)])
def test_a_month_can_be_sealed_from_five_past_midnight_to_the_ninetieth_day(
    tmp_path: Path, now: dt.datetime
) -> None:
    device = opened(tmp_path, StillClock(now))
    device.seal(seal_of(), sent())
    assert standing(device)[0] == OCT_31


def test_a_month_is_not_sealed_over_invoices_that_are_not_uploaded(tmp_path: Path) -> None:
    some = Generated(seed=1, months=("2026-10",), per_month=9, pending=2)
    device = opened(tmp_path, types=(type_007(offline_hours=1000, generate=some),))
    assert why(lambda: device.seal(seal_of(), sent())) is refusals.UPLOAD_PENDING
    device.kept.upload_all()
    device.seal(seal_of(), sent(2))


def test_types_are_sealed_each_alone(tmp_path: Path) -> None:
    other = type_007(
        invoice_type="004", generate=None, stock=(Blanks(code="3700223130", number_from="00000001", count=9),)
    )
    device = opened(tmp_path, types=(type_007(), other))
    device.seal(seal_of(group="004"), sent())
    assert (standing(device, "004")[0], standing(device, "007")[0]) == (OCT_31, SEPT_30)
    assert why(lambda: device.seal(seal_of(group="005"), sent(2))) is refusals.GROUP_UNKNOWN


def test_the_last_twelve_summaries_are_kept(tmp_path: Path) -> None:
    clock = StillClock(dt.datetime(2025, 2, 2, 12))
    kind = type_007(last_report=dt.date(2024, 12, 31), invoicing_deadline=dt.date(2025, 2, 15))
    device = opened(tmp_path, clock, types=(kind,))
    months = [f"2025-{n:02d}" for n in range(1, 13)] + ["2026-01"]
    for number, month in enumerate(months, start=1):
        device.seal(seal_of(month), sent(number))
        clock.now += dt.timedelta(days=31)
    assert why(lambda: device.read_summary("007", Period(months[0]))) is refusals.NO_SUCH_DATA
    assert device.read_summary("007", Period(months[1]))


# --- clear ---


def ready_to_clear(folder: Path, now: dt.datetime = NOON) -> VirtualDevice:
    device = opened(folder, StillClock(now))
    device.seal(seal_of(), sent())
    return device


def test_a_clear_moves_the_deadline_to_the_tickets_and_nothing_else(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path)
    before = (device.stock("007"), device.statistics("007", dt.date(2026, 10, 1), OCT_31))
    device.apply_clock_ticket(clock_ticket(), sent(2))
    written = device.apply_ticket(clear_ticket(), NOV_16, sent(3))
    assert (written.before, written.after) == (NOV_16, DEC_15)
    assert standing(device) == (OCT_31, DEC_15)
    assert (device.stock("007"), device.statistics("007", dt.date(2026, 10, 1), OCT_31)) == before


def test_the_clock_ticket_comes_first_and_belongs_to_the_clear_ticket(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path)
    assert why(lambda: device.apply_ticket(clear_ticket(), NOV_16, sent(2))) is refusals.CLOCK_TICKET_MISSING
    device.apply_clock_ticket(clock_ticket(ticket_no="T0"), sent(3))
    assert why(lambda: device.apply_ticket(clear_ticket(), NOV_16, sent(4))) is refusals.CLOCK_TICKET_MISSING
    device.apply_clock_ticket(clock_ticket(serial=2), sent(5))
    device.apply_ticket(clear_ticket(serial=2), NOV_16, sent(6))
    assert standing(device)[1] == DEC_15


def test_a_clear_ticket_stays_let_in_when_another_groups_clock_ticket_comes_between(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path)
    device.apply_clock_ticket(clock_ticket(), sent(2))
    device.apply_clock_ticket(clock_ticket(ticket_no="T2", serial=2), sent(3))
    device.apply_ticket(clear_ticket(), NOV_16, sent(4))
    assert standing(device)[1] == DEC_15


def test_a_ticket_that_was_written_says_already_cleared(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path)
    device.apply_clock_ticket(clock_ticket(), sent(2))
    device.apply_ticket(clear_ticket(), NOV_16, sent(3))
    assert why(lambda: device.apply_ticket(clear_ticket(), NOV_16, sent(4))) is refusals.ALREADY_CLEARED
    assert why(lambda: device.apply_clock_ticket(clock_ticket(), sent(5))) is refusals.CLOCK_TICKET_ALREADY
    assert standing(device)[1] == DEC_15


@pytest.mark.parametrize(
    ("ticket", "expected", "refusal"),
    [
        (clear_ticket(device_no="661700000012"), NOV_16, refusals.TICKET_FOREIGN),
        (clear_ticket(group="004"), NOV_16, refusals.TICKET_FOREIGN),
        (clear_ticket()[:-1] + b"\0", NOV_16, refusals.TICKET_FORGED),
        (b"", NOV_16, refusals.TICKET_FORGED),
        (clear_ticket(), DEC_15, refusals.CAS_FAILED),
        (clear_ticket(serial=0), NOV_16, refusals.TICKET_STALE),
        (clear_ticket(period="2026-11"), NOV_16, refusals.NOT_REPORTED),
        (clear_ticket(deadline=NOV_16), NOV_16, refusals.ALREADY_CLEARED),
        (clear_ticket(deadline=dt.date(2026, 10, 15)), NOV_16, refusals.ALREADY_CLEARED),
    ],
)
def test_a_ticket_that_does_not_fit_changes_nothing(
    tmp_path: Path, ticket: bytes, expected: dt.date, refusal: Refused
) -> None:
    device = ready_to_clear(tmp_path)
    device.apply_clock_ticket(clock_ticket(), sent(2))
    assert why(lambda: device.apply_ticket(ticket, expected, sent(3))) is refusal
    assert standing(device) == (OCT_31, NOV_16)


def test_a_clear_waits_for_the_report(tmp_path: Path) -> None:
    device = opened(tmp_path)
    device.apply_clock_ticket(clock_ticket(), sent())
    assert why(lambda: device.apply_ticket(clear_ticket(), NOV_16, sent(2))) is refusals.NOT_REPORTED


def test_a_locked_device_can_still_be_sealed_and_cleared(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path, dt.datetime(2026, 11, 20, 12))
    device.apply_clock_ticket(clock_ticket(), sent(2))
    device.apply_ticket(clear_ticket(), NOV_16, sent(3))
    assert standing(device) == (OCT_31, DEC_15)


def test_a_ticket_fetched_before_midnight_is_good_after_it(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path, dt.datetime(2026, 12, 1, 0, 6))
    device.apply_clock_ticket(clock_ticket(clock=dt.datetime(2026, 11, 30, 23, 59)), sent(2))
    device.apply_ticket(clear_ticket(), NOV_16, sent(3))
    assert device.clock() == dt.datetime(2026, 12, 1, 0, 6)  # it was not put back into November


def test_a_clock_ticket_mends_a_clock_that_is_slow(tmp_path: Path) -> None:
    device = opened(tmp_path)
    device.apply_clock_ticket(clock_ticket(clock=NOON + dt.timedelta(minutes=7)), sent())
    assert device.clock() == NOON + dt.timedelta(minutes=7)


def test_a_clock_ticket_must_be_genuine_ours_and_new(tmp_path: Path) -> None:
    device = opened(tmp_path)
    device.apply_clock_ticket(clock_ticket(serial=5), sent())
    stale, foreign = clock_ticket(serial=5, ticket_no="T9"), clock_ticket(device_no="661700000012")
    assert why(lambda: device.apply_clock_ticket(stale, sent(2))) is refusals.TICKET_STALE
    assert why(lambda: device.apply_clock_ticket(foreign, sent(3))) is refusals.TICKET_FOREIGN
    assert why(lambda: device.apply_clock_ticket(clear_ticket(), sent(4))) is refusals.TICKET_FORGED


# --- what is remembered ---


def test_the_last_eight_writes_are_remembered_newest_first_refused_ones_too(tmp_path: Path) -> None:
    device = opened(tmp_path)
    device.seal(seal_of(), sent(1))
    for number in range(2, 11):
        with pytest.raises(Denied):
            device.seal(seal_of(), sent(number))
    writes = device.last_writes()
    assert [w.write_no for w in writes] == list(range(10, 2, -1))
    assert {w.accepted for w in writes} == {False}
    assert {(w.before, w.after) for w in writes} == {(OCT_31, OCT_31)}
    assert writes[0].payload_sha256 == sent(10).payload_sha256


def test_a_restarted_device_goes_on_where_it_stood(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path)
    summary = device.read_summary("007", OCTOBER)
    again = opened(tmp_path)
    assert (standing(again), again.read_summary("007", OCTOBER)) == (standing(device), summary)
    assert again.last_writes() == device.last_writes()


def test_the_log_has_every_write_with_its_refusal(tmp_path: Path) -> None:
    device = ready_to_clear(tmp_path)
    assert why(lambda: device.apply_ticket(clear_ticket(), NOV_16, sent(2))) is refusals.CLOCK_TICKET_MISSING
    lines = read_log(device.kept.log_path)
    assert [(x.write.kind, x.group, x.write.accepted, x.code) for x in lines] == [
        (WriteKind.SEAL, "007", True, ""),
        (WriteKind.APPLY_TICKET, "007", False, "09f105"),
    ]
    assert lines[0].write == device.last_writes()[1]
    assert lines[0].device_clock == NOON
