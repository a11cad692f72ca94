"""The Debian package, installed in the guest's tree: at rest without a configuration, and left alone."""

from __future__ import annotations

from pathlib import Path

from tests.vm.guest.machine import done, out, unit
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

DEVICES: dict[str, str] = {}
OPENS = True
FIRST, LATER = "/stage/packages/first.deb", "/stage/packages/later.deb"
CONFIG = Path("/etc/taxagent/taxagent.toml")


def checks(report: Report, shop: Shop) -> None:
    """As after an installation: nothing is configured yet."""
    CONFIG.unlink()
    report.check("without a configuration its unit rests, and is not failed", rests)
    report.check("`taxagent service` leaves it to the package's tools", left_alone)
    shop.configure()


def dpkg(*words: str) -> str:
    """Run dpkg. Raises AssertionError with what it said."""
    ended = done("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *words, timeout_s=600.0)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def rests() -> str:
    """Since the boot: systemd has looked at it."""
    told = unit("ActiveState", "Result", "UnitFileState", "ConditionResult", "FragmentPath")
    assert (told["ActiveState"], told["Result"]) == ("inactive", "success"), told
    assert (told["UnitFileState"], told["ConditionResult"]) == ("enabled", "no"), told
    assert told["FragmentPath"].startswith(("/lib/", "/usr/lib/")), told
    assert not out("systemctl", "--failed", "--no-legend", "list-units", "taxagent*").strip()
    return out("dpkg-query", "--show", "taxagent").strip()


def left_alone() -> None:
    """Whoever types the other way of installing is told the right one."""
    for action, word in (("install", "--reinstall"), ("uninstall", "apt-get remove")):
        ended = done("taxagent", "--lang", "en", "service", action)
        assert ended.returncode == 2, ended
        assert word in ended.stderr, ended.stderr
    ended = done("taxagent", "--lang", "en", "service", "status")
    assert ended.stdout.startswith("package "), ended.stdout
