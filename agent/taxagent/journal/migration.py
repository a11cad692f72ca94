"""The schema's scripts, and their way into an older journal: a copy first, the events untouched."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from taxagent.journal import stored
from taxagent.journal.copying import copied
from taxagent.model.errors import JournalBroken


def migrations() -> tuple[str, ...]:
    """Return the schema's scripts in order; their count is the schema's number."""
    folder = resources.files("taxagent.journal") / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple((folder / name).read_text(encoding="utf-8") for name in names)


def scratch() -> sqlite3.Connection:
    """Return an empty private journal that lives until it is closed; SQLite spills it to disk."""
    db = sqlite3.connect("", isolation_level=None)
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("BEGIN")  # never committed: one transaction took 3.4 s for 290,000 rows, many took 4.7
    scripts = migrations()
    for script in scripts:
        for statement in statements(script):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(scripts)}")
    return db


def statements(script: str) -> Iterator[str]:
    """Yield the statements of an SQL script, triggers whole."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def migrated(db: sqlite3.Connection, path: Path, scripts: tuple[str, ...]) -> None:
    """Bring the journal at `path` to the schema of `scripts`; nothing is changed where it raises."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    if found == len(scripts):
        return
    before = stored.head(db)
    copy = path.with_name(f"{path.name}.schema-{found}.seq-{before.seq}")
    copy.unlink(missing_ok=True)  # of a migration of this same state that did not end
    copied(db, copy)
    db.execute("BEGIN IMMEDIATE")
    try:
        db.set_authorizer(_projections_only)
        try:
            for script in scripts[found:]:
                for statement in statements(script):
                    db.execute(statement)
        finally:
            db.set_authorizer(None)
        stored.rebuild(db)
        if stored.head(db) != before:
            raise JournalBroken("a migration moved the end of the chain")
        db.execute(f"PRAGMA user_version = {len(scripts)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


_EVENT_DDL = frozenset({sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_TRIGGER, sqlite3.SQLITE_ALTER_TABLE})
_ROW_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})


def _projections_only(
    action: int, first: str | None, second: str | None, _db: str | None, _by: str | None
) -> int:
    """SQLite's authorizer during a migration: the event rows and their triggers are out of reach."""
    named = {first, second}
    if action in _ROW_WRITES and first in ("event", "meta"):
        return sqlite3.SQLITE_DENY
    if action in _EVENT_DDL and ("event" in named or "meta" in named):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
