"""Copies of a journal, and files that are durable when a call returns. Knows no schema."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path


def copied(db: sqlite3.Connection, target: Path) -> None:
    """Write a consistent copy of a live journal to `target`, durable on return.

    Raises FileExistsError where `target` exists, OSError where it cannot be written; nothing is left behind.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _vacuumed(db, target)
        synced(target)
        synced(target.parent)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _vacuumed(db: sqlite3.Connection, target: Path) -> None:
    try:
        db.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.OperationalError as error:  # of the copy: damage of the journal is a DatabaseError
        full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(target)) from error


def synced(path: Path) -> None:
    """Have the disk keep what was written to a file, or the names in a directory."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle on a directory to flush
    file = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
