"""The journal's file: made, recognised, migrated, copied. Knows no thread and no unit of work."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from taxagent.journal.copying import synced
from taxagent.journal.migration import migrated, migrations, statements
from taxagent.model.errors import JournalFull, JournalRefused

JOURNAL_NAME = "journal.db"
APPLICATION_ID = 0x54434A31  # "TCJ1", in the file's header (bytes 68 to 71)
BUSY_TIMEOUT_S = 5.0  # only a foreign program (a sqlite3 shell) can hold our locks for so long

_RESTORE = "keep the file, put the newest snapshot in its place, and report the damage"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EROFS})


def opened(
    path: Path,
    *,
    scripts: tuple[str, ...] | None = None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """Return the writer's connection; the file is made or migrated where needed.

    The connection may be handed to one other thread. Raises JournalRefused, with the file untouched, where it
    is not our journal, is of a newer schema, or cannot be read; JournalFull where the disk takes no new file.
    """
    scripts = migrations() if scripts is None else scripts
    with refusing(path):
        try:
            if not path.exists():
                _create(path, scripts)
            _recognise(path, len(scripts))
            return _ready(_writable(path, factory), path, scripts)
        except OSError as error:
            fault = "JOURNAL_FULL" if error.errno in _NO_SPACE else "JOURNAL_UNWRITABLE"
            what = error.strerror or str(error)
            raise JournalFull(fault, path=str(path), what=what, reason=what) from error


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


def lengthened(db: sqlite3.Connection, pages: int) -> None:
    """Write `pages` of 4 KiB to the log, then let it begin anew: commits overwrite it from now on.

    A commit that lengthens the file has the file system write its own journal as well: 171 us against 97
    for one page, on the disk of docs/performance.md. Each page is the file's first one, as it is. Raises
    sqlite3.Error where the disk may have lost a page.
    """
    number = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute("PRAGMA synchronous = OFF")  # one wait for all of them, below
    try:
        with suppress(sqlite3.OperationalError):  # full, read-only, locked: it stays as long as it is
            for _ in range(pages - 1):
                db.execute(f"PRAGMA user_version = {number}")
    finally:
        db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA user_version = {number}")
    db.execute("PRAGMA wal_checkpoint(PASSIVE)")


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what SQLite and our decoders say of a file into JournalRefused.

    reason is "broken" for damage, "unreadable" for what lies outside of the file (disk, permissions, locks).
    """
    try:
        yield
    except (sqlite3.Error, UnicodeError, msgspec.DecodeError) as error:
        damaged = not isinstance(error, sqlite3.OperationalError)
        raise _refused(
            path,
            reason="broken" if damaged else "unreadable",
            what=f"{_name(error)}: {error}",
            remedy=_RESTORE if damaged else "check the disk, its free space and the file's permissions",
        ) from error


def _writable(path: Path, factory: type[sqlite3.Connection]) -> sqlite3.Connection:
    return sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
    )


def _ready(db: sqlite3.Connection, path: Path, scripts: tuple[str, ...]) -> sqlite3.Connection:
    try:
        _in_wal_mode(db, path)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 0")  # the writer does it between batches
        migrated(db, path, scripts)
    except BaseException:
        db.close()
        raise
    return db


def _create(path: Path, scripts: tuple[str, ...]) -> None:
    """Make the journal under another name and rename it: it is there whole or not at all, and in WAL mode.

    To change the mode under the final name would leave, after a power cut, a rollback journal that a
    read-only look cannot play back.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists():  # SQLite would play it into the new file
        raise _refused(
            path,
            reason="headless",
            what=f"it is gone, its newest rows stand in {log.name}",
            remedy="put the journal back beside its log, or move the log away as well",
        )
    unfinished = path.with_name(path.name + ".new")
    for left in ("", "-journal", "-wal", "-shm"):  # of a creation that did not end
        unfinished.with_name(unfinished.name + left).unlink(missing_ok=True)
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
        _in_wal_mode(db, path)
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


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
