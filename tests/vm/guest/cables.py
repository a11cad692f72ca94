"""A cable pulled in each kind of step, of each kind of device: one job each, pulled again and again."""

from __future__ import annotations

from functools import partial

from tests.vm.guest.machine import place, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop
from tests.vm.guest.trouble import fault, struck

_PULLS = {
    "control_disk": (
        ("the invoices are read for the back-up", "invoices", "answer"),
        ("before a seal", "seal", "before"),
        ("after a seal", "seal", "after"),
        ("the summary is read", "read_summary", "after"),
        ("after the clock ticket", "clock_ticket", "after"),
        ("before the clear ticket", "apply_ticket", "before"),
        ("after the clear ticket", "apply_ticket", "after"),
    ),
    "golden_disk": (
        ("the invoices are read for the back-up", "invoices", "answer"),
        ("after a seal", "seal", "after"),
        ("the summary is read", "read_summary", "after"),
        ("after the clear ticket", "apply_ticket", "after"),
    ),
    "ukey": (
        ("the invoices are read for the back-up", "invoices", "answer"),
        ("after the reading that seals", "read_summary", "after"),
        ("after the clear ticket", "apply_ticket", "after"),
    ),
}
DEVICES = {f"pulled {kind}": kind for kind in _PULLS}


def checks(report: Report, shop: Shop) -> None:
    """Each pull strikes at its instant; the device is back at another address, and the job goes on."""
    for kind, pulls in _PULLS.items():
        journey = Journey(shop, shop.numbers[f"pulled {kind}"])
        for words, command, point in pulls:
            report.check(
                f"{kind}, pulled in mid-step ({words}): seen, and plugged in anew the job goes on",
                partial(journey.pulled, command, point),
            )
        report.check(f"{kind}, pulled {len(pulls)} times: each write was done once, in order", journey.ended)


class Journey:
    """One device and its job."""

    def __init__(self, shop: Shop, number: str) -> None:
        self._shop = shop
        self._number = number
        self._job_id = ""

    def pulled(self, command: str, point: str) -> str:
        """The device vanishes at that instant. Raises AssertionError where the step is never reached."""
        shop, number = self._shop, self._number
        with shop.orders() as orders:
            which = fault(orders, number, command, "unplug", point)
            self._goes_on()
            struck(orders, which)
        shop.gone(number)
        until(partial(shop.absent, number), "the agent sees that it is gone")
        job = shop.job(self._job_id)
        return f"{job.state}, {job.wait.reason if job.wait else 'no wait'}"

    def ended(self) -> str:
        """Held against the device's own log."""
        shop, number = self._shop, self._number
        self._goes_on()
        shop.settled(self._job_id, number)
        shop.away(number)
        return ", ".join(shop.writes(number))

    def _goes_on(self) -> None:
        """Plug it in; the first time, with its returns filed, have the job accepted."""
        shop, number = self._shop, self._number
        if place(number) is None:
            shop.plug(number)
        if not self._job_id:
            shop.file_returns(number)
            self._job_id = shop.submitted(number)
