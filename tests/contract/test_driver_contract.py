"""The contract test kit for device drivers: on ours, on a second driver, and as a command."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from taxagent.device import driver as tcdp
from taxagent.device.contract import CHECKS, Bench, Finding, Plan, Verdict, examine
from taxagent.device.contract.command import main
from taxagent.device.contract.words import reason
from taxagent.host.clock import HostClock
from taxagent.model.device import QUIRKS
from taxagent.model.errors import AnswerLost
from taxagent.model.period import Period, period_of
from taxagent.model.simtime import simulated_time
from taxagent.simulator.running import Running, serve
from taxagent.simulator.scenario import Scenario, load
from taxagent.simulator.site import example
from tests.builders import minimal_driver
from tests.builders.minimal_driver import MinimalDevice, MinimalSource
from tests.builders.minimal_hardware import DEVICE_NO, PASSWORD, Hardware

ROOT = Path(__file__).resolve().parents[2]
FACTORY = "tests.builders.minimal_driver:driver"
EVERYTHING = Plan(
    backend="memory",
    device_no=DEVICE_NO,
    password=PASSWORD,
    interactive=True,
    spend_a_try=True,
    destructive=True,
    seal=Period("2026-10"),
)


def by_verdict(findings: list[Finding], verdict: Verdict) -> dict[str, str]:
    """Return the checks that ended so, with what they say."""
    return {one.check: reason(one, "en") for one in findings if one.verdict is verdict}


def failed(findings: list[Finding]) -> dict[str, str]:
    return by_verdict(findings, Verdict.FAILED)


def skipped(findings: list[Finding]) -> dict[str, str]:
    return by_verdict(findings, Verdict.SKIPPED)


def at(simulator: Running) -> str:
    return f"usbip://127.0.0.1:{simulator.usbip_port}?control={simulator.control_port}"


def oldest_due(scenario: Scenario) -> Period:
    """Return the first month that is not sealed."""
    last = min(kind.last_report for kind in scenario.types)
    inclusive = QUIRKS[scenario.kind].last_report_inclusive
    return period_of(last + dt.timedelta(days=1) if inclusive else last)


def person(simulator: Running) -> Callable[[str], None]:
    """Return who unplugs and plugs in."""

    def does(what: str) -> None:
        act = simulator.bus.unplug if what == "unplug" else simulator.bus.plug
        assert act("1-1")

    return does


@pytest.mark.parametrize("kind", ["control_disk", "golden_disk", "ukey"])
def test_our_driver_keeps_the_contract_on_the_simulator(kind: str, tmp_path: Path) -> None:
    scenario = load(example(kind))
    plan = Plan(
        device_no=scenario.device_no,
        password=scenario.password,
        interactive=True,
        spend_a_try=True,
        destructive=True,
        seal=oldest_due(scenario),
    )
    clock = HostClock(simulated_time(f"2026-11-03T11:30:00+08:00@{time.time_ns() // 1_000_000}x50"))
    with serve([scenario], tmp_path, clock=clock) as simulator:
        bench = Bench(lambda _backend: tcdp(at(simulator)), plan, tell=person(simulator))
        findings = list(examine(bench))
    assert failed(findings) == {}
    assert set(skipped(findings)) <= {"summary-is-a-pure-read", "forged-clock-ticket-is-refused"}


def test_a_second_driver_keeps_it() -> None:
    hardware = Hardware()
    bench = Bench(
        lambda _backend: MinimalSource(hardware),
        EVERYTHING,
        tell=lambda what: hardware.plug(into=what == "plug"),
    )
    findings = list(examine(bench))
    assert failed(findings) == {}
    assert set(skipped(findings)) == {"summary-is-a-pure-read"}
    again = list(examine(Bench(lambda _backend: MinimalSource(hardware), Plan(password=PASSWORD))))
    assert "summary-is-a-pure-read" in by_verdict(again, Verdict.OK)


def test_without_a_password_what_needs_a_session_is_skipped_and_nothing_fails() -> None:
    hardware = Hardware()
    findings = list(examine(Bench(lambda _backend: MinimalSource(hardware), Plan(backend="memory"))))
    assert failed(findings) == {}
    assert "hello-is-described" in by_verdict(findings, Verdict.OK)
    assert "--password-file" in skipped(findings)["session-opens"]


def test_a_refused_password_is_tried_once() -> None:
    hardware = Hardware()
    plan = Plan(backend="memory", password="87654321")
    findings = list(examine(Bench(lambda _backend: MinimalSource(hardware), plan)))
    assert list(failed(findings)) == ["session-opens"]
    assert hardware.tries_left == 4


def test_a_password_whose_answer_was_lost_is_not_tried_again() -> None:
    opens = []

    class Mute(MinimalDevice):
        def open(self, password: str) -> None:
            opens.append(password)
            raise AnswerLost("ANSWER_LOST")

    source = MinimalSource(Hardware())
    source.device_class = Mute
    findings = list(examine(Bench(lambda _backend: source, Plan(password=PASSWORD))))
    assert "session-opens" in failed(findings)
    assert "came to no end" in skipped(findings)["clock-is-naive"]
    assert opens == [PASSWORD]


def test_a_device_that_another_program_holds_is_named() -> None:
    hardware = Hardware()
    hardware.held = True
    findings = list(examine(Bench(lambda _backend: MinimalSource(hardware), Plan())))
    assert "memory:0#1 (DEVICE_IN_USE" in failed(findings)["device-is-found"]


def test_no_password_is_tried_where_one_try_is_left() -> None:
    hardware = Hardware()
    hardware.tries_left = 1
    plan = Plan(password=PASSWORD, device_no=DEVICE_NO, spend_a_try=True, destructive=True)
    findings = list(examine(Bench(lambda _backend: MinimalSource(hardware), plan)))
    assert "1 tries are left" in skipped(findings)["session-opens"]
    assert hardware.tries_left == 1


def test_a_driver_that_hangs_does_not_hang_the_kit() -> None:
    class Hanging(MinimalSource):
        def trouble(self) -> None:
            threading.Event().wait()

    findings = list(examine(Bench(lambda _backend: Hanging(Hardware()), EVERYTHING), limit_s=0.1))
    assert failed(findings) == {"trouble-is-told": "it did not end within 0.1 s"}
    assert set(skipped(findings).values()) == {"trouble-is-told did not end"}


# ---- the command


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return str(path)


def arguments(backend: str, password: str, *more: str) -> list[str]:
    command = ["--driver", FACTORY, "--backend", backend, "--lang", "en"]
    return [*command, "--device", DEVICE_NO, "--password-file", password, *more]


def test_the_command_prints_a_line_a_check_and_ends_with_0(
    password_file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments("memory:2026-11-03T11:31", password_file)) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["ok", "driver-loads"], ["ok", "trouble-is-told"]]
    assert len(lines) == len(CHECKS) + 1
    assert lines[-1].endswith("none failed")


def test_the_command_speaks_chinese(password_file: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments("memory", password_file), "--lang", "zh"]) == 0
    assert capfd.readouterr().out.startswith("通过     driver-loads")


def test_the_command_ends_with_1_where_a_check_failed(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--driver", FACTORY, "--backend", "nonsense", "--json"]) == 1
    shown = json.loads(capfd.readouterr().out)
    assert not shown["ok"]
    assert shown["device"] is None
    assert shown["checks"][0]["verdict"] == "failed"
    assert shown["checks"][0]["reason"] == "backend_refused"
    assert {row["verdict"] for row in shown["checks"][1:-1]} == {"skipped"}  # the last one judges errors


@pytest.mark.parametrize(
    "given, complaint",
    [
        (["--destructive"], "need --device"),
        (["--spend-a-try"], "need --device"),
        (["--device", DEVICE_NO, "--destructive", "661700000038"], "not the number"),
        (["--device", DEVICE_NO, "--seal", "2026-10"], "needs --destructive"),
        (["--device", DEVICE_NO, "--destructive", DEVICE_NO, "--seal", "October"], "yyyy-mm"),
        (["--password-file", "/nowhere"], "cannot be read"),
        (["--driver", "nobody"], "no such driver"),
        (["--driver", "nowhere:driver"], "cannot be loaded"),
    ],
)
def test_the_command_refuses(given: list[str], complaint: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--driver", FACTORY, "--backend", "memory", "--lang", "en", *given])
    assert ended.value.code == 2
    assert complaint in capfd.readouterr().err


def test_writes_are_shouted_about_and_want_the_number_typed(
    password_file: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return "661700000038\n"

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(SystemExit):
        main(arguments("memory", password_file, "--destructive"))
    assert "!!! WARNING" in capfd.readouterr().err


def installed(folder: Path) -> dict[str, str]:
    """Return the environment of a machine on which the second driver's package is installed."""
    package = folder / "minimal-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: minimal\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[taxagent.devices]\nminimal = {FACTORY}\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "LANG": "en_US.UTF-8"}


def test_a_driver_is_found_by_its_entry_point_and_no_test_framework_is_needed(
    tmp_path: Path, password_file: str
) -> None:
    kit = "import sys; from taxagent.device.contract.command import main; "
    command = kit + "code = main(); assert 'pytest' not in sys.modules; sys.exit(code)"
    driver = ["--driver", "minimal", "--backend", "memory", "--password-file", password_file]
    done = subprocess.run(
        [sys.executable, "-c", command, *driver, "--json", "--lang", "en"],
        env=installed(tmp_path),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["device"]["device_no"] == DEVICE_NO
    assert minimal_driver.driver("memory").trouble() is None
