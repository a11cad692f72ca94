"""Between a device's thread and the world: which command it is in, and whether it was given up.

A thread inside a USB library cannot be ended. One that does not come back in time is given up: whenever it
does come back, the next thing that it wants to do, a command or a journal row, is refused here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from taxagent.model.errors import Interrupted
from taxagent.model.events import AnyEvent
from taxagent.model.value import Value
from taxagent.ports import Journal, JournalTx

T = TypeVar("T")
_LONG = frozenset({"seal", "read_summary", "apply_ticket", "apply_clock_ticket", "self_test", "monitor"})
_LONG_S = 30.0  # what writes flash memory, and what asks for up to eight types
_SHORT_S = 10.0  # anything else: a second or two is usual


class Command(Value, frozen=True, kw_only=True):
    """A call to the device that has not returned: its name, and when it is late (monotonic seconds)."""

    name: str
    limit_s: float
    late_at: float

    @property
    def begun_at(self) -> float:
        """When it was sent (monotonic seconds)."""
        return self.late_at - self.limit_s

    def unanswered_s(self, now: float) -> float | None:
        """Return for how long it has had no answer, in seconds, or None while that is nothing unusual."""
        waited = now - self.begun_at
        return waited if waited >= (_LONG_S if self.name in _LONG else _SHORT_S) else None


class Fence:
    """What one device's thread may still do. `give_up` and `current` are for the loop's thread."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._gate = threading.Lock()
        self._current: Command | None = None
        self._given_up = False

    def passed(self) -> None:
        """Raise Interrupted("DEVICE_HUNG") in a thread that was given up."""
        if self._given_up:
            raise Interrupted("DEVICE_HUNG")

    def command(self, name: str, limit_s: float, act: Callable[[], T]) -> T:
        """Return what `act` returns; Interrupted where the thread was given up before or meanwhile."""
        with self._gate:
            self.passed()
            self._current = Command(name=name, limit_s=limit_s, late_at=self._monotonic() + limit_s)
        try:
            return act()
        finally:
            with self._gate:
                self._current = None
                self.passed()

    def current(self) -> Command | None:
        """Return the command that has not returned, or None."""
        return self._current

    def late(self) -> Command | None:
        """Return the command that should have returned by now, or None."""
        current = self._current
        return current if current is not None and self._monotonic() >= current.late_at else None

    def give_up(self, command: Command) -> bool:
        """Give the thread up, unless it has come back from `command`; return whether it is given up."""
        with self._gate:
            self._given_up = self._given_up or self._current is command
            return self._given_up


class FencedJournal:
    """ports.Journal for one thread: after it was given up no row of it is taken.

    It is asked inside the writer, so that what the thread began and what is said of it afterwards by others
    have one order.
    """

    def __init__(self, journal: Journal, passed: Callable[[], None]) -> None:
        self._journal = journal
        self._passed = passed

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        """As ports.Journal; raises Interrupted for a thread that was given up."""
        return self._journal.transact(self._fenced(work))

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        """As ports.Journal; `done` gets Interrupted for a thread that was given up."""
        self._journal.transact_soon(self._fenced(work), done)

    def append(self, *events: AnyEvent) -> int:
        """As ports.Journal; raises Interrupted for a thread that was given up."""
        return self.transact(lambda tx: [tx.append(event) for event in events][-1])

    def _fenced(self, work: Callable[[JournalTx], T]) -> Callable[[JournalTx], T]:
        def unless_given_up(tx: JournalTx) -> T:
            self._passed()
            return work(tx)

        return unless_given_up
