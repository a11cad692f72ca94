"""The stage's report: the lines of all guests as they come, and how many checks passed."""

from __future__ import annotations

import threading
from typing import TextIO


class Tally:
    """Guests that run at the same time write to it, a line at a time."""

    def __init__(self, out: TextIO) -> None:
        self.passed = 0
        self.failed = 0
        self._out = out
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Print a guest's line, and count it where it is a check's."""
        with self._lock:
            self.passed += text.startswith("ok ")
            self.failed += text.startswith("FAIL ")
            print(text.rstrip("\n"), file=self._out, flush=True)

    def end(self) -> int:
        """Print the last line; return the stage's status."""
        self._out.write(f"{self.passed} passed, {self.failed} failed\n")
        self._out.flush()
        return 1 if self.failed or not self.passed else 0
