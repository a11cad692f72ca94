"""One run of the guest under QEMU's software emulation: its lines, its orders to the hardware, its status.

A line of the guest that begins with "@qmp " is an order to the machine (a cable is pulled), not output.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

from tests.vm.tally import Tally

LIMIT_S = 900.0
CLOCKS = (
    "2026-11-03T03:30:00",
    "2026-11-03T05:30:00",
)  # UTC, in the filing window: the guest's real time at each boot
_DIED = 2
_PLUG_S = 30.0
_STICK = "driver=usb-storage,drive=stick,removable=on,id=stick,serial=QEMUSTICK1"


class Machine:
    """A guest from the images in `disks`, with `place` as its /stage and so many processors."""

    def __init__(self, disks: Path, place: Path, tally: Tally, processors: int) -> None:
        self._disks = disks
        self._place = place
        self._tally = tally
        self._processors = processors

    def run(self, limit_s: float) -> int:
        """Boot, again while the guest asks for it; return the checks' status, 2 where there is none."""
        until = time.monotonic() + limit_s
        for clock in CLOCKS:
            (self._place / "rc").unlink(missing_ok=True)
            self._boot(until, clock)
            told = self._place / "rc"
            if not told.exists():
                return _DIED
            code = told.read_text("ascii").strip()
            if code != "again":
                return int(code)
        return _DIED

    def _boot(self, until: float, clock: str) -> None:
        with subprocess.Popen(
            self._command(clock),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as qemu:
            end = threading.Timer(max(1.0, until - time.monotonic()), qemu.kill)
            end.daemon = True
            end.start()
            assert qemu.stdout is not None
            self._follow(qemu.stdout)
            end.cancel()

    def _follow(self, lines: IO[str]) -> None:
        for line in lines:
            if line.startswith("@qmp "):
                self._order(line.removeprefix("@qmp ").split())
            else:
                self._tally.line(line)

    def _order(self, words: list[str]) -> None:
        """Carry out `unplug` or `plug` of the stick."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self._place / "qmp"))
            stream = sock.makefile("rw")
            stream.readline()
            self._asked(stream, "qmp_capabilities", {})
            if words == ["unplug"]:
                said = self._asked(stream, "device_del", {"id": "stick"})
            else:
                said = self._plugged(stream)
            if said:
                self._tally.line(f"the machine refuses {words}: {said}")

    def _plugged(self, stream: IO[str]) -> str:
        """Plug the stick in; what was pulled a moment ago may still be in use."""
        stick: dict[str, object] = {"removable": True}
        for word in _STICK.split(","):
            name, _, value = word.partition("=")
            stick.setdefault(name, value)
        until = time.monotonic() + _PLUG_S
        while (said := self._asked(stream, "device_add", stick)) and time.monotonic() < until:
            time.sleep(0.2)
        return said

    @staticmethod
    def _asked(stream: IO[str], command: str, arguments: dict[str, object]) -> str:
        """Send a command to the machine; return its complaint, "" where it was obeyed."""
        stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        stream.flush()
        while True:
            said = json.loads(stream.readline())
            if "return" in said:
                return ""
            if "error" in said:
                return str(said["error"]["desc"])

    def _command(self, clock: str) -> list[str]:
        disks, place = self._disks, self._place
        drives = [
            ("root", disks / "root.squashfs", "if=virtio,readonly=on"),
            ("app", disks / "app.squashfs", "if=virtio,readonly=on"),
            ("state", disks / "state.img", "if=virtio,cache=unsafe"),
            ("shop", disks / "shop.img", "if=virtio,cache=unsafe"),
        ]
        command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"]
        command += [
            "-smp",
            str(self._processors),
            "-m",
            "1536",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
        ]
        command += ["-no-reboot", "-nic", "none", "-rtc", f"base={clock},clock=vm"]
        command += ["-kernel", str(disks / "vmlinux"), "-initrd", str(disks / "initrd.cpio")]
        command += ["-append", f"{_KERNEL} {_UNIT}"]
        for name, path, how in drives:
            command += ["-drive", f"id={name},file={path},format=raw,{how}"]
        command += ["-blockdev", f"driver=file,node-name=stick,filename={disks / 'stick.img'}"]
        command += ["-device", "qemu-xhci", "-device", _STICK.removeprefix("driver=")]
        command += ["-virtfs", f"local,path={place},mount_tag=stage,security_model=none,multidevs=remap"]
        command += ["-qmp", f"unix:{place / 'qmp'},server=on,wait=off"]
        command += ["-serial", f"file:{place / 'console.log'}", "-serial", "stdio"]
        return command


_KERNEL = "console=ttyS0 quiet panic=-1 mitigations=off"
_UNIT = "systemd.unit=stage.target systemd.show_status=0"
