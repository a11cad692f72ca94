"""What the configuration knows of a device beforehand: whose it is, how often a return is filed for it."""

from __future__ import annotations

from enum import StrEnum

from taxagent.model.period import Period
from taxagent.model.value import Value

_QUARTER = 3


class Cycle(StrEnum):
    """How often the taxpayer files. A device closes each month all the same (domain: filing cycle)."""

    MONTH = "month"
    QUARTER = "quarter"


class KnownDevice(Value, frozen=True, kw_only=True):
    """A row of [[devices]]; an empty `taxpayer_id` is not compared."""

    device_no: str
    taxpayer_id: str = ""
    cycle: Cycle = Cycle.MONTH


def filed_with(month: Period, cycle: Cycle) -> Period:
    """Return the month with whose return `month` is filed: itself, or the last one of its quarter."""
    if cycle is Cycle.MONTH:
        return month
    number = int(month[5:])
    last = -(-number // _QUARTER) * _QUARTER
    return Period(f"{month[:5]}{last:02d}")
