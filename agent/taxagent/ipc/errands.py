"""A thread for what may wait for a disk or a name service, so that the loop never does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from taxagent.model.errors import Unavailable
from taxagent.ports import Mailbox

T = TypeVar("T")

_log = structlog.get_logger("ipc.errands")


class Errands:
    """One thread, first in first out, at most `bound` waiting. Answers come back into the loop."""

    def __init__(self, name: str, mailbox: Mailbox, *, bound: int = 256) -> None:
        self._mailbox = mailbox
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(bound)
        self._ending = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread after what it does now, waiting `timeout_s` at most; what still waits is dropped."""
        self._ending = True
        if self._thread.is_alive():
            with suppress(queue.Full):  # then it meets another errand, and sees that it ends
                self._queue.put_nowait(None)
            self._thread.join(timeout_s)

    def run(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Call `work` in the thread and `done` with its result, or what it raised, in the loop.

        Where too many wait already, `done` gets Unavailable("RATE_LIMITED") at once.
        """

        def errand() -> None:
            try:
                result: T | Exception = work()
            except Exception as error:  # noqa: BLE001 - whatever it is, its asker must hear of it
                result = error
            self._mailbox.post(lambda: done(result))

        try:
            self._queue.put_nowait(errand)
        except queue.Full:
            done(Unavailable("RATE_LIMITED"))

    def ask(self, work: Callable[[], T], timeout_s: float) -> T:
        """Call `work` in the thread and wait for it: for the start, before the loop serves anyone."""
        answers: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()

        def errand() -> None:
            try:
                answers.put(work())
            except Exception as error:  # noqa: BLE001 - raised below, in the asker's thread
                answers.put(error)

        self._queue.put(errand)
        answer = answers.get(timeout=timeout_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _serve(self) -> None:
        while (errand := self._queue.get()) is not None and not self._ending:
            errand()
