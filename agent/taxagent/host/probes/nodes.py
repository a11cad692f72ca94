"""Where Linux shows a USB device: its node below /dev, its folder and driver below /sys. Opens nothing."""

from __future__ import annotations

import re
from pathlib import Path

from taxagent.model.value import Value

_LOCATION = re.compile(r"usb:(\d+)-([\d.]+)#(\d+)")


class Place(Value, frozen=True, kw_only=True):
    """A plugged device: its bus, its port such as "1-2.4", its address."""

    bus: int
    port: str
    address: int

    @property
    def node(self) -> str:
        """The node by which programs reach it."""
        return f"/dev/bus/usb/{self.bus:03d}/{self.address:03d}"

    def driver(self, root: Path) -> str:
        """Return the driver of its first interface: "usb-storage", "usbfs" (a program), "" for none."""
        try:
            return (root / f"sys/bus/usb/devices/{self.port}:1.0/driver").readlink().name
        except OSError:
            return ""

    def disks(self, root: Path) -> tuple[str, ...]:
        """Return the disk and sg nodes that the kernel made for it."""
        folder = root / "sys/bus/usb/devices" / self.port
        made = (
            each
            for kind in ("block", "scsi_generic")
            for each in folder.glob(f"*:*/host*/target*/*/{kind}/*")
        )
        return tuple(sorted(f"/dev/{each.name}" for each in made))


def place_of(location: str) -> Place | None:
    """Return the place that a location names; None for a simulated device's, which Linux does not have."""
    found = _LOCATION.fullmatch(location)
    if found is None:
        return None
    return Place(bus=int(found[1]), port=f"{found[1]}-{found[2]}", address=int(found[3]))
