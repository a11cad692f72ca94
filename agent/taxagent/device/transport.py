"""The seam between the profile and what carries its command blocks. Knows no frame, no tag and no USB."""

from __future__ import annotations

import threading
from typing import Protocol


class TransportError(Exception):
    """A command block did not come to its end.

    `may_have_executed` is False only where the device cannot have seen the whole command (its command block
    or its data never left). `gone` is True where the device vanished from the bus: asking again is useless.
    For a device that is still there the transport has done its reset recovery before it raises this.
    """

    def __init__(self, text: str, *, may_have_executed: bool, gone: bool = False) -> None:
        super().__init__(text)
        self.may_have_executed = may_have_executed
        self.gone = gone


class CommandFailed(Exception):
    """The device ended a command block with status 1; `sense` is what REQUEST SENSE then gave.

    Fixed-format sense data, 18 bytes or more; empty where the device would not tell.
    """

    def __init__(self, sense: bytes) -> None:
        super().__init__(f"status 1, sense {sense.hex() or 'unknown'}")
        self.sense = sense


class Transport(Protocol):
    """One claimed device that takes SCSI command blocks, used by one thread."""

    def command(self, cdb: bytes, *, data_out: bytes = b"", data_in: int = 0, timeout_ms: int) -> bytes:
        """Carry out one command block; return the data-in bytes received (at most `data_in`, may be fewer).

        Never both `data_out` and `data_in`. Raises CommandFailed (status 1, with sense) or TransportError.
        """


def unasked() -> None:
    """Whoever holds a device without having said when to stop may go on."""


def wait(seconds: float) -> None:
    """Wait that long: what a driver does between two tries or looks, unless its maker gave it another way."""
    threading.Event().wait(seconds)
