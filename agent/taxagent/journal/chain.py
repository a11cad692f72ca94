"""The hash chain over the journal's rows: pure arithmetic over bytes. Knows no SQLite and no event."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from taxagent.model.errors import JournalBroken
from taxagent.model.value import Value


class Head(Value, frozen=True, kw_only=True):
    """The end of a chain: the last row's number (0 = no row) and its hash, 32 bytes."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


def genesis(journal_id: str) -> Head:
    """Return the head of an empty journal: SHA-256 over the id's ASCII text."""
    return Head(seq=0, hash=hashlib.sha256(journal_id.encode()).digest())


def linked(head: Head, body: bytes) -> Head:
    """Return the head after a row with the stored bytes `body`."""
    return Head(seq=head.seq + 1, hash=hashlib.sha256(head.hash + body).digest())


def walked(head: Head, rows: Iterable[tuple[int, object, object]]) -> Head:
    """Return the head after `rows` of (seq, stored bytes, stored hash), which follow `head`.

    Raises JournalBroken with the number of the first row that is missing, changed or out of place.
    """
    for seq, body, stored in rows:
        expected = head.seq + 1
        if seq != expected:
            raise JournalBroken("a row is missing", seq=expected)
        if not isinstance(body, bytes):
            raise JournalBroken("a row's body is no bytes", seq=seq)
        head = linked(head, body)
        if stored != head.hash:
            raise JournalBroken("a row does not match its hash", seq=seq)
    return head
