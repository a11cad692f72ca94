"""How far a device is with a month, by its own clock and monitor data. Knows no host clock, no journal."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from taxagent.model.device import MonitorData, Quirks
from taxagent.model.period import Period, period_of, plus

OVERDUE_DAYS = 90
_OLDEST = 120  # months: no device lives longer than ten years, an older date in it is garbage


class PeriodState(StrEnum):
    """Where one invoice type of one device stands with one month."""

    OPEN = "open"  # 开票中: the month has not ended
    SETTLED = "settled"  # 已完成: reported and cleared
    REPORT_DUE = "report_due"  # 待抄报: ended, not sealed
    CLEAR_DUE = "clear_due"  # 待清卡: sealed, not cleared


def period_state(month: Period, clock: dt.datetime, monitor: MonitorData, quirks: Quirks) -> PeriodState:
    """Return the state of `month` for the type that `monitor` is of; `clock` is the device's own."""
    if month >= period_of(clock):
        return PeriodState.OPEN
    if period_of(monitor.invoicing_deadline) > plus(month, 1):
        return PeriodState.SETTLED
    if period_of(reported_until(monitor, quirks)) <= month:
        return PeriodState.REPORT_DUE
    return PeriodState.CLEAR_DUE


def due_periods(clock: dt.datetime, monitor: MonitorData, quirks: Quirks) -> tuple[Period, ...]:
    """Return the closed months that are not settled, oldest first.

    The invoicing deadline bounds them: a month is settled where the deadline lies later than in the next
    month. Never more than ten years back.
    """
    this_month = period_of(clock)
    month = max(plus(period_of(monitor.invoicing_deadline), -1), plus(this_month, -_OLDEST))
    due = []
    while month < this_month:
        if period_state(month, clock, monitor, quirks) is not PeriodState.SETTLED:
            due.append(month)
        month = plus(month, 1)
    return tuple(due)


def locked(clock: dt.datetime, monitor: MonitorData, quirks: Quirks) -> bool:
    """Return whether the device issues no invoices of this type any more (锁死)."""
    past = clock.date() > monitor.invoicing_deadline
    return past and bool(due_periods(clock, monitor, quirks))


def overdue(clock: dt.datetime, monitor: MonitorData, quirks: Quirks) -> bool:
    """Return whether more than 90 days passed since the last report: only the tax hall can help."""
    return (clock.date() - reported_until(monitor, quirks)).days > OVERDUE_DAYS


def reported_until(monitor: MonitorData, quirks: Quirks) -> dt.date:
    """Return the first day that is not reported, whichever way the kind stores `last_report`."""
    stored = monitor.last_report
    if quirks.last_report_inclusive and stored < dt.date.max:
        return stored + dt.timedelta(days=1)
    return stored
