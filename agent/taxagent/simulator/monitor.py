"""What a simulated device says of one invoice type: monitor data and offline state. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from taxagent.device import refusals
from taxagent.device.refusals import Refused
from taxagent.model.device import DeviceKind, MonitorData, OfflineState, Quirks
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.period import first_day, last_day, period_of
from taxagent.simulator.kinds import first_unreported
from taxagent.simulator.scenario import TypeScenario
from taxagent.simulator.state import GroupMemory


def monitor_data(
    kind: TypeScenario,
    group: GroupMemory,
    this_month: Sequence[Invoice],
    pending: Sequence[Invoice],
    now: dt.datetime,
    quirks: Quirks,
    *,
    capacity_left: int,
) -> MonitorData:
    """Return 监控数据. `this_month` has the invoices of the clock's month, `pending` those not uploaded."""
    offline = offline_state(kind, pending, now)
    last_report = group.shown_last_report(now)
    report_from = first_unreported(last_report, quirks)
    used = sum(i.amount for i in this_month if i.mark is InvoiceMark.POSITIVE)
    return MonitorData(
        invoice_type=kind.invoice_type,
        group=group.group,
        invoicing_deadline=group.invoicing_deadline,
        report_from=report_from,
        report_to=last_day(period_of(report_from)),
        last_report=last_report,
        single_limit=kind.single_limit,
        month_limit=kind.month_limit,
        month_limit_left=max(0, kind.month_limit - used),
        offline_hours=kind.offline_hours,
        offline_hours_left=offline.offline_hours_left,
        offline_amount=kind.offline_amount,
        offline_amount_left=offline.offline_amount_left,
        upload_deadline=kind.upload_deadline,
        pending_uploads=len(pending),
        capacity_left=capacity_left,
    )


def offline_state(kind: TypeScenario, pending: Sequence[Invoice], now: dt.datetime) -> OfflineState:
    """Return what the type issued without the bureau, and what it still may."""
    amount = sum(abs(invoice.amount) for invoice in pending)
    hours = int((now - pending[0].issued_at).total_seconds()) // 3600 if pending else 0
    return OfflineState(
        invoice_type=kind.invoice_type,
        offline_hours=kind.offline_hours,
        offline_hours_left=max(0, kind.offline_hours - hours),
        offline_amount=kind.offline_amount,
        offline_amount_left=max(0, kind.offline_amount - amount),
        pending_uploads=len(pending),
        pending_amount=amount,
        pending_from=pending[0].issued_at.date() if pending else None,
    )


def exceeded(kind: TypeScenario, pending: Sequence[Invoice], now: dt.datetime, of: DeviceKind) -> Refused:
    """Return the refusal for invoices that are not uploaded, by the offline limit that is exceeded.

    A golden_disk has a code for the deadline alone.
    """
    state = offline_state(kind, pending, now)
    if kind.upload_deadline is not None and now.date() > kind.upload_deadline:
        return refusals.UPLOAD_DEADLINE
    if of is DeviceKind.GOLDEN_DISK:
        return refusals.UPLOAD_PENDING
    if kind.offline_hours and not state.offline_hours_left:
        return refusals.OFFLINE_HOURS
    if kind.offline_count and len(pending) > kind.offline_count:
        return refusals.OFFLINE_COUNT
    if kind.offline_amount and not state.offline_amount_left:
        return refusals.OFFLINE_AMOUNT
    return refusals.UPLOAD_PENDING


def month_so_far(now: dt.datetime) -> tuple[dt.date, dt.date]:
    """Return the days of the clock's month."""
    return first_day(period_of(now.date())), last_day(period_of(now.date()))
