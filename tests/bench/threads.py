"""Processor time of an answer, by the scheduler's count: what a row's wall-clock figure is made of.

    python -m tests.bench.threads

Prints us a request for the main thread and for all others together, of the echo and of the agent. Unlike
the table's figures these hardly depend on what else the machine does.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.ground import Ground, ground
from tests.bench.peers import Peer, checks, echo, peers, rate, request
from tests.builders.site import DEVICE

_CLIENTS, _EACH, _ROUNDS = 64, 16, 12

Frames = Sequence[Sequence[bytes]]


def main() -> None:
    """Measure and print."""
    with ground() as at:
        with peers(1, at.endpoint) as (peer,):
            reply = peer.ask(request("status"))
        with echo(at.folder, reply) as (endpoint, pid):
            _print("echo", endpoint, pid, _statuses)
        _print("status", at.endpoint, at.pid, _statuses)
        _print_accepts(at)


def _print_accepts(at: Ground) -> None:
    at.occupy()
    _print("durable accept", at.endpoint, at.pid, lambda: checks(_CLIENTS * _EACH, DEVICE))


def _statuses() -> Frames:
    return [request("status")] * (_CLIENTS * _EACH)


def _print(name: str, endpoint: str, pid: int, asked: Callable[[], Frames]) -> None:
    with peers(_CLIENTS, endpoint) as connected:
        for peer in connected:
            peer.ask(request("hello"))
        found = [_us_each(pid, connected, asked()) for _ in range(_ROUNDS)]
    loop, others = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"{name:15} main thread {loop:6.1f} us, others {others:6.1f} us")


def _us_each(pid: int, connected: Sequence[Peer], frames: Frames) -> tuple[float, float]:
    before = _ran_us(pid)
    rate(connected, frames)
    after = _ran_us(pid)
    loop = after[str(pid)] - before[str(pid)]
    total = sum(after.values()) - sum(before.values())
    return loop / len(frames), (total - loop) / len(frames)


def _ran_us(pid: int) -> dict[str, float]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {one.name: int((one / "schedstat").read_text().split()[0]) / 1000 for one in threads}


if __name__ == "__main__":
    main()
