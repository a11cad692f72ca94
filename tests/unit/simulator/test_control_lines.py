"""`taxagent simulate control`: orders as they are typed, and what is wrong with those that are none."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.cli.main import main
from taxagent.simulator import bureau_control
from taxagent.simulator import control_messages as m
from taxagent.simulator.bureau_register import BureauScenario, Registration
from taxagent.simulator.bureau_server import serve_bureau
from taxagent.simulator.control_lines import BadLine, read_order, typed_order
from taxagent.simulator.running import Running
from tests.builders.bureau import BureauClock, real_ms
from tests.builders.scenario import DEVICE_NO, TAXPAYER_ID, running

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, servers=True) as simulator:
        yield simulator


def sent(port: int, *words: str) -> int:
    return main(["simulate", "control", "--control", f"127.0.0.1:{port}", *words])


def test_the_orders_of_the_page_are_obeyed(
    tmp_path: Path, devices: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_bureau(tmp_path / "bureau", BureauClock(real_ms=real_ms())) as bureau:
        ports = {"$DEVICES": devices.control_port, "$BUREAU": bureau.control_port}
        block = PAGE.split("test_control_lines.py -->\n```sh\n")[1].split("```")[0]
        lines = [shlex.split(line) for line in block.strip().splitlines()]
        for _, _, _, _, at, *words in lines:
            assert sent(ports[at], *words) == 0, words
            assert json.loads(capsys.readouterr().out)["ok"] is True
        assert bureau.bureau.conditions.refuses_login
        assert bureau.bureau.conditions.notices == ("请升级",)
    (port,) = devices.bus.ports()
    assert (port.busid, port.device.kept.battery) == ("1-7", "dead")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dance"], "allowed: plug, unplug, power_cycle"),
        (["plug"], "fields of plug: id, device, port"),
        (["plug", "device=1-1", "hard=true"], "fields of plug: id, device, port"),
        (["plug", "device=9-9"], f"no device '9-9'; there is 1-1 ({DEVICE_NO})"),
        (["plug", "device=1-1", "port=the left one"], "port"),
        (["clock", "device=1-1"], "give set, advance_s or battery"),
        (["clock", "device=1-1", "battery=flat"], "battery"),
        (["clock", "device=1-1", "advance_s=soon"], "advance_s"),
        (["clock", "device=1-1", "advance_s=999999999999"], "advance_s"),
        (["usb", "device=1-1", "empty_reads=99"], "empty_reads"),
        (["fault", "device=1-1", "command=seal", "act=empty"], "at point after"),
        (["{}"], "allowed: plug"),
    ],
)
def test_an_order_that_is_wrong_is_answered_with_what_is_allowed(
    devices: Running, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert sent(devices.control_port, *words) == 2
    reply = json.loads(capsys.readouterr().out)
    assert reply["ok"] is False
    assert told in reply["error"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plug", "1-1"], "KEY=VALUE"),
        (["set", "notices=[1"], "no JSON"),
        (['{"do":"show"}', "device=1-1"], "one word"),
    ],
)
def test_words_that_make_no_order_are_not_sent(
    devices: Running, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert sent(devices.control_port, *words) == 2
    assert told in capsys.readouterr().err


def test_nobody_at_the_address_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert sent(1, "show") == 69
    assert "no simulator at 127.0.0.1:1" in capsys.readouterr().err


def test_a_return_that_the_bureau_does_not_take_is_no_success_and_names_the_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = tuple(
        Registration(device_no=number, taxpayer_id=TAXPAYER_ID, terminal_no=terminal)
        for terminal, number in enumerate((DEVICE_NO, "661700000012"))
    )
    scenario = BureauScenario(devices=issued)
    with serve_bureau(tmp_path, BureauClock(real_ms=real_ms()), scenario=scenario) as bureau:
        at = f"127.0.0.1:{bureau.control_port}"
        filed = ["--taxpayer", TAXPAYER_ID, "--period", "2026-10"]
        assert main(["simulate", "file-return", "--control", at, *filed]) == 2
    told = capsys.readouterr().err
    assert f"0号开票机（{DEVICE_NO}）、1号开票机（661700000012）" in told


def test_a_bureau_names_its_own_orders() -> None:
    with pytest.raises(BadLine, match="allowed: fault, release, clear_faults, file, set, show, log"):
        read_order(typed_order(["dance"]), bureau_control.AnyOrder)


def test_numbers_and_flags_may_be_typed_as_they_are() -> None:
    order = read_order(
        typed_order(["usb", "device=1-1", "empty_reads=2", "readable_strings=false"]), m.AnyOrder
    )
    assert order == m.SetUsb(device="1-1", empty_reads=2, readable_strings=False)
    ended = read_order(typed_order(["set", "maintenance=null"]), bureau_control.AnyOrder)
    assert ended.changes() == {"maintenance": None}
