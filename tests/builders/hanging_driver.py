"""Our own driver, but a command hangs as one does in a USB library: while its FIFO stands in a folder.

Registered as any driver. The text of `[usb] backend` is FOLDER, a blank, and what the real driver takes. A
call of METHOD is carried out, and then does not return until somebody writes into the FIFO `hang-METHOD`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from taxagent.device.bus import UsbSource
from taxagent.model.job import Problem
from taxagent.model.usb import SeenDevice
from taxagent.ports import Device, DeviceSource, MayGoOn, Watch


def driver(text: str) -> DeviceSource:
    """The factory that the entry point names."""
    folder, _, backend = text.partition(" ")
    return HangingSource(Path(folder), UsbSource(backend))


class HangingSource:
    """ports.DeviceSource."""

    def __init__(self, folder: Path, source: UsbSource) -> None:
        self._folder = folder
        self._source = source

    def seen(self) -> tuple[SeenDevice, ...]:
        return self._source.seen()

    def trouble(self) -> Problem | None:
        return self._source.trouble()

    def watch(self, on_change: Callable[[], None]) -> Watch:
        return self._source.watch(on_change)

    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        with self._source.hold(location, may_go_on) as device:
            yield cast("Device", HangingDevice(self._folder, device))


class HangingDevice:
    """ports.Device: each call is the real one's, and then may hang."""

    def __init__(self, folder: Path, device: Device) -> None:
        self._folder = folder
        self._device = device

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._device, name)

        def call(*args: Any) -> Any:
            answer = real(*args)
            fifo = self._folder / f"hang-{name}"
            if fifo.exists():
                fifo.read_bytes()
            return answer

        return call


class Hang:
    """A FIFO on which a command hangs, for a test."""

    def __init__(self, folder: Path, method: str) -> None:
        self._fifo = folder / f"hang-{method}"
        os.mkfifo(self._fifo)

    def end(self, *, come_back: bool) -> None:
        """Take it away; with `come_back` the call that hangs returns."""
        kept = self._fifo.rename(self._fifo.with_suffix(".away"))
        if come_back:
            kept.write_bytes(b"")


def installed(folder: Path) -> None:
    """Make the driver one that a process with `folder` on its path finds by the name "hanging"."""
    package = folder / "hanging-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[taxagent.devices]\nhanging = tests.builders.hanging_driver:driver\n"
    )
