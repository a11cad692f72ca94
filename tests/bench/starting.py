"""Rows about starts: of the agent to its first answer, and of `taxctl status` as a whole."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from taxagent.simulator.site import Site
from tests.bench.figures import Measured, median, rotated
from tests.bench.ground import START, ground
from tests.bench.installed import Installed
from tests.bench.past import write_past
from tests.bench.peers import peers, request
from tests.builders.site import site

AGENT_IMPORTS = (
    "import taxagent.cli.main, taxagent.cli.run, taxagent.config, taxagent.logs, taxagent.daemon, "
    "taxagent.device.bus"
)
_PAST_JOBS = 10_000
_FLOOR_OF_TAXCTL = "import zmq, msgpack, argparse"
_TAXCTL = "import sys; from taxclient.cli.main import main; sys.exit(main())"


def first_answer(rounds: int) -> Measured:
    """From the spawn of `taxagent run` to its first answer."""
    with site(START) as shop:
        agent = Installed(shop.folder / "installed", "taxagent")
        imported, answered = rotated(
            rounds,
            lambda: [_ended(agent, "-c", AGENT_IMPORTS)],
            lambda: [_until_answered(agent, shop)],
        )
    return Measured(value=median(answered) * 1e3, floor=median(imported) * 1e3)


def first_answer_with_past(rounds: int) -> Measured:
    """The same with 10,000 ended jobs in the journal."""
    with site(START) as shop:
        agent = Installed(shop.folder / "installed", "taxagent")
        shop.state_dir.mkdir(mode=0o700, exist_ok=True)
        write_past(shop.state_dir, _PAST_JOBS)
        _until_answered(agent, shop)
        answered = [_until_answered(agent, shop) for _ in range(rounds)]
        size = sum(file.stat().st_size for file in shop.state_dir.iterdir()) / 1e6
    return Measured(value=median(answered) * 1e3, note=f"{_PAST_JOBS} jobs, {size:.0f} MB")


def taxctl_status(rounds: int) -> Measured:
    """The whole process, from its spawn to its end, in what the client's wheel alone brings."""
    with ground() as at:
        client = Installed(at.folder / "installed", "taxclient")
        asking = ("-c", _TAXCTL, "--endpoint", at.endpoint, "--lang", "en", "status")
        imported, asked = rotated(
            rounds,
            lambda: [_ended(client, "-c", _FLOOR_OF_TAXCTL)],
            lambda: [_ended(client, *asking)],
        )
    return Measured(value=median(asked) * 1e3, floor=median(imported) * 1e3)


def _ended(installed: Installed, *arguments: str) -> float:
    command, environment = installed.command(*arguments), installed.environment()
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - begun


def _until_answered(installed: Installed, shop: Site) -> float:
    command = installed.command("-m", "taxagent", "run", "--config", str(shop.config))
    environment = installed.environment()
    with peers(1, shop.endpoint) as (peer,), Path(shop.folder, "agent.log").open("ab") as log:
        frames = request("status")
        begun = time.perf_counter()
        agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            peer.result(frames)
            return time.perf_counter() - begun
        finally:
            agent.kill()
            agent.wait()
