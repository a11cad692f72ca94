"""What systemd's own tools say of the files that come with the agent, and whether they fit the rest of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from taxagent.device.identities import identities
from taxagent.device.recognition import PROFILE_IDS
from taxagent.host.secret_files import CREDENTIAL
from taxagent.host.unit_files import FILES, PROGRAM, UNIT, UnitFile
from taxagent.jobs import restarting

WORST_SCORE = 1.8


def text(name: str) -> str:
    return named(name).text()


def named(name: str) -> UnitFile:
    return next(file for file in FILES if file.name == name)


def settings(name: str) -> list[str]:
    """The file's lines without comments."""
    return [line for line in text(name).splitlines() if line and not line.startswith(("#", ";"))]


def said(command: Sequence[str]) -> str:
    """Run a tool of systemd's and return what it says; where it is not there the test is skipped."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not there")
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def installed(root: Path) -> Path:
    for file in FILES:
        path = root / file.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text(sys.executable))
    return root


def test_systemd_finds_nothing_to_complain_of_in_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT
    unit.write_text(named(UNIT).text(sys.executable))
    assert said(["systemd-analyze", "verify", "--man=no", str(unit)]) == ""


def test_the_unit_is_exposed_no_more_than_it_must(tmp_path: Path) -> None:
    unit = tmp_path / UNIT
    unit.write_text(text(UNIT))
    found = said(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={WORST_SCORE * 10:.0f}", str(unit)]
    )
    score = re.search(r"exposure level for \S+: ([\d.]+)", found)
    assert score is not None
    print(f"systemd-analyze security {UNIT}: {score[1]} (limit {WORST_SCORE})")
    assert float(score[1]) <= WORST_SCORE


def test_a_restart_for_a_device_that_hangs_happens_and_one_for_another_agent_does_not() -> None:
    lines = settings(UNIT)
    assert "Restart=on-failure" in lines
    prevented = (
        next(line for line in lines if line.startswith("RestartPreventExitStatus=")).split("=")[1].split()
    )
    assert prevented == ["2", "75"]
    assert str(restarting.EXIT) not in prevented


def test_libzmq_may_set_its_threads_scheduling_after_the_resources_were_taken_away() -> None:
    filters = [line for line in settings(UNIT) if line.startswith("SystemCallFilter=")]
    assert filters.index("SystemCallFilter=sched_setscheduler") > filters.index(
        "SystemCallFilter=~@privileged @resources"
    )


@pytest.mark.parametrize(
    "line", ["PrivateUsers", "PrivateDevices", "PrivateNetwork", "DynamicUser", "ProcSubset"]
)
def test_what_would_break_the_agent_is_not_set(line: str) -> None:
    assert not any(setting.startswith(f"{line}=") for setting in settings(UNIT))


def test_the_program_is_the_only_thing_that_an_installation_changes() -> None:
    there = named(UNIT).text("/opt/tax/bin/taxagent")
    assert PROGRAM not in there
    assert there.replace("/opt/tax/bin/taxagent", PROGRAM) == text(UNIT)


def test_users_and_folders_are_made_by_systemds_own_tools(tmp_path: Path) -> None:
    root = installed(tmp_path)
    said(["systemd-sysusers", f"--root={root}"])
    said(["systemd-tmpfiles", f"--root={root}", "--create", "taxagent.conf"])
    groups = {
        line.split(":")[0]: line.strip().split(":")[3]
        for line in (root / "etc/group").read_text().splitlines()
    }
    assert groups["taxdev"] == "taxagent"
    user = next(
        line for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("taxagent:")
    ).split(":")
    assert user[5] == "/var/lib/taxagent"
    assert user[6].endswith("nologin")
    modes = {
        place: oct((root / place).stat().st_mode & 0o777)
        for place in ("etc/taxagent/secrets", "etc/taxagent/credentials", "var/lib/taxagent")
    }
    assert set(modes.values()) == {"0o700"}
    if (root / "etc/taxagent/secrets").stat().st_uid != 0:  # only root can give folders away
        assert (root / "etc/taxagent/secrets").stat().st_uid == int(user[2])


def test_the_rule_names_each_vendors_device_as_the_list_of_identities_does() -> None:
    row = re.compile(
        r'ATTR{idVendor}=="(\w{4})", ATTR{idProduct}=="(\w{4})", (?:ATTR{product}=="([^"]+)", )?'
        r'TAG\+="taxagent", ENV{TAXAGENT_KIND}="(\w+)"'
    )
    found = [match.groups() for line in settings("70-taxagent.rules") if (match := row.fullmatch(line))]
    wanted = {
        (f"{one.vendor_id:04x}", f"{one.product_id:04x}", one.product or None, one.kind)
        for one in identities()
    }
    assert set(found) == wanted
    assert len(found) == len(wanted)
    # In a rules file the last assignment counts, in the list the first row that fits.
    assert [bool(product) for _, _, product, _ in found] == sorted(
        bool(product) for _, _, product, _ in found
    )


def test_the_rule_opens_profile_devices_to_the_agents_group_alone() -> None:
    lines = settings("70-taxagent.rules")
    for vendor, product in PROFILE_IDS:
        assert any(f'"{vendor:04x}"' in line and f'"{product:04x}"' in line for line in lines)
    assert [line for line in lines if "GROUP=" in line or "MODE=" in line] == [
        'MODE="0660", GROUP="taxdev", TAG+="taxagent", ENV{TAXAGENT_KIND}="profile"'
    ]
    jumps = {match for line in lines for match in re.findall(r'GOTO="(\w+)"', line)}
    assert jumps == {match for line in lines for match in re.findall(r'LABEL="(\w+)"', line)}


def test_the_units_credentials_are_found_under_the_names_that_secrets_look_for() -> None:
    loaded = [line.split("=", 1)[1] for line in settings(UNIT) if line.startswith("LoadCredential=")]
    assert loaded == [f"{CREDENTIAL.removesuffix('_')}:/etc/taxagent/credentials"]


def test_the_page_has_every_file_and_the_score() -> None:
    page = (Path(__file__).parents[3] / "docs" / "linux.md").read_text("utf-8")
    for file in FILES:
        assert f"`/{file.place}`" in page
    for status in ("216/GROUP", "243/CREDENTIALS", "203/EXEC"):
        assert status in page
