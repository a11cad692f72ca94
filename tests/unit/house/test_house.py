"""The house keeps its own rules: commands, lock file, wheels, reasons beside ignored rules."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
WHEELS = {"agent": "taxagent", "client": "taxclient"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads(read(name))


def built(folder: str, where: Path) -> zipfile.ZipFile:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(where)]
    subprocess.run(command, cwd=ROOT / folder, check=True, capture_output=True)
    return zipfile.ZipFile(next(where.glob("*.whl")))


def shipped(folder: str) -> set[str]:
    """What git knows below a wheel's package, or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", WHEELS[folder]],
        cwd=ROOT / folder,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return {name for name in listing.split("\0") if name and (ROOT / folder / name).is_file()}


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "clean", "help"])
def test_help_lists_the_target(target: str) -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.search(rf"^make {target} +\S", shown, re.MULTILINE)


def test_a_commit_is_checked_by_what_make_check_runs() -> None:
    checks = re.search(r"^CHECKS := (.*)$", read("Makefile"), re.MULTILINE)
    hooks = re.findall(r"entry: make ([\w-]+)", read(".pre-commit-config.yaml"))
    assert checks is not None
    assert hooks == checks[1].split()


def test_ci_is_strict_and_runs_the_checks_and_the_readme_s_tests() -> None:
    script = read(".ci/run")
    assert "set -euo pipefail" in script
    assert re.findall(r"^make .*$", script, re.MULTILINE) == ["make check", "make test"]
    assert "$ make test" in read("README.md")


def test_each_ignored_lint_rule_has_a_reason() -> None:
    lint = read("pyproject.toml").split("[tool.ruff.lint]")[1].split("[tool.ruff.lint.flake8-tidy-imports")[0]
    reason_above = False
    for line in lint.splitlines():
        if re.match(r'\s*"[A-Z]+\d*",', line):
            assert reason_above or "  # " in line, line
        reason_above = line.strip().startswith("#") or (reason_above and line.strip().startswith('"'))


def test_the_lock_file_has_a_hash_for_everything_that_the_wheels_and_the_tools_need() -> None:
    locked = {
        block.split("==")[0].lower(): "--hash=sha256:" in block
        for block in re.split(r"\n(?=[a-z])", read("requirements.txt"))
        if "==" in block
    }
    wanted = [
        *toml("agent/pyproject.toml")["project"]["dependencies"],
        *toml("client/pyproject.toml")["project"]["dependencies"],
        *toml("pyproject.toml")["dependency-groups"]["dev"],
    ]
    names = {re.split(r"[\[<>=!~; ]", need)[0] for need in wanted} - set(WHEELS.values())
    assert {name for name in names if not locked.get(name)} == set()
    assert all(locked.values())


@pytest.mark.parametrize("folder", WHEELS)
def test_a_wheel_carries_every_file_of_its_package_its_types_and_the_licence(
    folder: str, tmp_path: Path
) -> None:
    wheel = built(folder, tmp_path)
    names = set(wheel.namelist())
    assert shipped(folder) - names == set()
    assert f"{WHEELS[folder]}/py.typed" in names
    licence = next(name for name in names if name.endswith("/LICENSE"))
    assert wheel.read(licence).decode() == read("LICENSE")


def test_the_wheels_name_their_commands_and_the_driver() -> None:
    agent, client = toml("agent/pyproject.toml")["project"], toml("client/pyproject.toml")["project"]
    assert agent["scripts"] == {"taxagent": "taxagent.cli.main:main"}
    assert client["scripts"] == {"taxctl": "taxclient.cli.main:main"}
    assert agent["entry-points"] == {"taxagent.devices": {"tcdp": "taxagent.device:driver"}}


def test_both_wheels_are_of_one_version() -> None:
    versions = {
        re.findall(r'^__version__ = "(.+)"$', read(f"{folder}/{package}/__init__.py"), re.MULTILINE)[0]
        for folder, package in WHEELS.items()
    }
    assert len(versions) == 1


def test_no_test_reaches_the_network() -> None:
    with socket.socket() as sock, pytest.raises(PermissionError, match="only the loopback"):
        sock.connect(("192.0.2.1", 9))
