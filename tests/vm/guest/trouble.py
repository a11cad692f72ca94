"""Devices that fall silent, refuse, stall, and an agent that is killed: in mid-step, on the real kernel."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from taxagent.simulator.site import Orders
from tests.vm.guest.machine import driver, main_pid, restarted, unit, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

OPENS = True
_LIMITS = "device.read_s = 15\ndevice.write_s = 15\ndevice.grace_s = 3\n"
_HANGS = {
    "mute": "a device whose transfers stay parked in a seal",
    "hang": "a device that hangs in a seal, control transfers too",
}
_ONCE = {
    "stall": ("a halted endpoint in a seal", "after"),
    "phase_error": ("a phase error in a seal, and a reset", "after"),
    "lose": ("an answer that never comes, its transfer cancelled and the answer fetched again", "answer"),
}
DEVICES = dict.fromkeys((*_HANGS, *_ONCE, "rest", "refuse", "kill"), "control_disk")


def checks(report: Report, shop: Shop) -> None:
    """Each on a device of its own. Limits are shortened here, for those that hang, and nowhere else."""
    own = shop.numbers
    shop.configure(_LIMITS)
    shop.running()
    report.side_by_side(
        [
            *(
                (
                    f"{what}: given up, and the job goes on once it is plugged in anew",
                    partial(silent, shop, own[act], act),
                )
                for act, what in _HANGS.items()
            ),
            (
                "a refused seal ends the job, and usb-storage has the device back",
                partial(refused, shop, own["refuse"]),
            ),
            *(
                (f"{what}: the job ends right", partial(faulty, shop, own[act], act, point))
                for act, (what, point) in _ONCE.items()
            ),
            (
                "unplugged and plugged in at rest: read again at a new address",
                partial(at_rest, shop, own["rest"]),
            ),
        ]
    )
    shop.configure()
    report.check(
        "killed in a seal: started again, the job ends right, usb-storage has it back",
        partial(killed, shop, own["kill"]),
    )


def at_rest(shop: Shop, number: str) -> str:
    """As a person does it, without a job."""
    shop.plug(number)
    first = shop.view(number).location
    shop.pull(number)
    until(partial(shop.absent, number), "the agent sees that it is gone")
    shop.plug(number)
    second = shop.view(number).location
    assert first != second, first
    shop.away(number)
    return f"{first} then {second}"


def begun(shop: Shop, number: str) -> None:
    """Plug a device and file its return, so that nothing but the fault stops the job."""
    shop.plug(number)
    shop.file_returns(number)


def fault(orders: Orders, number: str, command: str, act: str, point: str, code: str = "") -> int:
    """Order a fault of the device and return its id."""
    order: dict[str, object] = {"do": "fault", "device": number, "command": command, "act": act}
    told = orders.order(order | {"point": point} | ({"code": code} if code else {}))["fault"]
    assert isinstance(told, int)
    return told


def struck(orders: Orders, which: int) -> None:
    """Wait until a fault has struck; those of other devices are no matter."""
    while orders.event("reached")["fault"] != which:
        pass


@contextmanager
def held(shop: Shop, number: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A job whose device has sealed and not answered: its id, and what lets the device go on."""
    with shop.orders() as orders:
        which = fault(orders, number, "seal", "hold", "after")
        job_id = shop.submitted(number)
        struck(orders, which)
        yield job_id, lambda: orders.order({"do": "clear_faults"})


def faulty(shop: Shop, number: str, act: str, point: str = "after") -> str:
    """The fault strikes once; the driver recovers by itself."""
    begun(shop, number)
    with shop.orders() as orders:
        which = fault(orders, number, "seal", act, point)
        job_id = shop.submitted(number)
        struck(orders, which)
    shop.settled(job_id, number)
    shop.away(number)
    return ", ".join(shop.writes(number))


def silent(shop: Shop, number: str, act: str) -> str:
    """The process that simulates the device runs on; its transfers stay parked."""
    begun(shop, number)
    with shop.orders() as orders:
        which = fault(orders, number, "seal", act, "after")
        job_id = shop.submitted(number)
        struck(orders, which)
    until(lambda: shop.job(job_id).problem, "the job says what is wrong")
    problem = shop.job(job_id).problem
    shop.pull(number)
    until(partial(shop.absent, number), "the agent sees that it is gone")
    shop.plug(number)
    shop.settled(job_id, number)
    shop.away(number)
    return problem.code if problem else ""


def refused(shop: Shop, number: str) -> str:
    """By a rule of the device."""
    begun(shop, number)
    with shop.orders() as orders:
        fault(orders, number, "seal", "refuse", "before", "09f110")
    job = shop.finished(shop.submitted(number))
    assert job.state == "refused", job
    shop.away(number)
    return job.problem.code if job.problem else ""


def killed(shop: Shop, number: str) -> str:
    """The process dies between the device's act and its answer; the device stays without a driver."""
    begun(shop, number)
    before = main_pid()
    with held(shop, number) as (job_id, go_on):
        assert driver(number) == "usbfs", driver(number)
        os.kill(before, signal.SIGKILL)
        until(restarted(before), "systemd starts it again")
        left = driver(number)
        go_on()
    shop.settled(job_id, number)
    shop.away(number)
    return f"restarts {unit('NRestarts')['NRestarts']}, driver after the kill: {left or 'none'}"
