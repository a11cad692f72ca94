"""The Debian package: refused beside one by hand, without a configuration at rest, and left alone."""

from __future__ import annotations

from pathlib import Path

from tests.vm.guest.forks import BIN
from tests.vm.guest.machine import done, out, unit
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

DEVICES: dict[str, str] = {}
OPENS = True
FIRST, LATER = "/stage/packages/first.deb", "/stage/packages/later.deb"
CONFIG = Path("/etc/taxagent/taxagent.toml")
_ASIDE = Path("/etc/taxagent.toml.aside")


def checks(report: Report, _: Shop) -> None:
    """The service that was installed by hand gives way to the package; what follows finds that."""
    report.check("refused while a service that was installed by hand is there", refused)
    report.check("without a configuration its unit rests, and is not failed", installs, always=True)
    report.check("`taxagent service` leaves it to the package's tools", left_alone)


def dpkg(*words: str) -> str:
    """Run dpkg. Raises AssertionError with what it said."""
    ended = done("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *words, timeout_s=600.0)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def refused() -> None:
    """Before a file is unpacked."""
    ended = done("dpkg", "-i", FIRST, timeout_s=300.0)
    assert ended.returncode != 0
    assert f"{BIN}/taxagent service uninstall" in ended.stderr, ended.stderr
    assert unit("FragmentPath")["FragmentPath"].startswith("/etc/")


def installs() -> str:
    """The folder of the stage's own copy gives way first; who has it open keeps it."""
    out(f"{BIN}/taxagent", "service", "uninstall")
    out("umount", "--lazy", "/usr/lib/taxagent")
    CONFIG.rename(_ASIDE)
    said = dpkg("-i", FIRST)
    assert "next: taxagent setup" in said, said
    told = unit("ActiveState", "Result", "UnitFileState", "ConditionResult", "FragmentPath")
    assert (told["ActiveState"], told["Result"]) == ("inactive", "success"), told
    assert (told["UnitFileState"], told["ConditionResult"]) == ("enabled", "no"), told
    assert told["FragmentPath"].startswith(("/lib/", "/usr/lib/")), told
    assert not out("systemctl", "--failed", "--no-legend", "list-units", "taxagent*").strip()
    _ASIDE.replace(CONFIG)
    return out("taxagent", "--version").strip()


def left_alone() -> None:
    """Whoever types the other way of installing is told the right one."""
    for action, word in (("install", "--reinstall"), ("uninstall", "apt-get remove")):
        ended = done("taxagent", "--lang", "en", "service", action)
        assert ended.returncode == 2, ended
        assert word in ended.stderr, ended.stderr
    ended = done("taxagent", "--lang", "en", "service", "status")
    assert ended.stdout.startswith("package "), ended.stdout
