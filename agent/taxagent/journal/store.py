"""The journal's file: made, recognised, migrated, copied. Knows no thread and no unit of work."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import msgspec

from taxagent.journal import projections
from taxagent.journal.chain import Head, genesis
from taxagent.journal.copying import copied, synced
from taxagent.model.errors import JournalBroken, JournalRefused

JOURNAL_NAME = "journal.db"
APPLICATION_ID = 0x54434A31  # "TCJ1", in the file's header (bytes 68 to 71)
BUSY_TIMEOUT_S = 5.0  # only a foreign program (a sqlite3 shell) can hold our locks for so long

_EVENT_ROWS = "SELECT seq, job_id, device_no, body FROM event ORDER BY seq"


def migrations() -> tuple[str, ...]:
    """Return the schema's scripts in order; their count is the schema's number."""
    folder = resources.files("taxagent.journal") / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple((folder / name).read_text(encoding="utf-8") for name in names)


def opened(
    path: Path,
    *,
    scripts: tuple[str, ...] | None = None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """Return the writer's connection; the file is made or migrated where needed.

    The connection may be handed to one other thread. Raises JournalRefused, with the file untouched, where it
    is not our journal, is of a newer schema, or cannot be read.
    """
    scripts = migrations() if scripts is None else scripts
    with refusing(path):
        if not path.exists():
            _create(path, scripts)
        _recognise(path, len(scripts))
        db = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            factory=factory,
        )
        try:
            _in_wal_mode(db, path)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_autocheckpoint = 0")  # the writer does it between batches
            _migrate(db, path, scripts)
        except BaseException:
            db.close()
            raise
        return db


def opened_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write, for a journal that may be written meanwhile.

    Raises JournalRefused where there is no journal, or one that this program does not understand.
    """
    with refusing(path):
        if not path.exists():
            raise _refused(
                path,
                reason="missing",
                what="there is no journal",
                remedy="check the state directory: the agent makes its journal at its first start",
            )
        _recognise(path, len(migrations()))
        return _read_only(path)


def journal_id(db: sqlite3.Connection) -> str:
    """Return the journal's random identity, 32 hex digits."""
    row = db.execute("SELECT value FROM meta WHERE name = 'journal_id'").fetchone()
    if row is None:
        raise JournalBroken("the journal has lost its identity")
    return str(row[0])


def head(db: sqlite3.Connection) -> Head:
    """Return the end of the chain as it is stored."""
    row = db.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return Head(seq=row[0], hash=row[1]) if row else genesis(journal_id(db))


def rebuild(db: sqlite3.Connection) -> None:
    """Make all projections again from the events. Call it inside a transaction."""
    projections.emptied(db)
    projections.replay(db, db.execute(_EVENT_ROWS))


def scratch() -> sqlite3.Connection:
    """Return an empty private journal that lives until it is closed; SQLite spills it to disk."""
    db = sqlite3.connect("", isolation_level=None)
    for script in migrations():
        for statement in statements(script):
            db.execute(statement)
    return db


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what a damaged file makes SQLite and our decoders say into JournalRefused."""
    try:
        yield
    except (sqlite3.Error, UnicodeError, msgspec.DecodeError) as error:
        raise _refused(
            path,
            reason="unreadable",
            what=f"{_name(error)}: {error}",
            remedy="keep the file, restore the newest snapshot beside it, and report the damage",
        ) from error


def statements(script: str) -> Iterator[str]:
    """Yield the statements of an SQL script, triggers whole."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _create(path: Path, scripts: tuple[str, ...]) -> None:
    """Make the journal under another name and rename it: it is there whole or not at all."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    db = sqlite3.connect(unfinished, isolation_level=None)
    try:
        db.execute("BEGIN")
        for script in scripts:
            for statement in statements(script):
                db.execute(statement)
        db.execute("INSERT INTO meta (name, value) VALUES ('journal_id', ?)", (secrets.token_hex(16),))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(scripts)}")
        db.execute("COMMIT")
    finally:
        db.close()
    synced(unfinished)
    unfinished.replace(path)
    synced(path.parent)


def _recognise(path: Path, newest: int) -> None:
    """Refuse a file that is not ours or is newer, by a read-only look.

    SQLite must look, not `open`: to close a file of one's own drops the POSIX locks that this process's other
    connections have on it (sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        look = _read_only(path)
    except sqlite3.DatabaseError as error:
        if _name(error) != "SQLITE_NOTADB":
            raise
        raise _foreign(path) from error
    try:
        ours = look.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        found = look.execute("PRAGMA user_version").fetchone()[0]
    finally:
        look.close()
    if not ours:
        raise _foreign(path)
    if found > newest:
        raise _refused(
            path,
            reason="newer",
            what=f"its schema is {found}, this agent knows {newest}",
            remedy="install the agent that wrote it, or a newer one",
        )


def _foreign(path: Path) -> JournalRefused:
    return _refused(
        path,
        reason="foreign",
        what="it is no journal of this agent",
        remedy="move it away, or choose another state directory",
    )


def _refused(path: Path, *, reason: str, what: str, remedy: str) -> JournalRefused:
    return JournalRefused("JOURNAL_REFUSED", path=str(path), reason=reason, what=what, remedy=remedy)


def _read_only(path: Path) -> sqlite3.Connection:
    uri = path.absolute().as_uri()
    try:
        return _connected(f"{uri}?mode=ro")
    except sqlite3.OperationalError as error:
        wal = path.with_name(path.name + "-wal")
        unread = wal.is_file() and wal.stat().st_size  # the newest rows: never read past them
        if unread or not _name(error).startswith("SQLITE_CANTOPEN"):
            raise
        return _connected(f"{uri}?mode=ro&immutable=1")  # a read-only medium: no place for locks


def _connected(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("SELECT count(*) FROM sqlite_schema")
    except BaseException:
        db.close()
        raise
    return db


def _in_wal_mode(db: sqlite3.Connection, path: Path) -> None:
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise _refused(
            path,
            reason="no_wal",
            what="SQLite cannot share memory on this file system",
            remedy="put the state directory on a local disk",
        )


def _migrate(db: sqlite3.Connection, path: Path, scripts: tuple[str, ...]) -> None:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    if found == len(scripts):
        return
    before = head(db)
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
        rebuild(db)
        if head(db) != before:
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


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
