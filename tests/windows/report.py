"""Runs the checks in order and prints a line for each: ok or FAIL, its seconds, its sentence, why not."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

Check = Callable[[], str | None]
"""Raises where the sentence does not hold; what it returns is a figure to show."""


class Report:
    """What was found so far."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, sentence: str, holds: Check) -> bool:
        """Run one check; return whether it held."""
        begun = time.monotonic()
        try:
            figure = holds()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this check's alone
            self.failed += 1
            self._line("FAIL", begun, f"{sentence}: {type(error).__name__}: {error}")
            if not isinstance(error, AssertionError):
                traceback.print_exc()
            return False
        self.passed += 1
        self._line("ok", begun, f"{sentence} ({figure})" if figure else sentence)
        return True

    def end(self) -> int:
        """Print the last line; return 0 where nothing failed."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0

    @staticmethod
    def _line(word: str, begun: float, text: str) -> None:
        print(f"{word:<4} {time.monotonic() - begun:6.1f} s  {text}", flush=True)
