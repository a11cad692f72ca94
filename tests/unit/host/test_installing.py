"""The service below a folder: installed, looked at and taken away; and what would run on a live host."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from taxagent.host.installing import CONFIG, HIDDEN, Installation, Ran, Run, hidden, program_of
from taxagent.host.unit_files import FILES, PROGRAM, SOCKET, UNIT

PROGRAM_HERE = Path("/opt/taxagent/bin/taxagent")


class Commands:
    """Commands that are only written down; `codes` says how those that begin so end."""

    def __init__(self, codes: dict[str, int] | None = None, missing: Sequence[str] = ()) -> None:
        self.ran: list[str] = []
        self._codes = codes or {}
        self._missing = missing

    def __call__(self, command: Sequence[str]) -> Ran | None:
        if command[0] in self._missing:
            return None
        typed = " ".join(command)
        self.ran.append(typed)
        code = next((code for start, code in self._codes.items() if typed.startswith(start)), 0)
        return Ran(code=code, said="it said no" if code else "")


def below(root: Path, runs: Run, *, dry_run: bool = False) -> Installation:
    return Installation(root, program=PROGRAM_HERE, dry_run=dry_run, runs=runs)


def everything_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_every_file_is_in_its_place_and_the_unit_starts_this_program(tmp_path: Path) -> None:
    commands = Commands()
    did = [step.did for step in below(tmp_path, commands).install()]
    assert did == ["written"] * len(FILES) + ["ran"] * 3
    assert everything_below(tmp_path) == {str(file.place) for file in FILES}
    unit = (tmp_path / "etc/systemd/system" / UNIT).read_text()
    assert f"ExecStart={PROGRAM_HERE} run" in unit
    assert PROGRAM not in unit
    assert commands.ran == [
        f"systemd-sysusers --root={tmp_path} taxagent.conf",  # before the rules and the unit name its groups
        f"systemd-tmpfiles --root={tmp_path} --create taxagent.conf",
        f"systemctl --root={tmp_path} enable taxagent.service",
    ]


def test_a_second_installation_finds_all_in_place_and_mends_what_differs(tmp_path: Path) -> None:
    list(below(tmp_path, Commands()).install())
    assert {step.did for step in below(tmp_path, Commands()).install()} == {"same", "ran"}
    unit = tmp_path / "etc/systemd/system" / UNIT
    unit.write_text("[Service]\n")
    assert dict(below(tmp_path, Commands()).files())[str(unit)] == "differs"
    assert [step.what for step in below(tmp_path, Commands()).install() if step.did == "replaced"] == [
        str(unit)
    ]
    assert {state for _, state in below(tmp_path, Commands()).files()} == {"same"}


def test_a_dry_run_says_the_same_and_does_nothing(tmp_path: Path) -> None:
    commands = Commands()
    would = [step.what for step in below(tmp_path, commands, dry_run=True).install()]
    assert (commands.ran, list(tmp_path.iterdir())) == ([], [])
    assert would == [step.what for step in below(tmp_path, commands).install()]


def test_an_uninstallation_takes_its_files_and_keeps_the_journal(tmp_path: Path) -> None:
    list(below(tmp_path, Commands()).install())
    journal = tmp_path / "var/lib/taxagent/journal.sqlite"
    journal.parent.mkdir(parents=True)
    journal.touch()
    commands = Commands()
    steps = list(below(tmp_path, commands).uninstall())
    assert commands.ran == [  # the socket first: a scrape of it would start the agent again
        f"systemctl --root={tmp_path} disable taxagent-metrics.socket",
        f"systemctl --root={tmp_path} disable taxagent.service",
    ]
    assert everything_below(tmp_path) == {"var/lib/taxagent/journal.sqlite"}
    assert [step.what for step in steps if step.did == "kept"] == [str(journal.parent)]
    assert {step.did for step in below(tmp_path, Commands()).uninstall()} == {"absent", "kept"}


def test_a_purge_takes_journal_secrets_and_drop_ins_too(tmp_path: Path) -> None:
    list(below(tmp_path, Commands()).install())
    for place in (
        "var/lib/taxagent/journal.sqlite",
        "etc/taxagent/secrets/device-1",
        f"etc/systemd/system/{UNIT}.d/a",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    list(below(tmp_path, Commands()).uninstall(purge=True))
    assert everything_below(tmp_path) == set()


def test_what_a_command_says_when_it_fails_is_told_and_the_rest_is_done_all_the_same(tmp_path: Path) -> None:
    commands = Commands({"systemd-sysusers": 1}, missing=["systemd-tmpfiles"])
    steps = {step.what.split()[0]: step for step in below(tmp_path, commands).install()}
    assert (steps["systemd-sysusers"].failed, steps["systemd-sysusers"].why) == (True, "it said no")
    assert (steps["systemd-tmpfiles"].did, steps["systemctl"].did) == ("not_there", "ran")


def test_on_the_running_host_users_come_first_and_the_rules_are_read_anew(tmp_path: Path) -> None:
    would = [
        step.what
        for step in Installation(Path("/"), program=PROGRAM_HERE, dry_run=True, runs=Commands()).install()
        if step.did == "ran"
    ]
    restarted = ["systemctl restart taxagent.service"] if (Path("/") / CONFIG).exists() else []
    assert would == [
        "systemd-sysusers taxagent.conf",
        "systemd-tmpfiles --create taxagent.conf",
        "udevadm control --reload",
        "udevadm trigger --subsystem-match=usb --action=change",
        "systemctl daemon-reload",
        "systemctl enable taxagent.service",
        *restarted,
    ]


def test_what_systemd_knows_of_the_unit_is_read_by_name() -> None:
    said = "ActiveState=active\nStatusText=Ready: 1 plugged\nNRestarts=0"
    running = Installation(Path("/"), program=PROGRAM_HERE, runs=lambda _command: Ran(code=0, said=said))
    assert running.unit()["StatusText"] == "Ready: 1 plugged"
    assert Installation(Path("/"), program=PROGRAM_HERE, runs=lambda _command: None).unit() == {}


@pytest.mark.parametrize("folder", HIDDEN)
def test_a_program_in_a_home_cannot_be_started_by_the_unit(folder: Path) -> None:
    assert hidden(folder / "venv" / "taxagent")
    assert not hidden(Path("/opt/taxagent"))


def test_the_program_is_the_one_that_was_started(tmp_path: Path) -> None:
    program = tmp_path / "taxagent"
    program.touch(mode=0o755)
    assert program_of(str(program), "/opt/venv") == program
    assert program_of("/somewhere/__main__.py", "/opt/venv") == Path("/opt/venv/bin/taxagent")


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd is not there")
def test_with_the_systems_own_tools_nothing_of_it_is_left_after_a_purge(tmp_path: Path) -> None:
    installation = Installation(tmp_path, program=PROGRAM_HERE)
    assert [step for step in installation.install() if step.failed] == []
    enable = ["systemctl", f"--root={tmp_path}", "enable", SOCKET]
    subprocess.run(enable, check=True, capture_output=True, timeout=30)
    assert (tmp_path / "etc/systemd/system/sockets.target.wants" / SOCKET).is_symlink()
    assert (tmp_path / "etc/systemd/system/multi-user.target.wants" / UNIT).is_symlink()
    assert "\ntaxdev:" in f"\n{(tmp_path / 'etc/group').read_text()}"
    assert (tmp_path / "etc/taxagent/secrets").is_dir()
    assert [step for step in installation.uninstall(purge=True) if step.failed] == []
    assert "taxagent" not in (tmp_path / "etc/passwd").read_text()
    assert "tax" not in (tmp_path / "etc/group").read_text()
    left = [path for path in tmp_path.rglob("*") if "taxagent" in path.name]
    assert left == []


def packaged_below(root: Path) -> None:
    """Put the files where the Debian package has them."""
    for file in FILES:
        (root / file.packaged).parent.mkdir(parents=True, exist_ok=True)
        (root / file.packaged).write_text(file.text())


def test_a_packaged_service_is_known_by_its_unit_and_compared_where_the_package_put_it(
    tmp_path: Path,
) -> None:
    assert not below(tmp_path, Commands()).packaged
    packaged_below(tmp_path)
    found = below(tmp_path, Commands())
    assert (found.packaged, found.by_hand) == (True, False)
    assert {state for _, state in found.files()} == {"same"}
    assert f"{tmp_path}/usr/lib/systemd/system/{UNIT}" in dict(found.files())


def test_a_file_in_etc_goes_before_the_packaged_one_and_is_the_one_that_is_looked_at(tmp_path: Path) -> None:
    packaged_below(tmp_path)
    own = tmp_path / "etc/udev/rules.d/70-taxagent.rules"
    own.parent.mkdir(parents=True)
    own.write_text("# nothing\n")
    found = below(tmp_path, Commands())
    assert dict(found.files())[str(own)] == "differs"
    assert not found.by_hand
