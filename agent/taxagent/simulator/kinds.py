"""What the kinds of device do differently where a simulated one has to know it: groups, and dates. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from taxagent.model.device import DeviceKind, Quirks
from taxagent.model.invoice import INVOICE_TYPES
from taxagent.model.period import Period, first_day, last_day, plus

_DAY = dt.timedelta(days=1)
_TOGETHER: dict[DeviceKind, tuple[frozenset[str], ...]] = {
    DeviceKind.GOLDEN_DISK: (frozenset({"004", "007"}), frozenset({"005", "006", "026"})),
    DeviceKind.CONTROL_DISK: (),
    DeviceKind.UKEY: (frozenset(INVOICE_TYPES),),
}


def groups_of(kind: DeviceKind, types: Iterable[str]) -> tuple[str, ...]:
    """Return the groups that a device of `kind` with these types has, and their types, in its order."""
    groups: dict[object, list[str]] = {}
    for invoice_type in types:
        alone = frozenset({invoice_type})
        together = next((each for each in _TOGETHER[kind] if invoice_type in each), alone)
        groups.setdefault(together, []).append(invoice_type)
    return tuple("+".join(members) for members in groups.values())


def first_unreported(last_report: dt.date, quirks: Quirks) -> dt.date:
    """Return the first day that is not reported, whichever way the kind stores `last_report`."""
    return last_report + _DAY if quirks.last_report_inclusive else last_report


def last_report_of(month: Period, quirks: Quirks) -> dt.date:
    """Return what `last_report` is once `month` is sealed."""
    return last_day(month) if quirks.last_report_inclusive else first_day(plus(month, 1))
