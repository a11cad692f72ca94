"""Drivers with one defect each, and which check of the contract test kit is to find it: the register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from taxagent.device.contract import Plan
from taxagent.model.period import Period
from tests.builders.minimal_driver import MinimalDevice, MinimalSource
from tests.builders.minimal_hardware import DEVICE_NO, PASSWORD, Hardware

Source = Callable[[Hardware], MinimalSource]
ALL = Plan(
    device_no=DEVICE_NO,
    password=PASSWORD,
    interactive=True,
    heard_s=0.05,
    spend_a_try=True,
    destructive=True,
    seal=Period("2026-10"),
)


@dataclass(frozen=True)
class Broken:
    """A defect, the check that is to find it, and the others that see it too."""

    check: str
    name: str
    make: Source
    also: frozenset[str] = frozenset()


BROKEN: list[Broken] = []


def broken_source(check: str, *also: str) -> Callable[[type[MinimalSource]], type[MinimalSource]]:
    """Note a source with a defect, the check that finds it, and those that see it too."""

    def note(source: type[MinimalSource]) -> type[MinimalSource]:
        BROKEN.append(Broken(check, source.__name__, source, frozenset(also)))
        return source

    return note


def broken_device(check: str, *also: str) -> Callable[[type[MinimalDevice]], type[MinimalDevice]]:
    """Note a device with a defect, likewise."""

    def note(device: type[MinimalDevice]) -> type[MinimalDevice]:
        def make(hardware: Hardware) -> MinimalSource:
            source = MinimalSource(hardware)
            source.device_class = device
            return source

        BROKEN.append(Broken(check, device.__name__, make, frozenset(also)))
        return device

    return note


def changed(value: Any, **changes: Any) -> Any:
    """Return a value with some fields replaced."""
    return msgspec.structs.replace(value, **changes)
