"""Checks that send writes. All but the last send only what the device must refuse; the last seals a month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from taxagent.device.contract.bench import Bench
from taxagent.device.contract.session import newest_write
from taxagent.device.contract.verdict import NotTried, demand, instance, ruled, same
from taxagent.model.device import MonitorData, Quirks, SealOrder, WriteKind, WriteRecord
from taxagent.model.errors import DeviceRefused
from taxagent.model.period import Period, first_day, last_day, period_of, plus
from taxagent.model.period_state import reported_until
from taxagent.ports import Device

_FORGED = b"taxagent.device.contract: not a ticket"
_DAY = dt.timedelta(days=1)
_DONE_ALREADY = frozenset({"ALREADY_SEALED", "CAS_FAILED"})


def wrong_seal_is_refused(bench: Bench) -> str:
    """seal() with a wrong expected_last_report is CAS_FAILED, changes nothing, is remembered as refused."""
    _need_destructive(bench)
    with bench.opened() as device:
        before, newest, clock = device.monitor(), newest_write(device), device.clock()
        row = min(before, key=lambda one: one.last_report)
        month = period_of(reported_until(row, bench.quirks))
        order = _order(row, month, expected=row.last_report - _DAY)
        call = "seal(a wrong expected_last_report)"
        fault = bench.refusal(lambda: device.seal(order), call, DeviceRefused).fault
        same("monitor() after the refusal", before, device.monitor())
        refused = _new_write(device, newest)
        if refused is not None or not bench.quirks.seal_by_reading:  # there the driver compares, without I/O
            _remembered(refused, WriteKind.SEAL, device.seal_sha256(order), accepted=False)
    if month >= period_of(clock):
        raise NotTried("nothing_due", period=month, fault=fault)
    demand(fault != "ALREADY_SEALED", "wrong_fault", call=call, found=fault, expected="CAS_FAILED")
    if fault != "CAS_FAILED":
        raise NotTried("refused_before", fault=fault)
    return f"fault={fault} period={month}"


def forged_ticket_is_refused(bench: Bench) -> str:
    """apply_ticket() of bytes that are no ticket is refused, changes nothing, is not remembered as done."""
    _need_destructive(bench)
    with bench.opened() as device:
        row = device.monitor()[0]
        deadline = row.invoicing_deadline
        return _forged(
            bench,
            device,
            lambda: device.apply_ticket(_FORGED, deadline),
            WriteKind.APPLY_TICKET,
            device.ticket_sha256(_FORGED, deadline),
        )


def forged_clock_ticket_is_refused(bench: Bench) -> str:
    """apply_clock_ticket() of bytes that are no ticket is refused likewise; the clock goes on as before."""
    _need_destructive(bench)
    with bench.opened() as device:
        before = device.clock()
        sha256 = device.clock_ticket_sha256(_FORGED)
        note = _forged(
            bench, device, lambda: device.apply_clock_ticket(_FORGED), WriteKind.CLOCK_TICKET, sha256
        )
        after = device.clock()
        within = before <= after <= before + dt.timedelta(minutes=10)
        ruled("clock()", f"{before}, {after}", "goes on", kept=within)
        return note


def seal_is_done_once(bench: Bench) -> str:
    """seal() moves last_report to the month's end and nothing else; it is remembered; twice is refused."""
    _need_destructive(bench)
    month = bench.plan.seal
    if month is None:
        raise NotTried("seals_a_month")
    with bench.opened() as device:
        before, newest = device.monitor(), newest_write(device)
        row = next((one for one in before if period_of(reported_until(one, bench.quirks)) == month), None)
        if row is None:
            raise NotTried("not_the_next", period=month)
        order = _order(row, month, expected=row.last_report)
        counted = _books(device, row, month)
        device.seal(order)
        _moved(before, device.monitor(), row.group, _sealed_until(month, bench.quirks))
        same("statistics, stock", counted, _books(device, row, month))
        _remembered(_new_write(device, newest), WriteKind.SEAL, device.seal_sha256(order), accepted=True)
        summary = device.read_summary(row.group, month)
        instance("read_summary()", summary, bytes)
        ruled("read_summary()", len(summary), ">= 1 bytes", kept=summary)
        same("read_summary() again", summary, device.read_summary(row.group, month))
        fault = bench.refusal(lambda: device.seal(order), "the same seal() again", DeviceRefused).fault
        ruled("the same seal() again", fault, " / ".join(sorted(_DONE_ALREADY)), kept=fault in _DONE_ALREADY)
    with bench.opened() as device:
        _moved(before, device.monitor(), row.group, _sealed_until(month, bench.quirks))
    return f"group={row.group} period={month} bytes={len(summary)}"


def _need_destructive(bench: Bench) -> None:
    if not bench.plan.destructive:
        raise NotTried("writes")


def _order(row: MonitorData, month: Period, expected: dt.date) -> SealOrder:
    return SealOrder(
        group=row.group,
        period_from=first_day(month),
        period_to=last_day(month),
        expected_last_report=expected,
    )


def _sealed_until(month: Period, quirks: Quirks) -> dt.date:
    return last_day(month) if quirks.last_report_inclusive else first_day(plus(month, 1))


def _forged(bench: Bench, device: Device, write: Callable[[], None], kind: WriteKind, sha256: str) -> str:
    before, newest = device.monitor(), newest_write(device)
    error = bench.refusal(write, f"{kind}(no ticket)", DeviceRefused)
    same("monitor() after the refusal", before, device.monitor())
    record = _new_write(device, newest)  # none: the driver saw for itself that it is no ticket
    if record is not None:
        _remembered(record, kind, sha256, accepted=False)
    return f"fault={error.fault}"


def _new_write(device: Device, newest: int) -> WriteRecord | None:
    new = [write for write in device.last_writes() if write.write_no > newest]
    ruled("new writes", len(new), "<= 1", kept=len(new) <= 1)
    return new[0] if new else None


def _remembered(record: WriteRecord | None, kind: WriteKind, sha256: str, *, accepted: bool) -> None:
    if record is None:
        demand(kept=False, reason="not_remembered", kind=kind)
        return
    same("last_writes()[0].kind", kind, record.kind)
    same("last_writes()[0].accepted", accepted, record.accepted)
    same("last_writes()[0].payload_sha256", sha256, record.payload_sha256)
    if not accepted:
        same("last_writes()[0].before, after", record.before, record.after)


def _moved(
    before: tuple[MonitorData, ...], after: tuple[MonitorData, ...], group: str, last_report: dt.date
) -> None:
    same("invoice types", [row.invoice_type for row in before], [row.invoice_type for row in after])
    for old, new in zip(before, after, strict=True):
        expected = last_report if old.group == group else old.last_report
        same(f"last_report ({new.invoice_type})", expected, new.last_report)
        same(f"invoicing_deadline ({new.invoice_type})", old.invoicing_deadline, new.invoicing_deadline)


def _books(device: Device, row: MonitorData, month: Period) -> tuple[object, object]:
    kind = row.invoice_type
    return device.statistics(kind, first_day(month), last_day(month)), device.stock(kind)
