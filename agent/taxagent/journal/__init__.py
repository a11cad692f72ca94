"""The durable truth of what the agent did: an append-only, hash-chained SQLite file (docs/journal.md)."""

from taxagent.journal.chain import Head
from taxagent.journal.reader import Reader, Verified
from taxagent.journal.store import JOURNAL_NAME
from taxagent.journal.writer import LOG_PAGES, JournalWriter

__all__ = ["JOURNAL_NAME", "LOG_PAGES", "Head", "JournalWriter", "Reader", "Verified"]
