"""The packaged service at its end: upgraded in a seal, removed, installed again, purged."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

from tests.vm.guest.machine import out, unit, until
from tests.vm.guest.package import CONFIG, LATER, dpkg
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop
from tests.vm.guest.trouble import begun, held

DEVICES = {"upgrade": "control_disk"}
_VERSION = "99.0"
_STATE = Path("/var/lib/taxagent")
_KEPT = Path("/var/backups")


def checks(report: Report, shop: Shop) -> None:
    """The last of all: nothing stays."""
    report.check(
        "upgraded in a seal: it waits for the device, the new version does the rest, one seal",
        partial(upgraded, shop, shop.numbers["upgrade"]),
    )
    report.check("removed, it leaves journal, secrets, configuration, user", removed)
    report.check(
        "installed again, its scripts leave what is there, and it goes on with the journal",
        partial(back, shop),
    )
    report.check("purged, journal and back-ups are moved, the rest is gone", purged)


def upgraded(shop: Shop, number: str) -> str:
    """The device holds its answer back after it has sealed; dpkg waits for the agent, that for the device."""
    begun(shop, number)
    with held(shop, number) as (job_id, go_on):
        with subprocess.Popen(
            ["dpkg", "-i", LATER], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as upgrade:
            until(lambda: unit("ActiveState")["ActiveState"] == "deactivating", "the agent stops")
            status = until(lambda: unit("StatusText")["StatusText"], "it says so")
            assert upgrade.poll() is None
            assert _VERSION not in out("taxagent", "--version")
            go_on()
            said = upgrade.communicate(timeout=600)[0]
        assert upgrade.returncode == 0, said
    until(shop.answers, "the new version answers")
    assert _VERSION in out("taxagent", "--version")
    shop.settled(job_id, number)
    shop.away(number)
    return f"{status}; {', '.join(shop.writes(number))}"


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
    for kept in (CONFIG, _STATE / "journal.db", _STATE / "backups", CONFIG.parent / "credentials"):
        assert kept.exists(), kept
    assert len(accounts()) == len(ACCOUNTS)


def back(shop: Shop) -> str:
    """With a configuration there, it starts by itself; user, groups and folders are as they were."""
    before = accounts()
    said = dpkg("-i", LATER)
    assert "next: taxagent setup" not in said, said
    until(shop.answers, "it answers")
    assert accounts() == before
    assert (_STATE.stat().st_mode & 0o777, unit("ActiveState")["ActiveState"]) == (0o700, "active")
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
    assert not CONFIG.parent.exists()
    assert (
        [one.name for one in _STATE.iterdir() if one.name != "lost+found"] == [] if _STATE.exists() else True
    )
    assert not out("systemctl", "--failed", "--no-legend", "list-units", "taxagent*").strip()
    return f"{sum(1 for one in found[0].rglob('*') if one.is_file())} files in {found[0]}"
