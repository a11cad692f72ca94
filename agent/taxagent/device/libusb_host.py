"""The machine's own USB, by libusb: names and rivals from what Linux shows in /sys and /proc.

Nothing here opens a device. On other systems the files are not there, and names and rivals are unknown.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import usb.backend
import usb.backend.libusb1
import usb.core

from taxagent.device.uevents import Uevents, uevents
from taxagent.model.errors import AgentError

SCAN_S = 1.0
"""How often the bus is looked at, in seconds: a scan of descriptors that the kernel has cached."""

HEARD_S = 10.0
"""The same where udev tells what comes and goes: should it ever be silent, a device is late and not lost."""

_ROOT = Path("/")


class LibusbHost:
    """bus.Host over libusb."""

    prefix = "usb"

    def __init__(self, backend: usb.backend.IBackend | None = None, root: Path = _ROOT) -> None:
        """Load libusb, unless a backend is given; `root` is where /sys and /proc are looked for."""
        self._given = backend
        self._root = root
        self._news: Uevents | None = None
        self.backend = backend or usb.backend.libusb1.get_backend()

    def refresh(self) -> None:
        """Raise AgentError(USB_LIBRARY_MISSING) where libusb could not be loaded; else do nothing."""
        if self.backend is None:
            raise AgentError("USB_LIBRARY_MISSING")

    def renew(self) -> None:
        """Start libusb afresh: a context in which opens failed may keep failing."""
        self.backend = self._given or usb.backend.libusb1.get_backend()

    def product(self, device: usb.core.Device, *, ours: bool) -> tuple[str, str]:
        """Return manufacturer and product as the kernel read them at arrival, "" where unreadable."""
        folder = self._root / "sys/bus/usb/devices" / _port_path(device)
        return _text(folder / "manufacturer"), _text(folder / "product")

    def arrival(self, device: usb.core.Device) -> str:
        """Return the plugging: the machine's start, the port and the address, which the kernel counts up."""
        boot = _text(self._root / "proc/sys/kernel/random/boot_id")
        return f"{boot}:{_port_path(device)}#{device.address}" if boot else ""

    def holder(self, device: usb.core.Device) -> str:
        """Return who has the device: programs with its node open, else the kernel's driver, else ""."""
        node = f"/dev/bus/usb/{device.bus:03d}/{device.address:03d}"
        programs = ", ".join(self._programs_with(node))
        if programs:
            return programs
        interface = self._root / "sys/bus/usb/devices" / f"{_port_path(device)}:1.0" / "driver"
        try:
            driver = interface.readlink().name
        except OSError:
            return ""
        return "" if driver == "usbfs" else f"kernel driver {driver}"

    def watch(self, changed: Callable[[], None], stop: Event) -> None:
        """Call `changed` when udev has news of USB, else once a second, until `stop` is set."""
        self._news = news = uevents(self._root)
        if news is None:
            while not stop.wait(SCAN_S):
                changed()
            return
        with contextlib.closing(news):
            changed()  # what came before udev was listened to
            while not stop.is_set():
                if news.wait(HEARD_S):
                    changed()

    def wake(self) -> None:
        """Have a wait for news end; a scan looks at `stop` itself."""
        if self._news is not None:
            self._news.wake()

    def _programs_with(self, node: str) -> Iterator[str]:
        for folder in (self._root / "proc").glob("[0-9]*"):
            if folder.name == str(os.getpid()):
                continue
            try:
                links = [str(link.readlink()) for link in (folder / "fd").iterdir()]
            except OSError:  # another user's process, or one that has just ended
                continue
            if node in links:
                yield f"{_text(folder / 'comm') or 'a program'} (pid {folder.name})"


class _Version(ctypes.Structure):
    """libusb_version(3)."""

    _fields_ = tuple((name, ctypes.c_uint16) for name in ("major", "minor", "micro", "nano"))


def library_version() -> str:
    """Return libusb's version such as "1.0.26", "" where it cannot be loaded."""
    backend = usb.backend.libusb1.get_backend()
    if backend is None:
        return ""
    ask = backend.lib.libusb_get_version
    ask.restype = ctypes.POINTER(_Version)
    told = ask().contents
    return f"{told.major}.{told.minor}.{told.micro}"


def _port_path(device: usb.core.Device) -> str:
    return f"{device.bus}-{'.'.join(str(port) for port in device.port_numbers or ())}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
