"""How good the way to the gateway is: of a few bounded connections, how many are lost and how long they take.

A connection is one round trip of the network and asks nothing of the gateway.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from taxagent.model.checks import made
from taxagent.model.lines import CheckLine
from taxagent.ports import Clock

TRIES = 5
TRY_S = 1.0  # a lost packet is sent again after a second: slower than that is lost
SLOW_MS = 300

Connect = Callable[[str, int], None]


def connected(host: str, port: int) -> None:
    """Connect and leave; OSError where that takes longer than TRY_S or is refused."""
    socket.create_connection((host, port), timeout=TRY_S).close()


def trips(url: str, clock: Clock, connect: Connect = connected) -> Iterator[CheckLine]:
    """Yield one line: of TRIES connections how many were lost, the median and the slowest in ms."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    times: list[int] = []
    for _ in range(TRIES):
        begun = clock.monotonic()
        try:
            connect(host, port)
        except OSError:
            continue
        times.append(round((clock.monotonic() - begun) * 1000))
    facts = {"tries": str(TRIES), "lost": str(TRIES - len(times))}
    if not times:
        yield made("latency", "LATENCY_ALL_LOST", **facts)
        return
    times.sort()
    median = times[len(times) // 2]
    facts |= {"p50_ms": str(median), "most_ms": str(times[-1])}
    slow = "LATENCY_SLOW" if median > SLOW_MS else "LATENCY_OK"
    yield made("latency", "LATENCY_LOSS" if len(times) < TRIES else slow, **facts)
