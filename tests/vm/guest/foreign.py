"""Devices that nobody here wrote, and drivers that nobody here wrote, against ours."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import usb.core

from taxagent.device.bulk_only import BulkOnly
from taxagent.device.claim import claimed
from taxagent.device.transport import CommandFailed, TransportError
from tests.vm.guest.machine import (
    block,
    complaints,
    done,
    driver,
    generic,
    mode,
    node,
    out,
    owners,
    place,
    until,
)
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

DEVICES: dict[str, str] = {}
STICK = "QEMUSTICK1"
_MOUNTED = Path("/mnt")
_IN_OPEN, _NONBLOCK = 0x20, os.O_NONBLOCK
_INQUIRY = bytes((0x12, 0, 0, 0, 36, 0))
_READY = bytes(6)
_SENSE = bytes((0x03, 0, 0, 0, 18, 0))
_CAPACITY = bytes((0x25,)) + bytes(9)
_VENDOR = bytes((0xE0, 1)) + bytes(14)


def checks(report: Report, shop: Shop) -> None:
    """QEMU's disk, first left alone by the agent, then spoken to by our transport."""
    stick(report, shop)
    transport(report)


def drivers(report: Report, number: str) -> None:
    """The kernel's drivers and Debian's tools on the simulated device, before the agent runs."""
    report.check("sg_inq, sg_turs, sg_requests are content with the simulated device", partial(tools, number))
    report.check("lsusb -v reads every descriptor of it", partial(descriptors, number))
    report.check("the kernel logs no warning about it", kernel_is_content)


def tools(number: str) -> str:
    """The kernel's sg driver carries the commands."""
    sg = generic(number)
    told = out("sg_inq", sg)
    out("sg_turs", sg)
    out("sg_requests", sg)
    vendor = [line.split(":")[1].strip() for line in told.splitlines() if "identification:" in line]
    return ", ".join(vendor)


def descriptors(number: str) -> str:
    """A descriptor that lsusb cannot read is told on standard error or as "unrecognized"."""
    ended = done("lsusb", "-v", "-d", "1209:0007")
    assert ended.returncode == 0, ended.stderr
    assert not ended.stderr.strip(), ended.stderr
    assert "unrecognized" not in ended.stdout.lower().replace("** unrecognized:  0c 24 01", ""), ended.stdout
    assert number in ended.stdout, ended.stdout
    return f"{len(ended.stdout.splitlines())} lines"


def kernel_is_content() -> None:
    """Warnings that every stick without a caching page gets are its own business."""
    usual = ("No Caching mode page found", "Assuming drive cache: write through", "8021q", "hrtimer")
    said = [line for line in complaints() if ("sd" in line or "usb" in line or "scsi" in line)]
    told = [line for line in said if not any(word in line for word in usual)]
    assert not told, told


# ---- QEMU's own disk


def stick(report: Report, shop: Shop) -> None:
    """By its descriptors."""
    report.check("QEMU's usb-storage disk is listed as no tax-control device", partial(listed, shop))


def transport(report: Report) -> None:
    """Our Bulk-Only transport speaks to the stick: a device whose firmware nobody here wrote."""
    report.check(
        "our transport: INQUIRY, TEST UNIT READY, REQUEST SENSE, READ CAPACITY of QEMU's disk", speaks
    )
    report.check("our transport: a vendor command is refused with sense, and the next is answered", refuses)
    report.check("the kernel has the disk back after our transport", has_back)
    report.check("our transport: the disk is pulled out in the middle", pulled)


def listed(shop: Shop) -> str:
    """By its descriptors alone."""

    def look() -> str:
        with shop.client() as one:
            rows = one.status().seen
        return next((f"{row.recognised} {row.usb_id}" for row in rows if row.usb_id == "46f4:0001"), "")

    told = until(look, "the stick is in status")
    assert told.startswith("other"), told
    return told


def untouched(shop: Shop) -> str:
    """The kernel tells of every open of the stick's node. Starts the agent."""
    mounted()
    with opened(node(STICK)) as opens:
        shop.start()
        listed(shop)
        until(_reads_on, "the stick is read")
        assert driver(STICK) == "usb-storage", driver(STICK)
        assert not list(owners(node(STICK)))
        assert opens() == 0, f"{opens()} opens of {node(STICK)}"
    out("umount", str(_MOUNTED))
    return f"node {' '.join(mode(node(STICK)))}, 0 opens"


def mounted() -> None:
    """Mount the stick as a person would."""
    disk = until(lambda: block(STICK), "the stick has a disk")
    out("mount", "-o", "ro", disk, str(_MOUNTED))


def _reads_on() -> bool:
    return (_MOUNTED / "letter.txt").read_text("ascii").startswith("a file on a stick")


@contextlib.contextmanager
def opened(path: str) -> Iterator[Callable[[], int]]:
    """Count the opens of a file, by the kernel's inotify."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(_NONBLOCK)
    assert libc.inotify_add_watch(watch, path.encode(), _IN_OPEN) >= 0, os.strerror(ctypes.get_errno())

    def count() -> int:
        try:
            return len(os.read(watch, 65536)) // struct.calcsize("iIII")
        except BlockingIOError:
            return 0

    try:
        yield count
    finally:
        os.close(watch)


@contextlib.contextmanager
def held() -> Iterator[BulkOnly]:
    """Take the stick as the agent takes its devices."""
    until(_kernel_has, "the kernel has the stick")
    device = usb.core.find(idVendor=0x46F4, idProduct=0x0001)
    assert device is not None, "libusb does not see the stick"
    with claimed(device, "usb:stick", holder=lambda: ""):
        assert driver(STICK) == "usbfs", driver(STICK)
        yield BulkOnly(device, monotonic=time.monotonic)


def has_back() -> None:
    """With its disk."""
    until(_kernel_has, "usb-storage has it")


def _kernel_has() -> bool:
    return driver(STICK) == "usb-storage" and bool(block(STICK))


def speaks() -> str:
    """Data in, no data, and the first TEST UNIT READY may be a unit attention with sense."""
    with held() as bulk:
        told = bulk.command(_INQUIRY, data_in=36, timeout_ms=10_000)
        assert told[8:12] == b"QEMU", told
        for _ in range(3):
            with contextlib.suppress(CommandFailed):
                bulk.command(_READY, timeout_ms=10_000)
                break
        sense = bulk.command(_SENSE, data_in=18, timeout_ms=10_000)
        assert (sense[0] & 0x7F, sense[2] & 0xF) == (0x70, 0), sense.hex()
        last, size = struct.unpack(">II", bulk.command(_CAPACITY, data_in=8, timeout_ms=10_000))
        assert (last + 1) * size == 16 << 20, (last, size)
        begun = time.monotonic()
        for _ in range(50):
            bulk.command(_INQUIRY, data_in=36, timeout_ms=10_000)
        each = (time.monotonic() - begun) * 20
    return f"{told[8:32].decode('ascii').strip()}, {each:.1f} ms a command"


def refuses() -> str:
    """QEMU answers zero-filled data and status 1; sense says: invalid command operation code."""
    with held() as bulk:
        with contextlib.suppress(CommandFailed):
            bulk.command(_READY, timeout_ms=10_000)
        try:
            bulk.command(_VENDOR, data_in=64, timeout_ms=10_000)
        except CommandFailed as error:
            sense = error.sense
        else:
            raise AssertionError("it took a vendor's command")
        assert (sense[2] & 0xF, sense[12], sense[13]) == (5, 0x20, 0), sense.hex()
        assert bulk.command(_INQUIRY, data_in=36, timeout_ms=10_000)[8:12] == b"QEMU"
    return "sense 05/20/00"


def pulled() -> str:
    """The machine pulls the device while commands run; the end says that it is gone."""
    with held() as bulk:
        print("@qmp unplug", flush=True)
        end = time.monotonic() + 120
        try:
            while time.monotonic() < end:
                with contextlib.suppress(CommandFailed):
                    bulk.command(_INQUIRY, data_in=36, timeout_ms=10_000)
            raise AssertionError("it was not pulled")
        except TransportError as error:
            gone, said = error.gone, str(error)
    assert gone, said
    until(lambda: place(STICK) is None, "it is off the bus")
    print("@qmp plug", flush=True)
    until(_kernel_has, "the kernel has it again")
    return said
