"""What each guest begins with: the service installed as a technician does it, bureau and devices started."""

from __future__ import annotations

from pathlib import Path

from tests.vm.guest.machine import out
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop, packaged


def checks(report: Report, shop: Shop) -> None:
    """Up to a configured service that does not run yet."""
    report.file = "opening"
    report.check("systemd is PID 1", first_process)
    again(report, shop)


def again(report: Report, shop: Shop) -> None:
    """The same after another boot; journal, devices and bureau are as they were."""
    how = "the package" if packaged() else "`taxagent service install`"
    report.check(f"{how} makes user, groups, folders, unit, rules", shop.install, always=True)
    report.check("bureau and devices run", shop.start_simulators, always=True)
    shop.configure()


def first_process() -> str:
    """The guest is a real Linux."""
    assert Path("/proc/1/comm").read_text("ascii").strip() == "systemd"
    return out("uname", "-r").strip() + ", " + out("systemctl", "--version").splitlines()[0]


def kernel_was_well() -> None:
    """Over all that was pulled and killed."""
    bad = ("BUG:", "WARNING:", "Call Trace", "blocked for more than", "Oops")
    told = [line for line in out("dmesg", "--notime").splitlines() if any(word in line for word in bad)]
    assert not told, told
