"""The service's log: JSON lines, a file a day, the oldest taken away. Written by the service alone."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

KEPT = 60  # files, which is about as many days
_PATTERN = "taxagent-*.jsonl"


class DayLog:
    """A text stream over the file of the day, which `today` names. Any thread."""

    def __init__(self, folder: Path, today: Callable[[], dt.date]) -> None:
        """Make the folder; raises OSError where it cannot be."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._today = today
        self._lock = threading.Lock()
        self._day: dt.date | None = None
        self._file: TextIO | None = None

    def write(self, text: str) -> int:
        """Write to the day's file; raises OSError."""
        with self._lock:
            return self._of_today().write(text)

    def flush(self) -> None:
        """Hand over to the system what was written."""
        with self._lock:
            if self._file is not None:
                self._file.flush()

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file, self._day = None, None

    def _of_today(self) -> TextIO:
        day = self._today()
        if self._file is None or day != self._day:
            if self._file is not None:
                self._file.close()
            path = self._folder / f"taxagent-{day.isoformat()}.jsonl"
            self._file = path.open("a", encoding="utf-8", newline="\n", buffering=1)
            self._day = day
            for old in sorted(self._folder.glob(_PATTERN))[:-KEPT]:
                old.unlink(missing_ok=True)
        return self._file
