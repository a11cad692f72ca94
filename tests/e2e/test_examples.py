"""The examples settle a month against a real agent, and find their job again by its key."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from taxagent.simulator.site import Site
from taxclient.pairing import pair
from tests.builders.site import DEVICE, PERIOD, TAXPAYER, client, ended, identified, site, waits, writes
from tests.builders.tcp import door_config, published

EXAMPLES = Path(__file__).parents[2] / "examples"
PYTHON = (sys.executable, str(EXAMPLES / "settle_req.py"))
NODE = ("node", str(EXAMPLES / "node/settle.mjs"))
_node = shutil.which("node") is None or not (EXAMPLES / "node/node_modules/zeromq").is_dir()
COMMANDS = [
    pytest.param(PYTHON, id="python"),
    pytest.param(
        NODE,
        id="node",
        marks=pytest.mark.skipif(_node, reason="no node, or `npm ci` was not run in examples/node"),
    ),
]


def run(
    command: tuple[str, ...], shop: Site, *more: str, endpoint: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, endpoint or shop.endpoint, *more], capture_output=True, text=True, timeout=40, check=False
    )


def words(ran: subprocess.CompletedProcess[str], first: str) -> list[str]:
    """What follows `first` in the line that begins with it."""
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith(f"{first} ")]
    return line.split()[1:]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_settles_a_month(command: tuple[str, ...]) -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            first = run(command, shop, DEVICE)
            assert (first.returncode, first.stderr) == (30, "")  # it waits for the return
            (key,), (job_id, *_) = words(first, "key"), words(first, "job")
            waits(one, job_id, "declaration")
            shop.file_return(TAXPAYER, PERIOD)
            ended(one, job_id)
            again = run(command, shop, DEVICE, key)
            assert again.returncode == 0
            assert words(again, "job") == [job_id, "done", "executed"]
        assert len([kind for kind, _ in writes(shop) if kind == "seal"]) == 2  # one a type


@pytest.mark.skipif(_node, reason="no node, or `npm ci` was not run in examples/node")
def test_the_node_example_settles_a_month_by_tcp_with_a_key_until_that_is_revoked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with site(config=door_config()) as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            at, path = published(shop), shop.folder / "node.json"
            pair(
                one.open_pairing("node").code,
                endpoint=at.endpoint,
                server_key=at.server_key,
                key_file=path,
            )
            monkeypatch.setenv("TAXAGENT_KEY_FILE", str(path))
            first = run(NODE, shop, DEVICE, endpoint=at.endpoint)
            assert (first.returncode, first.stderr) == (30, "")
            (key,), (job_id, *_) = words(first, "key"), words(first, "job")
            assert waits(one, job_id, "declaration").principal == "client:node"
            shop.file_return(TAXPAYER, PERIOD)
            ended(one, job_id)
            again = run(NODE, shop, DEVICE, key, endpoint=at.endpoint)
            assert words(again, "job") == [job_id, "done", "executed"]
            one.revoke_client("node")
            began = time.monotonic()
            refused = run(NODE, shop, DEVICE, key, endpoint=at.endpoint)
            assert refused.returncode in (20, 69)
            assert "this key does not count" in refused.stderr
            assert time.monotonic() - began < 3


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_tells_a_refusal_in_the_agents_words(command: tuple[str, ...]) -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop):
            ran = run(command, shop, "000000000000")
        assert ran.returncode == 11
        assert ran.stderr.startswith("DEVICE_UNKNOWN\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_without_an_agent_ends_in_time(command: tuple[str, ...], tmp_path: Path) -> None:
    ran = subprocess.run(
        [*command, f"ipc://{tmp_path}/none", DEVICE], capture_output=True, text=True, timeout=40, check=False
    )
    assert ran.returncode in (20, 69)
    assert words(ran, "key")
