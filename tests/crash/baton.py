"""Threads that hand a baton: at each port call of any of them the seed says who goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.builders.tap import Death


class Actor:
    """A thread that runs one piece of work after the other, only while it holds the baton."""

    def __init__(self, name: str, turn: Callable[[], object], has_work: Callable[[], bool]) -> None:
        self.name = name
        self.place = ""  # where it stands
        self.working = False  # in the middle of a piece
        self.stuck_until = 0.0  # steady time before which its call does not return
        self._turn = turn
        self._has_work = has_work
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._dead = False
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether there is anything for it to do."""
        return self.working or self._has_work()

    @property
    def here(self) -> bool:
        """Whether the caller is this actor's thread."""
        return threading.current_thread() is self._thread

    def step(self) -> None:
        """Give it the baton; returns when it has given it back, at a port call or at its piece's end."""
        self._go.release()
        self._back.acquire()
        if self._failed is not None:
            raise self._failed

    def pass_on(self, place: str) -> None:
        """In its own thread: give the baton back and wait for it. Raises Death where the agent died."""
        self.place = place
        if self._dead:
            raise Death
        self._back.release()
        self._go.acquire()
        if self._dead:
            raise Death

    def kill(self) -> None:
        """The agent died: whatever it does from now on is nothing. Returns when its thread has ended."""
        self._dead = True
        self._go.release()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._go.acquire()
            if self._dead:
                return
            self.working = True
            try:
                self._turn()
            except Death:
                return
            except BaseException as error:  # noqa: BLE001 - the world's own thread must hear of it
                self._failed = error
            self.working = False
            self.place = ""
            self._back.release()
