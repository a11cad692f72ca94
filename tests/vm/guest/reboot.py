"""The computer loses its power in the middle of a seal: one half before it, the other after the next boot."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

from tests.vm.guest.machine import driver, out
from tests.vm.guest.report import Report
from tests.vm.guest.shop import FOLDER, Shop
from tests.vm.guest.trouble import begun, fault

_KEPT = FOLDER / "before.json"


def before(report: Report, shop: Shop, number: str) -> None:
    """Cut the power where the device has sealed and not answered; returns only where that failed."""
    report.check("the power fails in a seal", partial(_cut, report, shop, number))


def kept() -> dict[str, str] | None:
    """Return what the boot before left, None where this is the first."""
    return json.loads(_KEPT.read_text("ascii")) if _KEPT.exists() else None


def after(report: Report, shop: Shop, left: dict[str, str]) -> None:
    """Install again (the system's own disk is as new), keep journal, devices and bureau."""
    number = left["number"]
    report.check("after the power cut: installed again over the kept journal", shop.install, always=True)
    report.check("after the power cut: bureau and devices as they were", shop.start_simulators, always=True)
    shop.configure()
    for module in ("vhci_hcd", "usb_storage", "sd_mod", "sg"):
        out("modprobe", module)
    report.check("after the power cut: the job ends right", partial(_goes_on, shop, number, left["job"]))


def _cut(report: Report, shop: Shop, number: str) -> None:
    begun(shop, number)
    with shop.orders() as orders:
        fault(orders, number, "seal", "hold", "after")
        job_id = shop.submitted(number)
        orders.event("reached")
        assert driver(number) == "usbfs", driver(number)
        left = {"number": number, "job": job_id, "passed": str(report.passed), "failed": str(report.failed)}
        with _KEPT.open("w", encoding="ascii") as file:
            json.dump(left, file)
            file.flush()
            os.fsync(file.fileno())
        Path("rc").write_text("again", encoding="ascii")
        Path("/proc/sysrq-trigger").write_text("b", encoding="ascii")


def _goes_on(shop: Shop, number: str, job_id: str) -> str:
    shop.plug(number)
    shop.start()
    shop.settled(job_id, number)
    shop.given_back(number)
    return ", ".join(shop.writes(number))
