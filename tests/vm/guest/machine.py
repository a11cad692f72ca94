"""What the guest's kernel and systemd tell: commands, USB devices, units, and waits on conditions."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

PATIENCE_S = 180.0  # an emulated processor on a busy machine is a hundred times slower than a real one
_USB = Path("/sys/bus/usb/devices")

Found = TypeVar("Found")


def done(*command: str, user: str = "", timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run a command, as `user` with all of that user's groups where one is named; return how it ended."""
    words = ["runuser", "-u", user, "--", *command] if user else list(command)
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)


def out(*command: str, user: str = "") -> str:
    """Return what a command printed. Raises AssertionError where it failed."""
    ended = done(*command, user=user)
    assert ended.returncode == 0, f"{' '.join(command)}: {ended.returncode} {ended.stderr.strip()}"
    return ended.stdout


def until(look: Callable[[], Found], what: str, patience_s: float = PATIENCE_S) -> Found:
    """Look until something is there and return it. Raises AssertionError after `patience_s`."""
    end, pause = time.monotonic() + patience_s, 0.02
    while not (found := look()):
        if time.monotonic() > end:
            msg = f"not within {patience_s:.0f} s: {what}"
            raise AssertionError(msg)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.3)  # a look costs time that what is awaited needs
    return found


# ---- USB


def place(serial: str) -> Path | None:
    """Return the kernel's folder of the device with that serial number, None where it is not plugged."""
    for folder in _USB.glob("*-*"):
        if _text(folder / "serial") == serial:
            return folder
    return None


def driver(serial: str) -> str:
    """Return the kernel's driver of the device's interface: "usb-storage", "usbfs", or ""."""
    folder = place(serial)
    if folder is None:
        return ""
    try:
        return (_USB / f"{folder.name}:1.0" / "driver").readlink().name
    except OSError:
        return ""


def generic(serial: str) -> str:
    """Return the sg node that the kernel's usb-storage made for a device. Raises AssertionError."""
    folder = place(serial)
    assert folder is not None, f"{serial} is not plugged"
    nodes = [node.name for node in folder.glob("*:1.0/host*/target*/*/scsi_generic/sg*")]
    assert nodes, f"no sg node below {folder}"
    return f"/dev/{nodes[0]}"


def block(serial: str) -> str:
    """Return the disk that the kernel's usb-storage made for a device, "" where there is none."""
    folder = place(serial)
    nodes = list(folder.glob("*:1.0/host*/target*/*/block/sd*")) if folder is not None else []
    return f"/dev/{nodes[0].name}" if nodes else ""


def complaints() -> list[str]:
    """Return the kernel's warnings and errors so far."""
    return out("dmesg", "--level", "emerg,alert,crit,err,warn", "--notime").splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


# ---- systemd


def unit(*names: str) -> dict[str, str]:
    """Return properties of the agent's unit."""
    words = [f"--property={name}" for name in names]
    lines = out("systemctl", "show", "taxagent", *words).splitlines()
    return dict(line.split("=", 1) for line in lines)


def main_pid() -> int:
    """Return the agent's pid, 0 where it does not run."""
    return int(unit("MainPID")["MainPID"])


def processes() -> set[int]:
    """Return the pids of the agent's unit, without starting a program."""
    text = _text(Path("/sys/fs/cgroup/system.slice/taxagent.service/cgroup.procs"))
    return {int(line) for line in text.split()}


def restarted(than: int) -> Callable[[], bool]:
    """Return a look for an active agent with another pid."""

    def look() -> bool:
        if not processes() - {than}:
            return False
        told = unit("MainPID", "ActiveState")
        return told["ActiveState"] == "active" and int(told["MainPID"]) not in (0, than)

    return look


def journal(*options: str) -> str:
    """Return what the agent's unit wrote into the journal."""
    return out("journalctl", "-u", "taxagent", "-q", "--no-pager", "-o", "cat", *options)


def owners(path: str) -> Iterator[str]:
    """Yield the names of programs that have a file open."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            links = [str(link.readlink()) for link in (folder / "fd").iterdir()]
        except OSError:
            continue
        if path in links:
            yield f"{_text(folder / 'comm')} ({folder.name})"


def node(serial: str) -> str:
    """Return the device's node below /dev/bus/usb. Raises AssertionError."""
    folder = place(serial)
    assert folder is not None, f"{serial} is not plugged"
    bus, number = int(_text(folder / "busnum")), int(_text(folder / "devnum"))
    return f"/dev/bus/usb/{bus:03d}/{number:03d}"


def mode(path: str) -> tuple[str, str, str]:
    """Return a path's octal mode, owner and group."""
    told = out("stat", "-c", "%a %U %G", path).split()
    return told[0], told[1], told[2]
