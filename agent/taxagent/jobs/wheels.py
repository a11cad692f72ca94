"""What turns the jobs' parts: time, the loop's timers and mailbox, the office that may wait for a disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from taxagent.ports import Clock, Mailbox


class Timers(Protocol):
    """The loop's timers."""

    def call_later(self, delay_ms: int, call: Callable[[], None], /) -> object:
        """Call `call` in the loop's thread after `delay_ms`."""


@dataclass(frozen=True)
class Wheels:
    """`background` runs a call, in order, in a thread that is no device's and not the loop's."""

    clock: Clock
    timers: Timers
    mailbox: Mailbox
    background: Callable[[Callable[[], None]], None]
