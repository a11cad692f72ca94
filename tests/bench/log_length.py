"""What a commit costs while it lengthens SQLite's log, and where the log is long already; by pages written.

python -m tests.bench.log_length [FOLDER]
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from taxagent.journal import LOG_PAGES, store

_ROUNDS, _BATCH = 12, 10  # times two and all of PAGES: the long log is not used up
_PAGES = (1, 4, 8)
_BODY = b"x" * 400


def main() -> None:
    """Measure in rotated rounds and print."""
    with (
        tempfile.TemporaryDirectory(prefix="tca-bench-", dir=sys.argv[1] if sys.argv[1:] else None) as name,
        closing(_database(Path(name) / "grows.db")) as grows,
        closing(_database(Path(name) / "long.db")) as long,
    ):
        store.lengthened(long, 4 * LOG_PAGES)
        for tables in _PAGES:
            rounds = [(_took(grows, tables), _took(long, tables)) for _ in range(_ROUNDS)]
            growing, overwriting = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"{tables} pages: {growing:.0f} us on a log that grows, {overwriting:.0f} on a long one")


def _database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
        db.execute(f"PRAGMA {pragma}")
    for number in range(max(_PAGES)):
        db.execute(f"CREATE TABLE page{number} (seq INTEGER PRIMARY KEY, body BLOB)")
    return db


def _took(db: sqlite3.Connection, tables: int) -> float:
    """Return the median us of commits that write a row into each of so many tables."""
    found = []
    for _ in range(_BATCH):
        begun = time.perf_counter()
        db.execute("BEGIN IMMEDIATE")
        for number in range(tables):
            db.execute(f"INSERT INTO page{number} (body) VALUES (?)", (_BODY,))  # noqa: S608 - a number
        db.execute("COMMIT")
        found.append((time.perf_counter() - begun) * 1e6)
    return statistics.median(found)


if __name__ == "__main__":
    main()
