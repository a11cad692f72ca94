"""What a simulated device seals the simulated bureau takes, and what that issues the device takes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from taxagent.model.bureau import Report
from taxagent.model.device import DeviceKind
from taxagent.model.period import Period
from taxagent.simulator.bureau_server import Running
from taxagent.simulator.device import VirtualDevice
from tests.builders import scenario as device_of
from tests.builders.bureau import BureauClock, client_of


def test_a_device_is_settled_group_by_group(running: Running, clock: BureauClock, tmp_path: Path) -> None:
    types = (device_of.type_007(), device_of.type_007(invoice_type="004"))
    device = device_of.opened(tmp_path / "device", types=types)
    device.kept.upload_all()
    october = device_of.OCTOBER
    with client_of(running, clock) as bureau:
        running.bureau.file_return(device_of.TAXPAYER_ID, october)
        number = 0
        for group in ("004", "007"):
            device.seal(device_of.seal_of(group=group), device_of.sent(number := number + 1))
            summary = device.read_summary(group, october)
            bureau.put_report(_report(group, october, summary))
            ticket = bureau.put_ticket(device_of.DEVICE_NO, group, october)
            assert ticket.clock_ticket is not None
            device.apply_clock_ticket(ticket.clock_ticket, device_of.sent(number := number + 1))
            before = device.monitor(group).invoicing_deadline
            device.apply_ticket(ticket.clear_ticket, before, device_of.sent(number := number + 1))
            assert device.monitor(group).invoicing_deadline == ticket.deadline == dt.date(2026, 12, 15)


def test_a_golden_disk_is_settled_with_one_ticket_for_two_types_and_no_clock_ticket(
    running: Running, clock: BureauClock, tmp_path: Path
) -> None:
    first = dt.date(2026, 10, 1)
    types = tuple(device_of.type_007(invoice_type=name, last_report=first) for name in ("004", "007"))
    device = device_of.opened(tmp_path / "device", kind=DeviceKind.GOLDEN_DISK, types=types)
    device.seal(device_of.seal_of(group="004+007", expected=first), device_of.sent())
    summary = device.read_summary("004+007", device_of.OCTOBER)
    _cleared_without_clock_ticket(running, clock, device, "004+007", summary)


def test_a_ukey_is_settled_with_one_ticket_for_all_types(
    running: Running, clock: BureauClock, tmp_path: Path
) -> None:
    types = (device_of.type_007(), device_of.type_007(invoice_type="026"))
    device = device_of.opened(tmp_path / "device", kind=DeviceKind.UKEY, types=types)
    summary = device.seal_by_reading("007+026", device_of.OCTOBER, device_of.sent())
    _cleared_without_clock_ticket(running, clock, device, "007+026", summary)


def _cleared_without_clock_ticket(
    running: Running, clock: BureauClock, device: VirtualDevice, group: str, summary: bytes
) -> None:
    with client_of(running, clock) as bureau:
        running.bureau.file_return(device_of.TAXPAYER_ID, device_of.OCTOBER)
        bureau.put_report(_report(group, device_of.OCTOBER, summary))
        ticket = bureau.put_ticket(device_of.DEVICE_NO, group, device_of.OCTOBER)
    assert ticket.clock_ticket is None
    before = device.monitor("007").invoicing_deadline
    device.apply_ticket(ticket.clear_ticket, before, device_of.sent(2))
    assert {device.monitor(name).invoicing_deadline for name in device.types()} == {dt.date(2026, 12, 15)}


def _report(group: str, month: Period, summary: bytes) -> Report:
    return Report(
        device_no=device_of.DEVICE_NO,
        taxpayer_id=device_of.TAXPAYER_ID,
        group=group,
        period=month,
        summary=summary,
    )
