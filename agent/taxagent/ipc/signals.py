"""Signals end the loop's blocking receive, always.

A handler in Python runs when the main thread is back in Python. A signal that lands just before the receive
begins to block would wait there for the next message (seen in 3 of 40 runs): so the interpreter also writes
each signal's number to a pipe, and a thread that reads the pipe wakes the loop.
"""

from __future__ import annotations

import os
import signal
import threading

from taxagent.ports import Mailbox


class SignalBell:
    """Wakes the loop for each signal between `start` and `stop`. Does nothing outside the main thread."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._thread: threading.Thread | None = None
        self._write = -1
        self._before = -1

    def start(self) -> None:
        """Begin. Only the main thread hears of signals; in another one this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._serve, args=(read,), name="ipc-signals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and give the interpreter's pipe back to who had it."""
        if self._thread is None:
            return
        signal.set_wakeup_fd(self._before)
        os.close(self._write)
        self._thread.join()
        self._thread = None

    def _serve(self, read: int) -> None:
        while os.read(read, 64):  # b"" once the other end is closed
            self._mailbox.post(_nothing)
        os.close(read)


def _nothing() -> None:
    """Be a message: that alone brings the main thread back to Python, where the handler runs."""
