"""Runs the checks in order and prints a line for each: ok or FAIL, seconds, file and sentence, why not."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Check = Callable[[], str | None]
"""Raises where the sentence does not hold; what it returns is a figure to show."""


class Report:
    """`file` is the check file whose turn it is; `only`: lines that fit, and those that are `always`."""

    def __init__(self, only: str = "") -> None:
        self.failed = 0
        self.file = ""
        self._only = only

    def check(self, sentence: str, holds: Check, *, always: bool = False) -> bool:
        """Run one check; return whether it held. A check that is `always` run prepares those behind it."""
        line = f"{self.file}: {sentence}"
        if not re.search(self._only, line) and not always:
            return True
        begun = time.monotonic()
        try:
            figure = holds()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this check's alone
            self.failed += 1
            said = " ".join(str(error).split("\n"))
            self._line("FAIL", begun, f"{line}: {type(error).__name__}: {said}")
            if not isinstance(error, AssertionError):
                traceback.print_exc()
            return False
        self._line("ok", begun, f"{line} ({figure})" if figure else line)
        return True

    def side_by_side(self, checks: Sequence[tuple[str, Check]]) -> None:
        """Run checks at the same time, each on a device of its own: most of their time they wait."""
        with ThreadPoolExecutor(len(checks)) as pool:
            list(pool.map(lambda one: self.check(*one), checks))

    @staticmethod
    def _line(word: str, begun: float, text: str) -> None:
        print(f"{word:<4} {time.monotonic() - begun:6.1f} s  {text}\n", end="", flush=True)
