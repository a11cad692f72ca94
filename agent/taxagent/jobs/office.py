"""What the desk works with, and who may do without a token. Values and seams; decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from taxagent.jobs.book import Book
from taxagent.jobs.challenges import Challenges
from taxagent.jobs.roster import Roster
from taxagent.jobs.stuck import Recorder
from taxagent.model.job import JobKind
from taxagent.model.windows import Rules
from taxagent.ports import Clock, Journal, Mailbox, Secrets
from taxagent.procedures.session import Latch


@dataclass(frozen=True)
class Consent:
    """A standing consent: the kinds that these principals may submit without a token."""

    kinds: frozenset[JobKind] = frozenset()
    principals: frozenset[str] = frozenset()

    def covers(self, principal: str, kind: JobKind) -> bool:
        """Return whether `principal` may submit `kind` without a token."""
        return kind in self.kinds and principal in self.principals


@dataclass
class Office:
    """What the desk works with. `rules` and `consent` are replaced where the configuration is read anew."""

    book: Book
    roster: Roster
    journal: Journal
    clock: Clock
    mailbox: Mailbox
    secrets: Secrets
    latch: Latch
    rules: Rules
    consent: Consent
    record: Recorder
    boot: str
    version: str
    simulation: bool
    challenges: Challenges
    stop: Callable[[str, str], None]  # begin to drain, on this principal's word and under this key
