"""What is shown to a monitoring system, as values. No taxpayer's number or name is ever in them."""

from __future__ import annotations

from enum import StrEnum

from taxagent.model.value import Value


class Stands(StrEnum):
    """How a device is, the worst first; exactly one of them is true at a time."""

    QUARANTINED = "quarantined"  # it hung again: not touched until a person has been there
    HUNG = "hung"
    ABSENT = "absent"  # known, and not plugged
    TROUBLED = "troubled"  # plugged, and cannot be read
    LOCKED = "locked"
    OVERDUE = "overdue"
    READY = "ready"


class DevicePicture(Value, frozen=True, kw_only=True):
    """A device. `lock_days` = (invoice type, days from the host's today to its lock date)."""

    device_no: str
    stands: Stands
    lock_days: tuple[tuple[str, int], ...]


class Picture(Value, frozen=True, kw_only=True):
    """All there is to tell, at one moment. Times are seconds; timestamps UTC seconds since 1970."""

    version: str
    at_s: float
    started_s: float
    devices: tuple[DevicePicture, ...] = ()
    filing_days: int | None = None  # from today to the month's filing deadline
    ended: tuple[tuple[tuple[str, str, str], int], ...] = ()  # (kind, outcome, cause) = jobs
    live: tuple[tuple[str, int], ...] = ()  # by state
    unknown_s: float = 0.0  # how long the oldest unknown job has stood; 0 = there is none
    needs_human_s: float = 0.0
    succeeded: tuple[tuple[str, float], ...] = ()  # kind = when one was done last
    backed_up: tuple[tuple[str, float], ...] = ()  # device = when its newest back-up was written
    reconnects: tuple[tuple[str, int], ...] = ()
    hangs: tuple[tuple[str, int], ...] = ()
