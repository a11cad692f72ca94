"""`taxagent simulate device` and `control`: a process of its own whose devices outlive it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from taxagent.cli.main import main
from taxagent.device import driver
from taxagent.model.device import SealOrder
from taxagent.model.simtime import simulated_time
from taxagent.simulator import control_messages as m
from taxagent.simulator.control_client import ControlClient
from taxagent.simulator.scenario import load
from taxagent.simulator.site import example
from tests.builders.scenario import seal_of

EXAMPLE_FILE = example("control_disk")
EXAMPLE = load(EXAMPLE_FILE)
CLOCK = "2026-11-03T09:30:00+08:00@1795561200000x0"


class Simulator:
    """A running `taxagent simulate device`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "taxagent.cli.main", "simulate", "device", *arguments],
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())

    @property
    def usbip(self) -> str:
        return f"usbip://{self.ready['usbip']}?control={self.ready['control'].rpartition(':')[2]}"

    def control(self) -> ControlClient:
        host, _, port = self.ready["control"].rpartition(":")
        return ControlClient(host, int(port))

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


Start = Callable[..., Simulator]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Simulator] = []

    def run(*more: str) -> Simulator:
        state = ["--state", str(tmp_path / "devices"), "--sim-clock", CLOCK]
        started.append(Simulator([str(EXAMPLE_FILE), *state, *more]))
        return started[-1]

    yield run
    for simulator in started:
        if simulator.process.poll() is None:
            simulator.end(signal.SIGKILL)


def seal(simulator: Simulator, order: SealOrder) -> None:
    source = driver(simulator.usbip)
    (seen,) = source.seen()
    with source.hold(seen.location) as device:
        device.hello()
        device.open(EXAMPLE.password)
        device.seal(order)


def last_report(simulator: Simulator) -> str:
    with simulator.control() as control:
        (shown,) = control.order(m.Show()).devices or ()
        return shown.groups["007"][0].isoformat()


def test_it_says_where_it_serves_and_ends_cleanly_on_a_signal(start: Start) -> None:
    simulator = start()
    assert simulator.ready["devices"] == [{"busid": "1-1", "device_no": EXAMPLE.device_no}]
    assert len(driver(simulator.usbip).seen()) == 1
    assert simulator.end(signal.SIGTERM) == 0


def test_a_sealed_month_survives_kill_9_and_a_reset_forgets_it(start: Start) -> None:
    simulator = start()
    seal(simulator, seal_of())
    simulator.end(signal.SIGKILL)
    again = start()
    assert last_report(again) == "2026-10-31"
    with again.control() as control:
        log = control.order(m.Log(device=EXAMPLE.device_no)).writes or ()
    assert len(log) == 1
    again.end(signal.SIGINT)
    assert last_report(start("--reset")) == "2026-09-30"


def test_the_simulated_clock_is_the_devices(start: Start) -> None:
    with start().control() as control:
        (shown,) = control.order(m.Show()).devices or ()
    assert shown.clock.isoformat() == "2026-11-03T09:30:02"  # the example's clock is two seconds ahead
    assert str(simulated_time(CLOCK)) == CLOCK


def test_orders_can_be_given_from_the_command_line(
    start: Start, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    simulator = start()
    control = ["simulate", "control", "--control", simulator.ready["control"]]
    assert main([*control, '{"do":"unplug","device":"1-1"}']) == 0
    assert main([*control, '{"do":"plug"}']) == 2
    said = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [reply["ok"] for reply in said] == [True, False]
    assert driver(simulator.usbip).seen() == ()


@pytest.mark.parametrize("option", ["--listen", "--control"])
def test_other_machines_are_kept_out(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "device", str(EXAMPLE_FILE), option, "0.0.0.0:0"]) == 2
    assert "--remote" in capsys.readouterr().err


def test_a_wrong_scenario_ends_it_with_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(EXAMPLE_FILE.read_text(encoding="utf-8").replace("tries = 5", "tries = 99"), "utf-8")
    assert main(["simulate", "device", str(wrong)]) == 2
    said = capsys.readouterr().err
    assert "SCENARIO_INVALID" in said
    assert "tries" in said


def test_no_simulator_at_the_address_is_said_and_not_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "control", "--control", "127.0.0.1:1", '{"do":"show"}']) == 69
    assert "127.0.0.1:1" in capsys.readouterr().err
