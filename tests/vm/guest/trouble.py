"""Cables pulled, devices that fall silent, processes killed: in the middle of a step, on the real kernel."""

from __future__ import annotations

import os
import signal
from functools import partial

from taxagent.simulator.site import Orders
from tests.vm.guest.machine import driver, main_pid, out, place, restarted, unit, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop


def checks(report: Report, shop: Shop, numbers: dict[str, str]) -> None:
    """`numbers`: what a device is for = its number; none of them is plugged yet."""
    report.check(
        "unplugged and plugged in at rest: read again at a new address",
        partial(at_rest, shop, numbers["rest"]),
    )
    for name, (command, point) in PULLED.items():
        number = numbers[name]
        report.check(
            f"pulled {point} {command}: the job ends right", partial(pulled, shop, number, command, point)
        )
    report.check(
        "a halted endpoint in a seal: the job ends right", partial(faulty, shop, numbers["stall"], "stall")
    )
    report.check(
        "an answer that never comes: the parked transfer is cancelled, the answer fetched again",
        partial(lost, shop, numbers["lose"]),
    )
    report.check(
        "a device that hangs in a seal: given up, and the job goes on once it is plugged in anew",
        partial(silent, shop, numbers["mute"]),
    )
    report.check(
        "a refused seal ends the job, and usb-storage has the device back",
        partial(refused, shop, numbers["refuse"]),
    )
    report.check(
        "killed in a seal: started again, the job ends right, usb-storage has it back",
        partial(killed, shop, numbers["kill"]),
    )


PULLED = {
    "seal": ("seal", "after"),
    "unsealed": ("seal", "before"),
    "clock": ("clock_ticket", "after"),
    "apply": ("apply_ticket", "after"),
    "reading": ("read_summary", "after"),
}


def at_rest(shop: Shop, number: str) -> str:
    """As a person does it, without a job."""
    shop.plug(number)
    first = shop.view(number).location
    shop.pull(number)
    until(partial(shop.absent, number), "the agent sees that it is gone")
    shop.plug(number)
    second = shop.view(number).location
    assert first != second, first
    shop.given_back(number)
    return f"{first} then {second}"


def begun(shop: Shop, number: str) -> None:
    """Plug a device and file its return, so that nothing but the fault stops the job."""
    shop.plug(number)
    shop.file_returns(number)


def fault(orders: Orders, number: str, command: str, act: str, point: str) -> None:
    """Order a fault of the device."""
    order: dict[str, object] = {"do": "fault", "device": number, "command": command}
    orders.order(order | {"act": act, "point": point})


def pulled(shop: Shop, number: str, command: str, point: str) -> str:
    """The device vanishes at that instant and comes back at another address."""
    begun(shop, number)
    with shop.orders() as orders:
        fault(orders, number, command, "unplug", point)
        job_id = shop.submitted(number)
        orders.event("reached")
    until(lambda: place(number) is None, f"{number} is off the bus")
    until(partial(shop.absent, number), "the agent sees that it is gone")
    shop.plug(number)
    shop.settled(job_id, number)
    shop.given_back(number)
    return ", ".join(shop.writes(number))


def faulty(shop: Shop, number: str, act: str, point: str = "after") -> None:
    """The fault strikes once; the driver recovers by itself."""
    begun(shop, number)
    with shop.orders() as orders:
        fault(orders, number, "seal", act, point)
    shop.settled(shop.submitted(number), number)
    shop.given_back(number)


def lost(shop: Shop, number: str) -> None:
    """After five seconds, by the driver's own time-out; the kernel unlinks the transfer."""
    faulty(shop, number, "lose", "answer")


def silent(shop: Shop, number: str) -> str:
    """Bulk transfers are parked, the process that simulates it runs on; control transfers are answered."""
    begun(shop, number)
    with shop.orders() as orders:
        fault(orders, number, "seal", "mute", "after")
        job_id = shop.submitted(number)
        orders.event("reached")
    until(lambda: shop.job(job_id).problem, "the job says what is wrong")
    problem = shop.job(job_id).problem
    shop.pull(number)
    until(partial(shop.absent, number), "the agent sees that it is gone")
    shop.plug(number)
    shop.settled(job_id, number)
    shop.given_back(number)
    return problem.code if problem else ""


def refused(shop: Shop, number: str) -> str:
    """By a rule of the device."""
    begun(shop, number)
    with shop.orders() as orders:
        orders.order(
            {
                "do": "fault",
                "device": number,
                "command": "seal",
                "act": "refuse",
                "point": "before",
                "code": "09f110",
            }
        )
    job = shop.finished(shop.submitted(number))
    assert job.state == "refused", job
    shop.given_back(number)
    return job.problem.code if job.problem else ""


def killed(shop: Shop, number: str) -> str:
    """The process dies between the device's act and its answer; the device stays without a driver."""
    begun(shop, number)
    before = main_pid()
    with shop.orders() as orders:
        fault(orders, number, "seal", "hold", "after")
        job_id = shop.submitted(number)
        orders.event("reached")
        assert driver(number) == "usbfs", driver(number)
        os.kill(before, signal.SIGKILL)
        until(restarted(before), "systemd starts it again")
        left = driver(number)
        orders.order({"do": "clear_faults"})
    shop.settled(job_id, number)
    shop.given_back(number)
    return f"restarts {unit('NRestarts')['NRestarts']}, driver after the kill: {left or 'none'}"


def stopped_in_a_job(shop: Shop, number: str) -> str:
    """SIGTERM waits for the seal in hand; the rest is done after the next start."""
    begun(shop, number)
    with shop.orders() as orders:
        fault(orders, number, "seal", "hold", "after")
        job_id = shop.submitted(number)
        orders.event("reached")
        out("systemctl", "stop", "--no-block", "taxagent")
        until(lambda: unit("ActiveState")["ActiveState"] == "deactivating", "it stops")
        status = until(lambda: unit("StatusText")["StatusText"], "it says so")
        orders.order({"do": "clear_faults"})
    until(lambda: unit("ActiveState")["ActiveState"] == "inactive", "it has stopped")
    assert unit("Result")["Result"] == "success", unit("Result")
    shop.given_back(number)
    shop.start()
    shop.settled(job_id, number)
    return status
