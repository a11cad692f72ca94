"""The guest's own order of things. `python -m tests.vm.guest.checks`, in the guest, in /stage.

What a check file is stands in plan.py; which ones run here the host has written into /stage/files.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from tests.vm.guest import opening, reboot
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop


def main() -> int:
    """Run the checks and return the guest's status."""
    report = Report(Path("only").read_text("utf-8"))
    files = {name: _file(name) for name in Path("files").read_text("ascii").split()}
    shop = Shop({purpose: kind for file in files.values() for purpose, kind in file.DEVICES.items()})
    if (left := reboot.kept()) is not None:
        report.file = "reboot"
        opening.again(report, shop)
        reboot.after(report, shop, left)
        files = {}
    else:
        opening.checks(report, shop)
    for name, file in files.items():
        report.file = name
        if not getattr(file, "OPENS", False):
            shop.running()
        file.checks(report, shop)
    report.file = "kernel"
    report.check(
        "it logged no oops, no warning, and no task that could not be ended", opening.kernel_was_well
    )
    shop.end()
    return 1 if report.failed else 0


def _file(name: str) -> ModuleType:
    return importlib.import_module(f"tests.vm.guest.{name}")


if __name__ == "__main__":
    sys.exit(main())
