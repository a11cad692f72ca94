"""The host's clock, and the simulated one that is laid over it."""

from __future__ import annotations

import datetime as dt
import time

from taxagent.host.clock import HostClock
from taxagent.model.simtime import SHANGHAI, SimulatedTime, simulated_time


def test_real_time_is_the_operating_systems() -> None:
    clock = HostClock()
    before = time.time_ns() // 1_000_000
    assert before <= clock.utc_ms() <= time.time_ns() // 1_000_000
    assert clock.sim_ms() is None
    assert abs(clock.local().timestamp() * 1000 - clock.utc_ms()) < 1000
    assert clock.local().tzinfo is SHANGHAI


def test_a_simulation_moves_the_wall_clock_and_nothing_else() -> None:
    real = HostClock()
    clock = HostClock(SimulatedTime(start_ms=0, origin_ms=real.utc_ms(), rate=60))
    assert abs(clock.utc_ms() - real.utc_ms()) < 1000
    assert clock.local().date() == dt.date(1970, 1, 1)
    assert 0 <= (clock.sim_ms() or -1) + 60 < 120_000


def test_the_clocks_text_says_where_it_stood() -> None:
    origin = HostClock().utc_ms()
    simulated = simulated_time(f"2026-11-03T09:30:00+08:00@{origin}x1")
    local = HostClock(simulated).local()
    assert local - dt.datetime(2026, 11, 3, 9, 30, tzinfo=SHANGHAI) < dt.timedelta(minutes=1)


def test_monotonic_time_never_goes_back() -> None:
    clock = HostClock()
    stamps = [clock.monotonic() for _ in range(100)]
    assert stamps == sorted(stamps)
