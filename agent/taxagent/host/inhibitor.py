"""Sleep and shutdown wait while work that must not be cut is under way: a delay lock of logind's.

Held by a child, systemd-inhibit: it comes with logind, and a D-Bus library would be one more dependency for
one call. The lock ends with the child, whose input ends with this process, also after kill -9. Where the
program or logind is not there nothing is held and the work goes on. One thread: not the loop's.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

LOGIND = Path("/run/systemd/seats")
"""Is there where logind runs."""

COMMAND = (
    "systemd-inhibit",
    "--what=sleep:shutdown",
    "--mode=delay",
    "--who=taxagent",
    "--why=A tax-control device is being written; the power must stay on",
    "cat",
)


def lock_command() -> tuple[str, ...]:
    """Return what holds the lock here, () where there is no logind."""
    return COMMAND if LOGIND.exists() and shutil.which(COMMAND[0]) else ()


class Inhibitor:
    """Holds the lock while it is told to."""

    def __init__(self, holder: Sequence[str]) -> None:
        """Use this command: it holds the lock until its standard input ends. () holds nothing."""
        self._holder = tuple(holder)
        self._child: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []

    @property
    def held(self) -> bool:
        """Whether a child holds the lock, as far as this process knows."""
        return self._child is not None and self._child.poll() is None

    def leave(self) -> None:
        """Let the lock go; not an error where it is not held."""
        if self._child is not None:
            self._end(self._child)
            self._child = None

    def close(self) -> None:
        """Let it go and wait for the children, which end with their input."""
        self.leave()
        for child in self._leaving:
            child.wait()

    def take(self) -> None:
        """Take the lock; not an error where it is held, or cannot be."""
        if self._child is not None or not self._holder:
            return
        self._leaving = [child for child in self._leaving if child.poll() is None]
        try:
            self._child = subprocess.Popen(
                self._holder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            _log.warning("sleep_not_inhibited", reason=str(error))
            self._holder = ()

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is not None:
            child.stdin.close()
        if child.poll() not in (None, 0):
            _log.warning("sleep_not_inhibited", reason=f"{self._holder[0]} ended with {child.returncode}")
        self._leaving.append(child)
