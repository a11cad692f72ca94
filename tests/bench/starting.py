"""Rows about starts: of the agent to its first answer, and of `taxctl status` as a whole."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from taxagent.simulator.site import Site
from tests.bench.figures import Measured, median, rotated
from tests.bench.ground import START, ground
from tests.bench.past import write_past
from tests.bench.peers import peers, request
from tests.bench.resting import AGENT_IMPORTS
from tests.builders.site import site

_PAST_JOBS = 10_000
_FLOOR_OF_TAXCTL = "import zmq, msgpack, argparse"


def first_answer(rounds: int) -> Measured:
    """From the spawn of `taxagent run` to its first answer."""
    with site(START) as shop:
        imported, answered = rotated(
            rounds, lambda: [_python(AGENT_IMPORTS)], lambda: [_until_answered(shop)]
        )
    return Measured(value=median(answered) * 1e3, floor=median(imported) * 1e3)


def first_answer_with_past(rounds: int) -> Measured:
    """The same with 10,000 ended jobs in the journal."""
    with site(START) as shop:
        shop.state_dir.mkdir(mode=0o700, exist_ok=True)
        write_past(shop.state_dir, _PAST_JOBS)
        _until_answered(shop)
        answered = [_until_answered(shop) for _ in range(rounds)]
        size = sum(file.stat().st_size for file in shop.state_dir.iterdir()) / 1e6
    return Measured(value=median(answered) * 1e3, note=f"{_PAST_JOBS} jobs, {size:.0f} MB")


def taxctl_status(rounds: int) -> Measured:
    """The whole process, from its spawn to its end."""
    with ground() as at:
        command = [*_taxctl(), "--endpoint", at.endpoint, "--lang", "en", "status"]
        imported, asked = rotated(rounds, lambda: [_python(_FLOOR_OF_TAXCTL)], lambda: [_ended(command)])
    return Measured(value=median(asked) * 1e3, floor=median(imported) * 1e3)


def _taxctl() -> list[str]:
    script = Path(sys.executable).with_name("taxctl")
    return [str(script)] if script.exists() else [sys.executable, "-m", "taxclient.cli.main"]


def _python(code: str) -> float:
    return _ended([sys.executable, "-c", code])


def _ended(command: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _until_answered(shop: Site) -> float:
    with peers(1, shop.endpoint) as (peer,):
        frames = request("status")
        begun = time.perf_counter()
        agent = shop.start_agent()
        try:
            peer.result(frames)
            return time.perf_counter() - begun
        finally:
            agent.kill()
