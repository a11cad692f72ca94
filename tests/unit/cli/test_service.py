"""`taxagent service`: what it prints, what it refuses, and its exit codes."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from taxagent.cli.main import main
from taxagent.host import installing
from taxagent.host.unit_files import FILES, UNIT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's services")


@pytest.fixture(autouse=True)
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command of the system is found: files alone."""
    monkeypatch.setattr(shutil, "which", lambda *_words, **_more: None)


def service(*words: str) -> int:
    return main(["--lang", "en", "service", *words])


def test_it_prints_what_it_did_and_a_status_finds_it_in_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service("install", "--root", str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert f"written   {tmp_path}/etc/systemd/system/taxagent.service" in said
    assert "next: taxagent setup" in said
    assert service("status", "--root", str(tmp_path)) == 1  # nothing runs below a folder
    said = capsys.readouterr().out
    assert said.count("in place") == len(said.splitlines()) - 1


def test_a_dry_run_is_said_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert service("install", "--root", str(tmp_path), "--dry-run") == 0
    assert capsys.readouterr().out.startswith("Dry run, this would be done:\n")
    assert list(tmp_path.iterdir()) == []


def test_a_program_would_read_it_as_json(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert service("install", "--root", str(tmp_path), "--json") == 0
    told = msgspec.json.decode(capsysbinary.readouterr().out)
    assert told["dry_run"] is False
    assert {step["did"] for step in told["steps"]} == {"written", "not_there"}


def test_a_purge_asks_and_does_nothing_unless_it_hears_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "var/lib/taxagent").mkdir(parents=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))  # no terminal: nobody to ask
    assert service("uninstall", "--root", str(tmp_path), "--purge") == 2
    assert "Nothing was done." in capsys.readouterr().err
    assert (tmp_path / "var/lib/taxagent").exists()
    assert service("uninstall", "--root", str(tmp_path), "--purge", "--yes") == 0
    assert not (tmp_path / "var/lib/taxagent").exists()


def test_a_program_in_a_home_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "taxagent"
    program.touch(mode=0o755)
    if not installing.hidden(program):
        pytest.skip("the test's folder is nowhere hidden")
    assert service("install", "--program", str(program), "--dry-run") == 2
    assert "install taxagent under /opt" in capsys.readouterr().err


def test_only_root_installs_it_on_the_host(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert service("install", "--program", "/bin/sh") == 77
    assert service("uninstall") == 77
    assert "Run this as root." in capsys.readouterr().err


def test_a_status_says_what_systemd_knows_and_what_the_agent_says_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl = tmp_path / "systemctl"
    facts = {
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "UnitFileState": "enabled",
        "NRestarts": "1",
        "Result": "success",
        "ExecMainStatus": "71",
        "StatusText": "Ready: 1 plugged",
    }
    said = "\n".join(f"{name}={value}" for name, value in facts.items())
    systemctl.write_text(f"#!/bin/sh\ncat <<END\n{said}\nEND\n")
    systemctl.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_words, **_more: str(systemctl))
    service("status")
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "unit      active (running), enabled, 1 restarts, last exit success/71",
        "it says   Ready: 1 plugged",
        "socket    active (running), enabled (taxagent-metrics.socket, for metrics)",
    ]
    assert main(["--lang", "zh", "service", "status"]) == 1  # the files are not there
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "单元      active（running），开机启动 是，重启 1 次，上次退出 success/71",
        "它说      Ready: 1 plugged",
        "指标端口  active（running），开机启动 是（taxagent-metrics.socket）",
    ]


def test_a_packaged_service_is_left_to_its_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in FILES:
        (tmp_path / file.packaged).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.packaged).write_text(file.text())
    for action, said in (("install", "apt-get install --reinstall"), ("uninstall", "apt-get remove")):
        assert service(action, "--root", str(tmp_path)) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "etc").exists()
    service("status", "--root", str(tmp_path))
    assert capsys.readouterr().out.startswith("package   installed as a package of the system\n")


def test_what_was_installed_by_hand_beside_a_package_may_go_and_not_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service("install", "--root", str(tmp_path)) == 0
    unit = next(file for file in FILES if file.name == UNIT)
    (tmp_path / unit.packaged).parent.mkdir(parents=True)
    (tmp_path / unit.packaged).write_text(unit.text())
    assert service("uninstall", "--root", str(tmp_path), "--purge", "--yes") == 2
    assert service("uninstall", "--root", str(tmp_path)) == 0
    assert (tmp_path / unit.packaged).exists()
    assert not (tmp_path / unit.place).exists()
    assert capsys.readouterr().out
