"""Which drivers are installed (entry points of the group `taxagent.devices`). Knows no driver."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from taxagent.model.errors import Refusal
from taxagent.ports import DeviceSource

GROUP = "taxagent.devices"
Factory = Callable[[str], DeviceSource]  # takes the text of `[usb] backend`; ValueError where it is none


def installed() -> tuple[str, ...]:
    """Return the names of the drivers that are installed, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def factory(name: str) -> Factory:
    """Return what makes the source of the driver `name`.

    Raises Refusal("CONFIG_INVALID") with the names there are where no package, or more than one, brings it,
    and with the cause where it cannot be imported.
    """
    entries = {entry.value: entry for entry in entry_points(group=GROUP, name=name)}
    if len(entries) != 1:
        what = f"several packages bring it: {', '.join(sorted(entries))}" if entries else "no such driver"
        raise _invalid(name, what)
    try:
        made: Factory = entries.popitem()[1].load()
    except (ImportError, AttributeError) as error:
        raise _invalid(name, str(error)) from error
    return made


def source(name: str, backend: str) -> DeviceSource:
    """Return the source of the driver `name` over `backend`; raises Refusal("CONFIG_INVALID")."""
    make = factory(name)
    try:
        return make(backend)
    except ValueError as error:
        raise Refusal("CONFIG_INVALID", key="usb.backend", found=backend, what=str(error)) from error


def _invalid(name: str, what: str) -> Refusal:
    return Refusal("CONFIG_INVALID", key="usb.driver", found=name, what=what, expected=", ".join(installed()))
