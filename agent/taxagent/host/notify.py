"""What the service manager is told (sd_notify), over its datagram socket; nothing where none is named.

Twenty lines instead of a library: the protocol is one datagram of NAME=VALUE lines, stable and documented in
sd_notify(3); python-systemd needs a compiler and libsystemd, and sdnotify is these lines, without reload.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Protocol

import structlog

_log = structlog.get_logger(__name__)


class Manager(Protocol):
    """Who started the agent and is told how it stands: systemd, or Windows' service control manager."""

    @property
    def watchdog_ms(self) -> int:
        """How often it wants a sign of life, 0 for never."""

    @property
    def heard(self) -> bool:
        """Whether there is somebody to tell."""

    def tell(self, **fields: str | int) -> None:
        """Take fields of sd_notify(3). Any thread; never waits."""

    def ended(self, code: int) -> None:
        """Take the exit code of a process that ends now, at once."""


class Notifier:
    """Tells the manager behind `$NOTIFY_SOCKET`; without one it does nothing. Any thread; never waits."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        """Read where to tell and how often to show life; `pid` is this process's own."""
        self._address = environment.get("NOTIFY_SOCKET", "")
        wanted = environment.get("WATCHDOG_USEC", "0") if self._address else "0"
        ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        self.watchdog_ms = int(wanted) // 1000 if ours and wanted.isdigit() else 0
        self._failed = False

    @property
    def heard(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self._address)

    def ended(self, code: int) -> None:
        """Say nothing: systemd sees the process end."""

    def tell(self, **fields: str | int) -> None:
        """Send the fields (READY, STATUS, WATCHDOG and so on, of sd_notify(3)) as one datagram."""
        if not self._address:
            return
        text = "\n".join(f"{name}={_line(value)}" for name, value in fields.items())
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
                door.settimeout(0)  # a manager that does not read must not stop the loop
                door.sendto(text.encode(), address)
            self._failed = False
        except OSError as error:
            if not self._failed:  # once, not with every sign of life
                _log.warning("manager_not_told", reason=str(error))
            self._failed = True


def _line(value: str | int) -> str:
    return " ".join(str(value).splitlines())
