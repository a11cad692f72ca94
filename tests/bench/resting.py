"""Rows about an agent that has nothing to do: what it takes of processor and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.bench.figures import Measured
from tests.bench.ground import ground
from tests.bench.peers import peers, request
from tests.bench.starting import AGENT_IMPORTS
from tests.bench.subscribing import subscribers

_CLIENTS = 8
_IDLE_S = 60.0


def idle_cpu(rounds: int) -> Measured:
    """8 clients and 8 subscribers are connected and say nothing, for 2 s a round, at most 60 s."""
    seconds = min(_IDLE_S, 2.0 * rounds)
    with (
        ground() as at,
        peers(_CLIENTS, at.endpoint) as connected,
        subscribers(_CLIENTS, at.one.hello().events),
    ):
        for peer in connected:
            peer.result(request("hello"))
        time.sleep(1.0)  # what the start left to do
        ran, woken = _ran_s(at.pid), _wakeups(at.pid)
        time.sleep(seconds)
        ran, woken = _ran_s(at.pid) - ran, _wakeups(at.pid) - woken
    return Measured(
        value=ran / seconds * 100, note=f"in {seconds:.0f} s, {woken / seconds:.1f} wake-ups a second"
    )


def memory(rounds: int) -> Measured:
    """One device is plugged and read, every op of a client's start was asked."""
    with ground() as at, peers(_CLIENTS, at.endpoint) as connected:
        for peer in connected:
            peer.result(request("status"))
        agent = _rss_mb(at.pid)
    imports = _imports_mb()
    note = f"agent {agent:.1f} MB, its imports alone {imports:.1f} MB, one device"
    return Measured(value=agent - imports, note=note)


def _imports_mb() -> float:
    code = f"{AGENT_IMPORTS}\nprint(open('/proc/self/status').read())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return _status_mb(said)


def _rss_mb(pid: int) -> float:
    return _status_mb(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))


def _status_mb(text: str) -> float:
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _ran_s(pid: int) -> float:
    """Processor time of all threads, by the scheduler's own count in ns."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _wakeups(pid: int) -> int:
    found = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                found += int(line.split()[1])
    return found
