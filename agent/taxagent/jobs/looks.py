"""How a device is read for its snapshot, and whether a password was given since it was last let in or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from taxagent.jobs.asks import DeviceView
from taxagent.model.device import DeviceState, Hello
from taxagent.model.errors import Refusal
from taxagent.ports import Device, Secrets
from taxagent.procedures.session import Latch, greet, open_session, read_state, with_stock

_PASSWORD_FAULTS = frozenset(
    {"PASSWORD_MISSING", "PASSWORD_WRONG", "PASSWORD_LATCHED", "SECRET_EXPOSED", "SECRET_STORE_UNUSABLE"}
)


class Looks:
    """Looks at devices. `look` is for the device's thread, `given_since` for one that may read a disk."""

    def __init__(self, secrets: Secrets, latch: Latch, *, simulation: bool) -> None:
        self._secrets = secrets
        self._latch = latch
        self._simulation = simulation
        self._passwords: dict[str, tuple[str, bool]] = {}  # as they were at the last look

    def look(self, device: Device, greeted: Callable[[Hello], None]) -> DeviceState:
        """Read all of a snapshot; what `greeted` raises ends it before a password is tried."""
        hello = greet(device, simulation=self._simulation)
        greeted(hello)
        self._passwords[hello.device_no] = self._password(hello.device_no)
        open_session(device, hello, self._secrets, self._latch)
        state = with_stock(device, read_state(device, hello))
        device.close()
        return state

    def given_since(self, shut_out: Iterable[DeviceView]) -> tuple[str, ...]:
        """Return the locations of those whose password is another than it was at their last look."""
        return tuple(
            view.location
            for view in shut_out
            if self._password(view.device_no) != self._passwords.get(view.device_no)
        )

    def _password(self, device_no: str) -> tuple[str, bool]:
        """Return the mark of its giving, and whether there is one."""
        name = f"device-{device_no}"
        try:
            return self._secrets.given(name), self._secrets.get(name) is not None
        except Refusal:
            return "", False


def shut_out(views: Iterable[DeviceView]) -> tuple[DeviceView, ...]:
    """Return the plugged devices that are not read for want of a good password."""
    return tuple(
        view
        for view in views
        if view.location and view.device_no and view.problem and view.problem.fault in _PASSWORD_FAULTS
    )
