"""The Debian package: installed, a month by its service, upgraded in a seal, removed, back again, purged."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

from tests.vm.guest.machine import done, out, unit, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import BIN, Shop
from tests.vm.guest.trouble import begun, fault

LATER = "99.0"
_CONFIG = Path("/etc/taxagent/taxagent.toml")
_ASIDE = Path("/etc/taxagent.toml.aside")
_STATE = Path("/var/lib/taxagent")
_KEPT = Path("/var/backups")
_FIRST, _LATER = "/stage/packages/first.deb", "/stage/packages/later.deb"


def checks(report: Report, shop: Shop, numbers: dict[str, str]) -> None:
    """The last of all: the service that was installed by hand gives way to the package, and nothing stays."""
    report.check("package: refused while a service that was installed by hand is there", refused)
    report.check("package: without a configuration its unit rests, and is not failed", installs)
    report.check(
        "package: its service settles a month for a member of the group",
        partial(settles, shop, numbers["package"]),
    )
    report.check("package: `taxagent service` leaves it to the package's tools", left_alone)
    report.check(
        "package: upgraded in a seal: it waits for the device, the new version does the rest, one seal",
        partial(upgraded, shop, numbers["upgrade"]),
    )
    report.check("package: its script run once more changes nothing", again)
    report.check("package: removed, it leaves journal, secrets, configuration, user", removed)
    report.check("package: installed again, it goes on with the journal", partial(back, shop))
    report.check("package: purged, journal and back-ups are moved, the rest is gone", purged)


def dpkg(*words: str) -> str:
    """Run dpkg. Raises AssertionError with what it said."""
    ended = done("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *words, timeout_s=600.0)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def refused() -> None:
    """Before a file is unpacked."""
    ended = done("dpkg", "-i", _FIRST, timeout_s=300.0)
    assert ended.returncode != 0
    assert f"{BIN}/taxagent service uninstall" in ended.stderr, ended.stderr
    assert unit("ActiveState")["ActiveState"] == "active"


def installs() -> str:
    """The folder of the stage's own copy gives way first; who has it open keeps it."""
    out(f"{BIN}/taxagent", "service", "uninstall")
    out("umount", "--lazy", "/usr/lib/taxagent")
    _CONFIG.rename(_ASIDE)
    said = dpkg("-i", _FIRST)
    assert "next: taxagent setup" in said, said
    told = unit("ActiveState", "Result", "UnitFileState", "ConditionResult", "FragmentPath")
    assert (told["ActiveState"], told["Result"]) == ("inactive", "success"), told
    assert (told["UnitFileState"], told["ConditionResult"]) == ("enabled", "no"), told
    assert told["FragmentPath"].startswith(("/lib/", "/usr/lib/")), told
    assert not out("systemctl", "--failed", "--no-legend", "list-units", "taxagent*").strip()
    _ASIDE.replace(_CONFIG)
    return out("taxagent", "--version").strip()


def settles(shop: Shop, number: str) -> str:
    """The whole of it: sealed, reported, filed, cleared."""
    shop.plug(number)
    shop.start()
    shop.view(number)
    shop.file_returns(number)
    shop.settled(shop.submitted(number), number)
    shop.given_back(number)
    return ", ".join(shop.writes(number))


def left_alone() -> None:
    """Whoever types the other way of installing is told the right one."""
    for action, word in (("install", "--reinstall"), ("uninstall", "apt-get remove")):
        ended = done("taxagent", "--lang", "en", "service", action)
        assert ended.returncode == 2, ended
        assert word in ended.stderr, ended.stderr
    ended = done("taxagent", "--lang", "en", "service", "status")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith("package "), ended.stdout


def upgraded(shop: Shop, number: str) -> str:
    """The device holds its answer back after it has sealed; dpkg waits for the agent, that for the device."""
    begun(shop, number)
    with shop.orders() as orders:
        fault(orders, number, "seal", "hold", "after")
        job_id = shop.submitted(number)
        orders.event("reached")
        with subprocess.Popen(
            ["dpkg", "-i", _LATER], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as upgrade:
            until(lambda: unit("ActiveState")["ActiveState"] == "deactivating", "the agent stops")
            status = until(lambda: unit("StatusText")["StatusText"], "it says so")
            assert upgrade.poll() is None
            assert LATER not in out("taxagent", "--version")
            orders.order({"do": "clear_faults"})
            said = upgrade.communicate(timeout=600)[0]
        assert upgrade.returncode == 0, said
    until(shop.answers, "the new version answers")
    assert LATER in out("taxagent", "--version")
    shop.settled(job_id, number)
    shop.given_back(number)
    return f"{status}; {', '.join(shop.writes(number))}"


def again() -> None:
    """As after an upgrade that was broken off."""
    before = accounts(), unit("MainPID", "UnitFileState")
    out(
        "env", "DPKG_MAINTSCRIPT_PACKAGE=taxagent", "/var/lib/dpkg/info/taxagent.postinst", "configure", LATER
    )
    assert (accounts(), unit("MainPID", "UnitFileState")) == before
    assert (_STATE.stat().st_mode & 0o777, unit("ActiveState")["ActiveState"]) == (0o700, "active")


def accounts() -> list[str]:
    """Return the lines of the agent's user and groups."""
    return [out("getent", *words).strip() for words in ACCOUNTS]


ACCOUNTS = (("passwd", "taxagent"), ("group", "taxagent"), ("group", "taxdev"))


def removed() -> None:
    """All but what a person made."""
    said = dpkg("--remove", "taxagent")
    assert unit("ActiveState", "LoadState")["ActiveState"] == "inactive", said
    for gone in ("/usr/bin/taxagent", "/usr/lib/taxagent", "/lib/udev/rules.d/70-taxagent.rules"):
        assert not os.path.lexists(gone), gone
    for kept in (_CONFIG, _STATE / "journal.db", _STATE / "backups", _CONFIG.parent / "credentials"):
        assert kept.exists(), kept
    assert len(accounts()) == len(ACCOUNTS)


def back(shop: Shop) -> str:
    """With a configuration there, it starts by itself."""
    dpkg("-i", _LATER)
    until(shop.answers, "it answers")
    with shop.client() as one:
        jobs = len(one.jobs().jobs)
    assert jobs
    return f"{jobs} jobs"


def purged() -> str:
    """A purge stops it as a removal does; the evidence is root's now."""
    said = dpkg("--purge", "taxagent")
    found = [one for one in _KEPT.glob("taxagent-*") if (one / "journal.db").exists()]
    assert found, said
    assert str(found[0]) in said, said
    assert (found[0].stat().st_uid, found[0].stat().st_mode & 0o777) == (0, 0o700)
    assert (found[0] / "backups").is_dir()
    assert not _CONFIG.parent.exists()
    assert (
        [one.name for one in _STATE.iterdir() if one.name != "lost+found"] == [] if _STATE.exists() else True
    )
    assert not out("systemctl", "--failed", "--no-legend", "list-units", "taxagent*").strip()
    return f"{sum(1 for one in found[0].rglob('*') if one.is_file())} files in {found[0]}"
