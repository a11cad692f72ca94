"""The Debian package's parts that can be looked at without building it: pins, licences, scripts, files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from taxagent.host.unit_files import FILES, PROGRAM
from tools import runtime_pins, wheel_licences

ROOT = Path(__file__).parents[3]
DEBIAN = ROOT / "packaging/debian"
MAINTAINERS = [DEBIAN / f"taxagent.{name}" for name in ("preinst", "postinst", "postrm")]
SCRIPTS = [*MAINTAINERS, ROOT / "packaging/deb.sh"]


def lock() -> str:
    return (ROOT / "requirements.txt").read_text("utf-8")


def test_the_pins_hold_what_the_wheels_ask_for_and_nothing_of_the_developers() -> None:
    pins = runtime_pins.runtime(lock())
    for wheel in ("agent", "client"):
        project = tomllib.loads((ROOT / wheel / "pyproject.toml").read_text("utf-8"))["project"]
        asked = {re.split(r"[^a-zA-Z0-9._-]", need, maxsplit=1)[0] for need in project["dependencies"]}
        assert asked - {"taxclient"} <= pins.keys()
    assert not pins.keys() & {"pytest", "mypy", "ruff", "hypothesis", "rich", "hatchling", "coverage"}
    assert {"h11", "cffi", "idna"} <= pins.keys()  # asked for by those that were asked for
    assert all("--hash=sha256:" in pin for pin in pins.values())


def wheel(folder: Path, *headers: str, **texts: str) -> Path:
    path = folder / "gauge-1.2-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr("gauge-1.2.dist-info/METADATA", "\n".join(("Name: gauge", "Version: 1.2", *headers)))
        archive.writestr("gauge/__init__.py", "")
        for name, text in texts.items():
            archive.writestr(f"gauge-1.2.dist-info/licenses/{name}", text)
    return path


def test_a_vendored_wheel_has_its_licence_with_the_texts_that_it_brings(tmp_path: Path) -> None:
    told = wheel_licences.stanza(
        wheel(tmp_path, "License-Expression: ISC", "Author: A. Maker", LICENSE="May\n\nbe.")
    )
    lines = told.splitlines()
    assert "Files: usr/lib/taxagent/lib/*/site-packages/gauge-1.2.dist-info/*" in lines
    assert "Copyright: A. Maker" in lines
    assert lines[-3:] == [" May", " .", " be."]
    assert " gauge 1.2: ISC" in lines


def test_a_wheel_that_says_no_licence_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="says no licence"):
        wheel_licences.stanza(wheel(tmp_path))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_posix_shell_that_ends_at_the_first_failure(script: Path) -> None:
    shell = shutil.which("dash") or "/bin/sh"
    ran = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.search(r"^set -eu?$", script.read_text("utf-8"), re.MULTILINE)


def test_debhelper_adds_its_lines_to_each_of_the_maintainers_scripts() -> None:
    for script in MAINTAINERS:
        assert "\n#DEBHELPER#\n" in script.read_text("utf-8")


def test_users_are_made_before_the_rules_and_before_debhelper_starts_the_unit() -> None:
    text = (DEBIAN / "taxagent.postinst").read_text("utf-8")
    order = [text.index(word) for word in ("systemd-sysusers", "udevadm control", "\n#DEBHELPER#")]
    assert order == sorted(order)


def test_each_file_of_the_service_is_packed_from_its_one_source(tmp_path: Path) -> None:
    place = DEBIAN / "place.py"
    subprocess.run([sys.executable, place, tmp_path], check=True, cwd=ROOT / "agent")
    for file in FILES:
        where = (tmp_path / file.packaged, tmp_path / str(file.packaged).removeprefix("usr/"))
        found = next(path for path in where if path.exists())
        assert found.read_text("utf-8") == file.text()
    assert f"ExecStart={PROGRAM} run" in (tmp_path / "lib/systemd/system/taxagent.service").read_text("utf-8")
    assert PROGRAM == "/usr/lib/taxagent/bin/taxagent"  # where the package has it


def test_every_override_of_lintian_has_its_reason() -> None:
    lines = (DEBIAN / "taxagent.lintian-overrides").read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert len([line for line in lines if not line.startswith("#")]) < 10
