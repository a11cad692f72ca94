"""A bus with one device of ours, a vendor's and a mouse, for commands that read the devices themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from taxagent.model.job import Problem
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import MayGoOn
from tests.builders.jobs import FakeDevice


class Bus:
    """ports.DeviceSource: one device of ours, a vendor's, and a mouse."""

    def __init__(self, device: FakeDevice | None = None, trouble: Problem | None = None) -> None:
        self.device = device or FakeDevice()
        self.refuses: Exception | None = None
        self._trouble = trouble

    def seen(self) -> tuple[SeenDevice, ...]:
        things = {
            "1-1": (Recognised.PROFILE, "ours"),
            "1-2": (Recognised.VENDOR, "NISEC"),
            "1-3": (Recognised.OTHER, "mouse"),
        }
        return tuple(
            SeenDevice(location=place, vendor_id=1, product_id=2, recognised=what, name=name)
            for place, (what, name) in things.items()
        )

    def trouble(self) -> Problem | None:
        return self._trouble

    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[FakeDevice]:
        if self.refuses is not None:
            raise self.refuses
        yield self.device


def plugged(monkeypatch: pytest.MonkeyPatch, bus: Bus) -> Bus:
    """Let every driver's source be this bus."""
    monkeypatch.setattr("taxagent.device.drivers.source", lambda driver, backend: bus)
    return bus
