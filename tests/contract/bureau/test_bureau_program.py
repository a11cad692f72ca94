"""The simulated bureau as a program: `taxagent simulate bureau` and `taxagent simulate file-return`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import taxagent
from taxagent.bureau.client import GatewayClient, GatewaySettings
from taxagent.host.clock import HostClock
from taxagent.model.bureau import DeclarationState
from taxagent.model.simtime import local_time
from taxagent.simulator.bureau_cli import add_bureau
from tests.builders.bureau import DEVICE, OCTOBER, TAXPAYER, sealed_report

_PROGRAM = (
    "import argparse; from taxagent.simulator.bureau_cli import add_bureau;"
    "p = argparse.ArgumentParser(); add_bureau(p.add_subparsers());"
    "a = p.parse_args(); raise SystemExit(a.run(a))"
)


class Program:
    """A bureau in its own process, ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.ready: dict[str, str] = json.loads(process.stdout.readline())

    @contextmanager
    def client(self) -> Iterator[GatewayClient]:
        settings = GatewaySettings(
            url=self.ready["url"],
            ca=self.ready["ca"],
            certificate=self.ready["client_certificate"],
            key=self.ready["client_key"],
        )
        client = GatewayClient(settings, HostClock())
        try:
            yield client
        finally:
            client.close()


def command(*args: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, *args]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(taxagent.__file__).parents[1])}


@contextmanager
def bureau(directory: Path, *args: str) -> Iterator[Program]:
    sim_clock = f"2026-11-03T09:30:00+08:00@{time.time_ns() // 1_000_000}x60"
    line = command("bureau", "--dir", str(directory), "--sim-clock", sim_clock, *args)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


def test_it_says_where_it_is_serves_in_its_own_time_and_ends_on_sigterm(tmp_path: Path) -> None:
    with bureau(tmp_path) as program:
        with program.client() as client:
            assert local_time(client.status().clock_ms).date().isoformat() == "2026-11-03"
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(timeout=10) == 0


def test_what_it_answered_survives_kill_9(tmp_path: Path) -> None:
    with bureau(tmp_path) as program, program.client() as client:
        receipt = client.put_report(sealed_report())
        program.process.kill()
        program.process.wait(timeout=10)
    with bureau(tmp_path) as program, program.client() as client:
        assert client.get_report(DEVICE, "007", OCTOBER) == receipt


def test_a_return_is_filed_by_command(tmp_path: Path) -> None:
    with bureau(tmp_path, "--taxpayer", TAXPAYER) as program:
        filing = ("--control", program.ready["control"], "--taxpayer", TAXPAYER, "--period", "2026-10")
        done = subprocess.run(
            command("file-return", *filing),
            capture_output=True,
            text=True,
            env=environment(),
            timeout=20,
            check=True,
        )
        assert json.loads(done.stdout)["state"] == "accepted"
        with program.client() as client:
            assert client.get_declaration(TAXPAYER, OCTOBER).state is DeclarationState.ACCEPTED


def test_where_no_bureau_is_the_command_says_so() -> None:
    filing = ("--control", "127.0.0.1:1", "--taxpayer", TAXPAYER, "--period", "2026-10")
    done = subprocess.run(
        command("file-return", *filing),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=20,
        check=False,
    )
    assert done.returncode == 69
    assert "no bureau at 127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "bureau",
        "bureau --dir x --listen nowhere",
        "bureau --dir x --sim-clock tomorrow",
        "bureau --dir x --taxpayer 91310115MA1K35TT60",  # wrong check character
        f"file-return --control 127.0.0.1:1 --taxpayer {TAXPAYER} --period October",
        f"file-return --control 127.0.0.1:1 --taxpayer {TAXPAYER} --period 2026-10 --state eaten",
    ],
)
def test_a_wrong_argument_is_a_usage_error(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_bureau(parser.add_subparsers(required=True))
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(line.split())
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err
