"""The floor of durability: one row, one transaction, one fsync, on the disk that the journal lies on."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from taxagent.journal import store

_BODY = b"x" * 700  # about what an accepted job weighs as a row


class Commits:
    """A database in WAL mode with synchronous=FULL, as the journal's, and nothing but inserts.

    With `log_pages` its log is long before the first of them, as the agent's is: a harder floor than the
    budget's, for the note below the table.
    """

    def __init__(self, folder: Path, *, log_pages: int = 0) -> None:
        name = "long.db" if log_pages else "floor.db"
        self._db = sqlite3.connect(folder / name, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("CREATE TABLE row (seq INTEGER PRIMARY KEY, body BLOB)")
        self._insert()
        if log_pages:
            store.lengthened(self._db, log_pages)

    def take(self, number: int) -> list[float]:
        """Insert that many rows one by one; return the seconds that each took."""
        took, clock = [], time.perf_counter
        for _ in range(number):
            begun = clock()
            self._insert()
            took.append(clock() - begun)
        return took

    def _insert(self) -> None:
        self._db.execute("INSERT INTO row (body) VALUES (?)", (_BODY,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
