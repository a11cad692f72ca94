"""The seal of a kind whose reading of a closed month's summary is the seal: checked before, awaited after.

Knows what such a device shows, and nothing of frames. docs/device-profile.md, "Sealing by reading".
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator

from taxagent.device.commands import SummaryQuery
from taxagent.model.device import MonitorData, Quirks, SealOrder, WriteKind, WriteRecord
from taxagent.model.errors import DeviceRefused
from taxagent.model.period import first_day, last_day, period_of

POLL_S = 0.25  # a reading of MONITOR takes a millisecond; settling takes a second or more


def reading_of(order: SealOrder) -> SummaryQuery:
    """Return the READ_SUMMARY that carries the order out."""
    return SummaryQuery(group=order.group, month=period_of(order.period_to))


def must_be_due(order: SealOrder, rows: tuple[MonitorData, ...]) -> None:
    """Make the compare of the compare-and-set, which READ_SUMMARY lacks, from what MONITOR shows.

    Raises DeviceRefused with the fault of which SEAL would be refused: TYPE_UNKNOWN, DEVICE_REFUSED (not one
    whole month), ALREADY_SEALED or CAS_FAILED.
    """
    group = [row for row in rows if row.group == order.group]
    month = period_of(order.period_to)
    if not group:
        raise DeviceRefused("TYPE_UNKNOWN", invoice_type=order.group)
    if (order.period_from, order.period_to) != (first_day(month), last_day(month)):
        raise DeviceRefused("DEVICE_REFUSED", what="not_one_month")
    if all(row.last_report >= order.period_to for row in group):
        raise DeviceRefused("ALREADY_SEALED", period=month)
    for row in group:
        if row.last_report != order.expected_last_report:
            raise DeviceRefused(
                "CAS_FAILED",
                what="last_report",
                expected=order.expected_last_report.isoformat(),
                found=row.last_report.isoformat(),
            )


def shows(rows: tuple[MonitorData, ...], day: dt.date, group: str = "") -> bool:
    """Return whether every type of `group` (of the device, where it is "") is reported up to `day`."""
    return all(row.last_report >= day for row in rows if group in ("", row.group))


def newest_seal(writes: tuple[WriteRecord, ...]) -> dt.date:
    """Return what the newest seal made of last_report, the earliest date there is where none is remembered.

    A kind that seals by reading has one group, so it is the newest seal of every type.
    """
    sealed = (write.after for write in writes if write.kind is WriteKind.SEAL and write.accepted)
    return next(sealed, dt.date.min)


def polled(
    monitor: Callable[[], tuple[MonitorData, ...]],
    pause: Callable[[float], None],
    monotonic: Callable[[], float],
    quirks: Quirks,
) -> Iterator[tuple[MonitorData, ...]]:
    """Yield what MONITOR shows, again and again, for as long as a seal of this kind may take to settle.

    The last look begins after that time; however slow the device is, there is none after it.
    """
    until = monotonic() + quirks.settles_within_s
    pauses = math.ceil(quirks.settles_within_s / POLL_S)
    while True:
        last = pauses == 0 or monotonic() >= until
        yield monitor()
        if last:
            return
        pause(POLL_S)
        pauses -= 1
