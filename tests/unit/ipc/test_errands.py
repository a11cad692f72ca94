"""The threads of what may wait for a disk: they end when they are told to, however much still waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from taxagent.ipc.errands import Errands

LIMIT_S = 10.0


class Silent:
    """ports.Mailbox whose loop has ended."""

    def post(self, item: Callable[[], None], /) -> None:
        """Nobody hears of it."""


def test_the_stop_waits_for_no_errand_longer_than_it_was_told_to() -> None:
    errands = Errands("test", Silent(), bound=2)
    errands.start()
    begun, let_go, done = threading.Event(), threading.Event(), list[int]()

    def hangs() -> None:
        begun.set()
        let_go.wait(LIMIT_S)

    errands.run(hangs, lambda _result: None)
    assert begun.wait(LIMIT_S)
    for number in range(3):  # as many as may wait, and one more
        errands.run(lambda number=number: done.append(number), lambda _result: None)  # type: ignore[misc]
    before = time.monotonic()
    try:
        errands.stop(timeout_s=0.05)
        assert time.monotonic() - before < LIMIT_S / 2
    finally:
        let_go.set()
    errands.stop(LIMIT_S)
    assert done == [], "what waited is dropped"


def test_an_idle_thread_ends_at_once() -> None:
    errands = Errands("test", Silent())
    errands.start()
    before = time.monotonic()
    errands.stop(LIMIT_S)
    assert time.monotonic() - before < LIMIT_S / 2
