"""The checks, in their order. `python -m tests.vm.guest.checks`, in the guest, in /stage."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.vm.guest import finding, foreign, month, package, reboot, service, trouble, watching
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

KINDS = {"control_disk": "661700000011", "golden_disk": "661600000022", "ukey": "661500000033"}
_SERVICE = ("stop", "full", "reboot", "doctor", "package", "upgrade")
_PURPOSES = ("rest", *trouble.PULLED, "stall", "lose", "mute", "refuse", "kill", *_SERVICE)
FRESH = {name: f"6617000001{at:02}" for at, name in enumerate(_PURPOSES)}
"""A device for each thing that happens once in its life, its number by what it is for."""


def main() -> int:
    """Run all checks and return the stage's status."""
    report = Report(Path("only").read_text("utf-8"))
    kinds = {number: kind for kind, number in KINDS.items()}
    shop = Shop(kinds | dict.fromkeys(FRESH.values(), "control_disk"))
    left = reboot.kept()
    if left is None:
        first(report, shop)
    else:
        report.passed, report.failed = int(left["passed"]), int(left["failed"])
        reboot.after(report, shop, left)
    package.checks(report, shop, FRESH)
    shop.end()
    return report.end()


def first(report: Report, shop: Shop) -> None:
    """The first boot."""
    month.checks(report, shop, KINDS)
    service.unit_itself(report)
    finding.checks(report, shop, FRESH["doctor"])
    foreign.stick(report, shop)
    trouble.checks(report, shop, FRESH)
    service.checks(report, shop, FRESH)
    watching.checks(report, shop)
    foreign.transport(report)
    report.check("the kernel logged no oops and no task that could not be ended", foreign.kernel_was_well)
    reboot.before(report, shop, FRESH["reboot"])


if __name__ == "__main__":
    sys.exit(main())
