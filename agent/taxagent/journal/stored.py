"""The stored rows: the journal's identity, its end, and its projections made again. Knows no file."""

from __future__ import annotations

import sqlite3

from taxagent.journal import projections
from taxagent.journal.chain import Head, genesis
from taxagent.model.errors import JournalBroken

FILED_ROWS = "SELECT seq, job_id, device_no, body FROM event ORDER BY seq"


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


def head_at(db: sqlite3.Connection, seq: int) -> Head:
    """Return the chain's head after row `seq` (0: before the first) as it is stored, unchecked.

    Raises JournalBroken where the row is missing.
    """
    if seq == 0:
        return genesis(journal_id(db))
    row = db.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        raise JournalBroken("a row is missing", seq=seq)
    return Head(seq=seq, hash=row[0])


def rebuild(db: sqlite3.Connection) -> None:
    """Make all projections again from the events. Call it inside a transaction."""
    projections.emptied(db)
    projections.replay(db, db.execute(FILED_ROWS))
