"""Golden disk and ukey: groups of several types, dates, sealing by reading, and tickets without a clock's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taxagent.device import refusals
from taxagent.device.refusals import Refused
from taxagent.model.device import DeviceKind, WriteKind
from taxagent.model.period import Period
from taxagent.model.period_state import PeriodState, due_periods, overdue, period_state
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.scenario import Blanks, Generated
from taxagent.simulator.sealing import Summary, unsealed
from taxagent.simulator.state import read_log
from tests.builders.scenario import (
    NOON,
    OCTOBER,
    StillClock,
    clear_ticket,
    clock_ticket,
    opened,
    seal_of,
    sent,
    type_007,
)

SEPTEMBER = Period("2026-09")
AUG_31, SEPT_1 = dt.date(2026, 8, 31), dt.date(2026, 9, 1)
SEPT_30, OCT_1, OCT_31, NOV_1 = (
    dt.date(2026, 9, 30),
    dt.date(2026, 10, 1),
    dt.date(2026, 10, 31),
    dt.date(2026, 11, 1),
)
NOV_16, DEC_15 = dt.date(2026, 11, 16), dt.date(2026, 12, 15)
SETTLES_MS = 1_500


def why(act: Callable[[], object]) -> Refused:
    with pytest.raises(Denied) as denied:
        act()
    return denied.value.why


def golden(folder: Path, *names: str, last: dt.date = OCT_1, base: StillClock | None = None) -> VirtualDevice:
    types = tuple(_type(name, last) for name in names or ("004", "007"))
    return opened(folder, base, kind=DeviceKind.GOLDEN_DISK, types=types)


def ukey(
    folder: Path, *, last: dt.date = SEPT_30, base: StillClock | None = None, **more: Any
) -> VirtualDevice:
    types = (_type("007", last), _type("026", last))
    fields: dict[str, Any] = {"kind": DeviceKind.UKEY, "types": types, "settles_ms": SETTLES_MS}
    return opened(folder, base, **(fields | more))


def _type(name: str, last: dt.date, **more: Any) -> Any:
    stock = (Blanks(code=f"37002{name}00"[:10].ljust(10, "0"), number_from="00000001", count=90),)
    return type_007(invoice_type=name, last_report=last, stock=stock, **more)


# --- golden disk ---


def test_a_golden_disk_names_its_groups_in_its_own_order(tmp_path: Path) -> None:
    device = golden(tmp_path, "007", "025", "004")
    assert [(row.invoice_type, row.group) for row in map(device.monitor, device.types())] == [
        ("007", "007+004"),
        ("025", "025"),
        ("004", "007+004"),
    ]


def test_a_golden_disk_shows_the_first_day_of_the_new_period(tmp_path: Path) -> None:
    device = golden(tmp_path)
    before = device.monitor("004")
    assert (before.last_report, before.report_from, before.report_to) == (OCT_1, OCT_1, OCT_31)
    written = device.seal(seal_of(group="004+007", expected=OCT_1), sent())
    assert (written.before, written.after) == (OCT_1, NOV_1)
    assert {device.monitor(name).last_report for name in ("004", "007")} == {NOV_1}
    assert device.monitor("007").report_from == NOV_1


def test_a_group_is_sealed_as_a_whole_and_its_summary_has_each_type(tmp_path: Path) -> None:
    device = golden(tmp_path, "004", "007", "026")
    device.seal(seal_of(group="004+007", expected=OCT_1), sent())
    assert device.monitor("026").last_report == OCT_1
    summary = unsealed(device.read_summary("004+007", OCTOBER), Summary)
    assert (summary.kind, summary.group) == (DeviceKind.GOLDEN_DISK, "004+007")
    assert [row.invoice_type for row in summary.statistics] == ["004", "007"]
    assert why(lambda: device.seal(seal_of(group="004", expected=OCT_1), sent(2))) is refusals.GROUP_UNKNOWN
    assert why(lambda: device.read_summary("007+004", OCTOBER)) is refusals.GROUP_UNKNOWN


def test_an_invoice_of_one_type_that_is_not_uploaded_holds_up_its_whole_group(tmp_path: Path) -> None:
    late = _type("007", OCT_1, generate=Generated(seed=1, months=("2026-10",), per_month=9, pending=2))
    device = opened(
        tmp_path, kind=DeviceKind.GOLDEN_DISK, types=(_type("004", OCT_1), late, _type("025", OCT_1))
    )
    assert (
        why(lambda: device.seal(seal_of(group="004+007", expected=OCT_1), sent())) is refusals.UPLOAD_PENDING
    )
    assert (device.monitor("004").pending_uploads, device.monitor("007").pending_uploads) == (0, 2)
    device.seal(seal_of(group="025", expected=OCT_1), sent(2))


def test_closed_months_are_sealed_oldest_first_and_one_ticket_clears_them_all(tmp_path: Path) -> None:
    device = golden(tmp_path, last=SEPT_1)
    ticket = clear_ticket(group="004+007")
    skip = seal_of("2026-10", group="004+007", expected=SEPT_1)
    assert why(lambda: device.seal(skip, sent())) is refusals.OUT_OF_ORDER
    device.seal(seal_of("2026-09", group="004+007", expected=SEPT_1), sent(2))
    assert why(lambda: device.apply_ticket(ticket, NOV_16, sent(3))) is refusals.NOT_REPORTED
    device.seal(seal_of("2026-10", group="004+007", expected=OCT_1), sent(4))
    device.apply_ticket(ticket, NOV_16, sent(5))
    assert {device.monitor(name).invoicing_deadline for name in ("004", "007")} == {DEC_15}


@pytest.mark.parametrize(
    ("month", "expected", "refusal"),
    [
        ("2026-09", SEPT_1, refusals.ALREADY_SEALED),
        ("2026-10", SEPT_30, refusals.CAS_FAILED),
        ("2026-11", OCT_1, refusals.OUT_OF_ORDER),
    ],
)
def test_a_golden_disk_judges_a_seal_by_its_own_dates(
    tmp_path: Path, month: str, expected: dt.date, refusal: Refused
) -> None:
    device = golden(tmp_path)
    assert why(lambda: device.seal(seal_of(month, group="004+007", expected=expected), sent())) is refusal


@pytest.mark.parametrize("make", [golden, ukey])
def test_only_a_control_disk_takes_a_clock_ticket(
    tmp_path: Path, make: Callable[[Path], VirtualDevice]
) -> None:
    device = make(tmp_path)
    assert why(lambda: device.apply_clock_ticket(clock_ticket(), sent())) is refusals.NOT_THIS_KIND
    (refused,) = device.last_writes()
    assert (refused.kind, refused.accepted) == (WriteKind.CLOCK_TICKET, False)


# --- ukey ---


def read(device: VirtualDevice, month: Period = OCTOBER, number: int = 1) -> bytes:
    return device.seal_by_reading("007+026", month, sent(number))


def test_all_types_of_a_ukey_are_one_group(tmp_path: Path) -> None:
    device = ukey(tmp_path)
    assert {row.group for row in map(device.monitor, device.types())} == {"007+026"}


def test_the_first_reading_of_a_closed_month_seals_it_for_all_types(tmp_path: Path) -> None:
    device = ukey(tmp_path, settles_ms=0)
    assert device.reading_seals("007+026", OCTOBER)
    summary = read(device)
    assert {device.monitor(name).last_report for name in device.types()} == {OCT_31}
    (record,) = device.last_writes()
    assert (record.kind, record.accepted, record.before, record.after) == (
        WriteKind.SEAL,
        True,
        SEPT_30,
        OCT_31,
    )
    assert record.payload_sha256 == sent().payload_sha256
    assert [row.invoice_type for row in unsealed(summary, Summary).statistics] == ["007", "026"]
    (line,) = read_log(device.kept.log_path)
    assert (line.group, line.write) == ("007+026", record)


def test_every_later_reading_gives_the_same_bytes_and_writes_nothing(tmp_path: Path) -> None:
    device = ukey(tmp_path)
    summary = read(device)
    assert not device.reading_seals("007+026", OCTOBER)
    assert device.read_summary("007+026", OCTOBER) == summary
    assert len(device.last_writes()) == 1


def test_a_month_that_was_never_sealed_here_and_is_past_is_no_seal(tmp_path: Path) -> None:
    device = ukey(tmp_path)
    assert not device.reading_seals("007+026", SEPTEMBER)
    assert why(lambda: device.read_summary("007+026", SEPTEMBER)) is refusals.NO_SUCH_DATA
    assert why(lambda: device.read_summary("007+026", OCTOBER)) is refusals.NO_SUCH_DATA
    assert device.last_writes() == ()


@pytest.mark.parametrize(
    ("now", "month", "refusal"),
    [
        (dt.datetime(2026, 10, 31, 23, 59), "2026-10", refusals.PERIOD_NOT_ENDED),
        (dt.datetime(2026, 11, 1, 0, 4, 59), "2026-10", refusals.TOO_EARLY),
        (NOON, "2026-11", refusals.OUT_OF_ORDER),
        (dt.datetime(2026, 12, 31, 12), "2026-10", refusals.OVERDUE),
    ],
)
def test_a_reading_that_would_break_a_rule_of_the_seal_is_refused_and_remembered(
    tmp_path: Path, now: dt.datetime, month: str, refusal: Refused
) -> None:
    device = ukey(tmp_path, base=StillClock(now))
    assert why(lambda: read(device, Period(month))) is refusal
    assert [(w.kind, w.accepted, w.after) for w in device.last_writes()] == [(WriteKind.SEAL, False, SEPT_30)]


def test_a_ukey_has_no_command_that_seals(tmp_path: Path) -> None:
    device = ukey(tmp_path)
    assert why(lambda: device.seal(seal_of(group="007+026"), sent())) is refusals.NOT_THIS_KIND


def test_a_seal_shows_only_after_a_while_of_the_devices_clock(tmp_path: Path) -> None:
    clock = StillClock()
    device = ukey(tmp_path, base=clock)
    read(device)
    assert device.monitor("007").last_report == SEPT_30
    assert device.monitor("007").report_from == OCT_1
    clock.now += dt.timedelta(milliseconds=SETTLES_MS - 1)
    assert ukey(tmp_path, base=clock).monitor("026").last_report == SEPT_30  # power was lost meanwhile
    clock.now += dt.timedelta(milliseconds=1)
    assert {device.monitor(name).last_report for name in device.types()} == {OCT_31}


def test_a_clock_that_is_put_back_does_not_stretch_the_while(tmp_path: Path) -> None:
    device = ukey(tmp_path)
    read(device)
    device.kept.set_clock(NOON - dt.timedelta(days=1))
    assert device.monitor("007").last_report == OCT_31


def test_until_it_shows_the_next_month_and_the_ticket_are_refused_as_busy(tmp_path: Path) -> None:
    clock = StillClock()
    device = ukey(tmp_path, last=AUG_31, base=clock)
    read(device, SEPTEMBER)
    assert why(lambda: read(device, OCTOBER, 2)) is refusals.SETTLING
    ticket = clear_ticket(group="007+026", period=SEPTEMBER)
    assert why(lambda: device.apply_ticket(ticket, NOV_16, sent(3))) is refusals.SETTLING
    clock.now += dt.timedelta(milliseconds=SETTLES_MS)
    read(device, OCTOBER, 4)
    clock.now += dt.timedelta(milliseconds=SETTLES_MS)
    device.apply_ticket(clear_ticket(group="007+026"), NOV_16, sent(5))
    assert {device.monitor(name).invoicing_deadline for name in device.types()} == {DEC_15}


def test_one_ticket_is_for_all_types_and_wants_all_of_them_reported(tmp_path: Path) -> None:
    device = ukey(tmp_path, settles_ms=0)
    assert (
        why(lambda: device.apply_ticket(clear_ticket(group="007"), NOV_16, sent())) is refusals.TICKET_FOREIGN
    )
    ticket = clear_ticket(group="007+026")
    assert why(lambda: device.apply_ticket(ticket, NOV_16, sent(2))) is refusals.NOT_REPORTED
    read(device, number=3)
    device.apply_ticket(ticket, NOV_16, sent(4))
    assert {device.monitor(name).invoicing_deadline for name in device.types()} == {DEC_15}


# --- what the agent makes of it ---


@pytest.mark.parametrize("make", [golden, ukey])
def test_the_agents_reading_of_the_dates_follows_the_device_through_a_month(
    tmp_path: Path, make: Callable[[Path], VirtualDevice]
) -> None:
    device = make(tmp_path)
    name = device.types()[0]
    group = device.monitor(name).group

    def state() -> PeriodState:
        return period_state(OCTOBER, device.clock(), device.monitor(name), device.quirks)

    assert due_periods(device.clock(), device.monitor(name), device.quirks) == (OCTOBER,)
    assert state() is PeriodState.REPORT_DUE
    if device.quirks.seal_by_reading:
        read(device)
        assert state() is PeriodState.REPORT_DUE  # it settles
        device.kept.set_clock(NOON + dt.timedelta(seconds=5))
    else:
        device.seal(seal_of(group=group, expected=OCT_1), sent())
    assert state() is PeriodState.CLEAR_DUE
    assert not overdue(device.clock(), device.monitor(name), device.quirks)
    device.apply_ticket(clear_ticket(group=group), NOV_16, sent(2))
    assert state() is PeriodState.SETTLED
    assert due_periods(device.clock(), device.monitor(name), device.quirks) == ()
