"""A siege: hostile clients around a running agent, an honest one that measures, and the agent's memory.

`python -m tests.fuzz.siege --seconds N --seed N` prints the figures, and JSON at the end.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from taxagent.model.value import Value
from taxagent.simulator.site import Site
from taxclient.protocol import messages as m
from tests.bench.peers import echo, peers, request
from tests.builders.site import START, client, identified, settle, site
from tests.builders.site import ended as ended_job

HOSTILES = 4
P99_MS, GROWN_MB = 10.0, 20.0
_ROOT = Path(__file__).parents[2]
_PACE_S = 0.005  # between two questions of the honest client


class Figures(Value, frozen=True, kw_only=True):
    """What the siege showed; latencies in ms, memory in MB."""

    seed: int
    seconds: float
    asked: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    echo_p99_ms: float  # of a raw ZeroMQ echo that was asked in turn: what the machine itself took
    rss_before_mb: float
    rss_after_mb: float
    rss_peak_mb: float  # the most that it ever was
    attacks: dict[str, int]
    settled: str  # how the honest client's job ended, submitted in the middle of it

    @property
    def grown_mb(self) -> float:
        """By how much the agent's memory grew at the most."""
        return self.rss_peak_mb - self.rss_before_mb


def besieged(seconds: float, seed: int, only: str = "", nice: int = 19) -> Figures:
    """Start an agent, besiege it, measure. The agent must serve to the end."""
    with site(START) as shop:
        agent = shop.start_agent()
        shop.file_return("91370102MA3CXK7T44", "2026-10")
        _warm(shop)
        before = _rss_mb(agent.child.pid)
        settled: list[str] = []
        worker = threading.Thread(target=_works, args=(shop, settled), daemon=True)
        hostiles = [_hostile(shop, seconds, f"{seed}/{number}", nice, only) for number in range(HOSTILES)]
        worker.start()
        took, floor = _asked(shop, seconds)
        attacks: Counter[str] = Counter()
        for hostile in hostiles:
            out, _ = hostile.communicate(timeout=60)
            attacks.update(json.loads(out))
        worker.join(30)
        after, peak = _rss_mb(agent.child.pid), _rss_mb(agent.child.pid, "VmHWM")
        if agent.child.poll() is not None:
            raise RuntimeError(f"the agent ended: {agent.log_end()}")
    return Figures(
        seed=seed,
        seconds=seconds,
        asked=len(took),
        p50_ms=_share(took, 0.50),
        p99_ms=_share(took, 0.99),
        worst_ms=_share(took, 1.0),
        echo_p99_ms=_share(floor, 0.99),
        rss_before_mb=before,
        rss_after_mb=after,
        rss_peak_mb=peak,
        attacks=dict(attacks),
        settled=settled[0] if settled else "never",
    )


def _warm(shop: Site) -> None:
    """Have the agent load what any honest day loads: a job, the catalogue, the answers to why."""
    with client(shop) as one:
        device = identified(one).device_no
        for _ in range(3):
            job = ended_job(one, one.check(m.CheckArgs(device_no=device)).job.job_id)
            one.record(job.job_id)
        one.explain()
        one.diagnose()
        one.explain_window()


def _hostile(shop: Site, seconds: float, seed: str, nice: int, only: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.fuzz.hostile", shop.endpoint, str(seconds), seed, str(nice), only]
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)


def _asked(shop: Site, seconds: float) -> tuple[list[float], list[float]]:
    """Ask for the status and, in turn, the echo; return the ms that each answer of the two took."""
    took: list[float] = []
    floor: list[float] = []
    pace = threading.Event()
    with peers(1, shop.endpoint) as (peer,):
        reply = peer.ask(request("status"))
        with echo(shop.folder, reply) as (endpoint, _), peers(1, endpoint) as (beside,):
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                for asked, kept in ((peer, took), (beside, floor)):
                    frames = request("status")
                    begun = time.perf_counter()
                    asked.ask(frames)
                    kept.append((time.perf_counter() - begun) * 1000)
                    pace.wait(_PACE_S)
    return took, floor


def _works(shop: Site, settled: list[str]) -> None:
    with client(shop) as one:
        job = ended_job(one, settle(one).job_id)
        settled.append(f"{job.state} {job.outcome}")


def _rss_mb(pid: int, line_of: str = "VmRSS") -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(f"{line_of}:"))
    return int(line.split()[1]) / 1024


def _share(took: Sequence[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]


def main(argv: Sequence[str] | None = None) -> int:
    """Besiege, and say what was measured; 1 where a limit was passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", default="", help="one attack, by the name of its method")
    parser.add_argument("--nice", type=int, default=19, help="the priority of the hostile ones")
    args = parser.parse_args(argv)
    found = besieged(args.seconds, args.seed, args.only, args.nice)
    print(told(found))
    print(json.dumps({name: getattr(found, name) for name in found.__struct_fields__}))
    return 1 if wrong(found) else 0


def wrong(found: Figures) -> list[str]:
    """Return the limits that were passed: 10 ms of p99, 20 MB at the most, the job done."""
    limits = {
        "p99": found.p99_ms <= P99_MS,
        "memory": found.grown_mb <= GROWN_MB,
        "job": found.settled == "done executed",
    }
    return [name for name, kept in limits.items() if not kept]


def told(found: Figures) -> str:
    """Return the figures for people."""
    return (
        f"siege of {found.seconds:.0f} s, seed {found.seed}: {sum(found.attacks.values())} attacks; "
        f"honest status p50 {found.p50_ms:.2f} ms, p99 {found.p99_ms:.2f} ms "
        f"(echo beside it {found.echo_p99_ms:.2f}), worst {found.worst_ms:.1f} ms of {found.asked}; "
        f"RSS {found.rss_before_mb:.1f} to {found.rss_after_mb:.1f} MB, at most {found.rss_peak_mb:.1f}; "
        f"the job meanwhile: {found.settled}"
    )


if __name__ == "__main__":
    sys.exit(main())
