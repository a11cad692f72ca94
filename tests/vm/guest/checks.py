"""The checks, in their order. `python -m tests.vm.guest.checks`, in the guest, in /stage."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.vm.guest import month
from tests.vm.guest.machine import out
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

DEVICES = {
    "661700000011": "control_disk",
    "661600000022": "golden_disk",
    "661500000033": "ukey",
}


def main() -> int:
    """Run all checks and return the stage's status."""
    report = Report(Path("only").read_text("utf-8"))
    for module in ("vhci_hcd", "usb_storage", "sd_mod", "sg"):
        out("modprobe", module)
    shop = Shop(DEVICES)
    month.checks(report, shop)
    shop.end()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
