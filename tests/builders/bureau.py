"""Bureaus, clients and sealed summaries for tests."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from taxagent.bureau.client import GatewayClient, GatewaySettings
from taxagent.bureau.messages import Op
from taxagent.model.bureau import Report
from taxagent.model.device import DeviceKind
from taxagent.model.period import Period
from taxagent.model.simtime import local_time, simulated_time
from taxagent.simulator.authority import Papers
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_server import Running, serve_bureau
from taxagent.simulator.sealing import Summary, sealed

DEVICE = "661234567890"
TAXPAYER = "91310115MA1K35TT6F"
OCTOBER = Period("2026-10")
REAL_MS = 1_795_561_200_000


def real_ms() -> int:
    """TLS compares certificates with real time."""
    return time.time_ns() // 1_000_000


def accepted(running: Running, op: Op) -> int:
    return sum(call.op == op and call.result == "accepted" for call in running.bureau.calls())


class BureauClock:
    """A clock that stands on a morning of November 2026 and moves when told.

    Where certificates are made on the spot and TLS checks them, `real_ms` must be the real time.
    """

    def __init__(self, text: str = "2026-11-03T09:30:00+08:00", *, real_ms: int = REAL_MS) -> None:
        self._sim_ms = simulated_time(f"{text}@0").start_ms
        self.real_ms = real_ms
        self.seconds = 0.0

    def utc_ms(self) -> int:
        return self.real_ms + round(self.seconds * 1000)

    def sim_ms(self) -> int | None:
        return self._sim_ms + round(self.seconds * 1000)

    def local(self) -> dt.datetime:
        return local_time(self._sim_ms + round(self.seconds * 1000))

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class Pauses:
    """A sleep that takes no time: it is written down and the clock moves. `stops_at`: the agent ends then."""

    def __init__(self, clock: BureauClock, *, stops_at: int | None = None) -> None:
        self.taken: list[float] = []
        self._clock = clock
        self._stops_at = stops_at

    def __call__(self, seconds: float) -> bool:
        self.taken.append(seconds)
        self._clock.advance(seconds)
        return len(self.taken) == self._stops_at


def sealed_report(
    *,
    device_no: str = DEVICE,
    taxpayer_id: str = TAXPAYER,
    group: str = "007",
    month: Period = OCTOBER,
    kind: DeviceKind = DeviceKind.CONTROL_DISK,
) -> Report:
    """Return a report as a simulated device seals it, without invoices."""
    summary = Summary(
        device_no=device_no, kind=kind, taxpayer_id=taxpayer_id, group=group, period=month, statistics=()
    )
    return Report(
        device_no=device_no, taxpayer_id=taxpayer_id, group=group, period=month, summary=sealed(summary)
    )


def settings_of(url: str, papers: Papers, *, identity: Papers | None = None) -> GatewaySettings:
    """Return the client's settings; `identity`: whose client certificate, where it is another authority's."""
    own = identity or papers
    return GatewaySettings(url=url, ca=papers.ca, certificate=own.client_certificate, key=own.client_key)


@contextmanager
def running_bureau(
    directory: Path, clock: BureauClock, scenario: BureauScenario | None = None
) -> Iterator[Running]:
    """Serve a bureau on loopback; `clock` must stand at real time for its certificates to be valid."""
    with serve_bureau(directory, clock, scenario=scenario) as running:
        yield running


@contextmanager
def client_of(running: Running, clock: BureauClock, pauses: Pauses | None = None) -> Iterator[GatewayClient]:
    """Return a client of that bureau with its right certificate; it waits in no time."""
    client = GatewayClient(
        settings_of(running.url, running.paths),
        clock,
        pause=pauses or Pauses(clock),
        jitter=lambda: 0.0,
    )
    try:
        yield client
    finally:
        client.close()


@contextmanager
def client_answered_by(
    answer: Callable[[httpx.Request], httpx.Response],
    clock: BureauClock,
    pauses: Pauses,
    *,
    jitter: float = 0.0,
    transport: httpx.BaseTransport | None = None,
) -> Iterator[GatewayClient]:
    """Return a client whose network is a function, or `transport`."""
    papers = Papers(ca="-", server_certificate="-", server_key="-", client_certificate="-", client_key="-")
    client = GatewayClient(
        settings_of("https://bureau.test/gateway", papers),
        clock,
        pause=pauses,
        jitter=lambda: jitter,
        transport=transport or httpx.MockTransport(answer),
    )
    try:
        yield client
    finally:
        client.close()
