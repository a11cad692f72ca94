"""A simulated clock: a start, the real instant at which it held, and a rate. Pure arithmetic."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from taxagent.model.value import Value

SHANGHAI = ZoneInfo("Asia/Shanghai")

_SHAPE = re.compile(r"(?P<start>[^@x]+)@(?P<origin>\d{1,16})(?:x(?P<rate>\d{1,7}))?")


class SimulatedTime(Value, frozen=True, kw_only=True):
    """At real UTC `origin_ms` the simulation stood at `start_ms`; since then it runs `rate` times as fast."""

    start_ms: int
    origin_ms: int
    rate: int = 1

    def at(self, real_ms: int) -> int:
        """Return the simulated UTC in ms at the real UTC `real_ms`."""
        return self.start_ms + (real_ms - self.origin_ms) * self.rate

    def __str__(self) -> str:
        start = local_time(self.start_ms).isoformat()
        return f"{start}@{self.origin_ms}x{self.rate}"


def simulated_time(text: str) -> SimulatedTime:
    """Return the clock written as START@ORIGIN_MS[xRATE], START in ISO 8601 with its offset.

    Example: "2026-11-03T09:30:00+08:00@1795561200000x60". Raises ValueError with the form wanted.
    """
    match = _SHAPE.fullmatch(text)
    try:
        start = dt.datetime.fromisoformat(match["start"]) if match else None
    except ValueError:
        start = None
    if match is None or start is None or start.tzinfo is None:
        msg = f"{text!r} is no simulated clock: write START@ORIGIN_MS[xRATE], START with its UTC offset"
        raise ValueError(msg)
    return SimulatedTime(
        start_ms=round(start.timestamp() * 1000),
        origin_ms=int(match["origin"]),
        rate=int(match["rate"] or 1),
    )


def local_time(utc_ms: int) -> dt.datetime:
    """Return `utc_ms` as an aware datetime in Asia/Shanghai, to the millisecond."""
    seconds, ms = divmod(utc_ms, 1000)
    return dt.datetime.fromtimestamp(seconds, SHANGHAI).replace(microsecond=ms * 1000)
