"""What a simulated device seals the simulated bureau takes, and what that issues the device takes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from taxagent.model.bureau import Report
from taxagent.model.period import Period
from taxagent.simulator.bureau_server import Running
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


def _report(group: str, month: Period, summary: bytes) -> Report:
    return Report(
        device_no=device_of.DEVICE_NO,
        taxpayer_id=device_of.TAXPAYER_ID,
        group=group,
        period=month,
        summary=summary,
    )
