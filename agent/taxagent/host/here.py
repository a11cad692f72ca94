"""The seam between platforms: the one place that asks which one this is, and hands out what differs.

Knows the two hosts (this folder for Linux, windows/) and nothing of the agent.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol

from taxagent.host.windows import places

WINDOWS = sys.platform == "win32"


class Inhibits(Protocol):
    """Has sleep wait. One thread, not the loop's."""

    def take(self) -> None:
        """Begin; not an error where it cannot be."""

    def leave(self) -> None:
        """End."""

    def close(self) -> None:
        """End, and leave nothing behind."""


def config_file() -> Path:
    """Return the configuration that is read where no other is named."""
    return places.config_file(os.environ) if WINDOWS else Path("/etc/taxagent/taxagent.toml")


def inhibitor() -> Inhibits:
    """Return what keeps the computer awake here."""
    if WINDOWS:
        from taxagent.host.windows.power import awake

        return awake()
    from taxagent.host.inhibitor import Inhibitor, lock_command

    return Inhibitor(lock_command())
