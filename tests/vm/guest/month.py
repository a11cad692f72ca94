"""The month's whole work by the installed service: its own user, real libusb, the kernel's driver first."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.vm.guest.foreign import drivers, untouched
from tests.vm.guest.machine import block, done, driver, journal, main_pid, mode, node, out, place, unit, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import MEMBER, STRANGER, Shop

DEVICES = {kind: kind for kind in ("control_disk", "golden_disk", "ukey")}
OPENS = True
MODULES = ("xhci_pci", "vhci_hcd", "usb_storage", "sd_mod", "sg")


def checks(report: Report, shop: Shop) -> None:
    """Start, settle a device of each kind, refuse a stranger."""
    numbers = {kind: shop.numbers[kind] for kind in DEVICES}
    report.check("the unit starts before the USB core is loaded", partial(starts, shop), always=True)
    report.check("the agent runs as its own user", own_user)
    report.check("the socket is the group's and nobody else's", socket_modes)
    out("systemctl", "stop", "taxagent")
    for module in MODULES:
        out("modprobe", module)
    for kind, number in numbers.items():
        report.check(f"{kind}: the kernel's usb-storage has it first", partial(kernel_first, shop, number))
    drivers(report, numbers["control_disk"])
    report.check(
        "QEMU's usb-storage disk is never opened, and stays mounted, while the agent starts and looks",
        partial(untouched, shop),
        always=True,
    )
    for kind, number in numbers.items():
        report.check(f"{kind}: found, its node belongs to the agent's group", partial(found, shop, number))
    report.check("udevadm test names the rule's group and tag", partial(ruled, numbers["control_disk"]))
    for at_once in (("control_disk",), ("golden_disk", "ukey")):
        told = "two devices at once, " if len(at_once) > 1 else ""
        report.check(
            f"{told}{' and '.join(at_once)}: the months are settled by taxctl for a member of the group",
            partial(settles, shop, *(numbers[kind] for kind in at_once)),
        )
    for kind, number in numbers.items():
        report.check(f"{kind}: usb-storage has it back after the job", partial(shop.away, number))
    report.check("a user who is no member is refused, and told why", partial(refused, shop))


_CORE = "189 usb_device"


def starts(shop: Shop) -> str:
    """The device allow-list is by number; Type=notify: start returns when the agent said so."""
    until(_no_core, "the USB core is unloaded")
    ended = done("systemctl", "start", "taxagent")
    assert ended.returncode == 0, ended.stderr + journal("-n", "20")
    until(shop.answers, "the agent answers")
    told = unit("ActiveState", "StatusText", "Result")
    assert told["ActiveState"] == "active", told
    return told["StatusText"]


def _no_core() -> bool:
    """The controller first: it takes the stick away, and so usb-storage's user."""
    for module in ("xhci_pci", "uas", "usb_storage", "vhci_hcd", "usbcore"):
        done("modprobe", "-r", module)
    return _CORE not in Path("/proc/devices").read_text("ascii")


def own_user() -> str:
    """Neither root nor a person."""
    user = out("ps", "-o", "user=", "-p", str(main_pid())).strip()
    assert user == "taxagent", user
    return user


def socket_modes() -> str:
    """The folder keeps strangers out, the socket lets the group in."""
    folder, sock = mode("/run/taxagent"), mode("/run/taxagent/agent.sock")
    assert folder == ("750", "taxagent", "taxagent"), folder
    assert sock == ("660", "taxagent", "taxagent"), sock
    return " ".join(sock)


def kernel_first(shop: Shop, number: str) -> None:
    """The agent is stopped meanwhile, so that nobody else can have been first."""
    shop.plug(number)
    until(lambda: driver(number) == "usb-storage" and block(number), f"usb-storage binds {number}")


def found(shop: Shop, number: str) -> str:
    """The agent reads it through the rights that udev gave."""
    rights = mode(node(number))
    assert rights == ("660", "root", "taxdev"), rights
    return f"{shop.view(number).location}, {' '.join(rights)}"


def ruled(number: str) -> str:
    """What udev would do for the device, told by udev."""
    folder = place(number)
    assert folder is not None, f"{number} is not plugged"
    told = out("udevadm", "test", str(folder))
    rows = out("udevadm", "info", "--query=property", f"--path={folder}").splitlines()
    assert "TAXAGENT_KIND=profile" in rows, rows
    group = out("getent", "group", "taxdev").split(":")[2]
    assert "taxagent" in told, told[-500:]
    return f"taxdev is gid {group}"


def settles(shop: Shop, *numbers: str) -> str:
    """Prepared, confirmed and followed by an ordinary user; the returns are filed while the jobs wait."""
    ask = shop.ask if len(numbers) == 1 else shop.ask_here
    jobs = {number: shop.asked(number, ask) for number in numbers}
    for number, job_id in jobs.items():
        until(lambda job_id=job_id: _waits(shop, job_id), "it waits for the return")  # type: ignore[misc]
        shop.given_back(number)  # also while the job waits
        shop.file_returns(number)
    for number, job_id in jobs.items():
        followed = ask("job", "wait", job_id)
        assert followed.returncode == 0, f"{followed.returncode} {followed.stdout}{followed.stderr}"
        shop.settled(job_id, number)
    groups = out("id", "-nG", MEMBER).split()
    assert groups[0] != "taxagent", groups
    assert "taxagent" in groups, groups
    return "; ".join(", ".join(shop.writes(number)) for number in numbers)


def _waits(shop: Shop, job_id: str) -> bool:
    wait = shop.job(job_id).wait
    return wait is not None and wait.reason == "declaration"


def refused(shop: Shop) -> str:
    """The folder of the socket is closed to them: exit code 77 and the words say so."""
    ended = shop.ask("status", user=STRANGER)
    assert ended.returncode == 77, f"{ended.returncode} {ended.stdout}{ended.stderr}"
    return (ended.stdout + ended.stderr).strip().splitlines()[0]
