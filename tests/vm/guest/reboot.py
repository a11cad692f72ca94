"""The computer loses its power in the middle of a seal: one half before it, the other after the next boot."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

from tests.vm.guest.machine import driver
from tests.vm.guest.report import Report
from tests.vm.guest.shop import FOLDER, Shop
from tests.vm.guest.trouble import begun, held

_KEPT = FOLDER / "before.json"


DEVICES = {"reboot": "control_disk"}


def checks(report: Report, shop: Shop) -> None:
    """Cut the power where the device has sealed and not answered; returns only where that failed."""
    report.check("the power fails in a seal", partial(_cut, shop, shop.numbers["reboot"]))


def kept() -> dict[str, str] | None:
    """Return what the boot before left, None where this is the first."""
    return json.loads(_KEPT.read_text("ascii")) if _KEPT.exists() else None


def after(report: Report, shop: Shop, left: dict[str, str]) -> None:
    """The system's own disk is as new; journal, devices and bureau are as they were."""
    shop.modules()
    report.check(
        "after the power cut, over the kept journal: the job ends right",
        partial(_goes_on, shop, left["number"], left["job"]),
    )


def _cut(shop: Shop, number: str) -> None:
    begun(shop, number)
    with held(shop, number) as (job_id, _):
        assert driver(number) == "usbfs", driver(number)
        with _KEPT.open("w", encoding="ascii") as file:
            json.dump({"number": number, "job": job_id}, file)
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
