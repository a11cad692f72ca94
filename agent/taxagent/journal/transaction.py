"""What a unit of work sees inside the writer: ports.JournalTx over the writer's connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from taxagent.journal import projections
from taxagent.journal.chain import Head, linked
from taxagent.model.errors import AgentError
from taxagent.model.events import AnyEvent, ChallengeAnswered, JobAccepted, TokenIssued, encode_event
from taxagent.model.job import Job


class Transaction:
    """The open transaction of one batch; the writer marks and undoes units in it."""

    def __init__(self, db: sqlite3.Connection, head: Head, room: Callable[[], None]) -> None:
        self._db = db
        self._room = room
        self._has_room = False
        self._free: tuple[str, str] | None = None  # the (principal, key) that was looked for last, in vain
        self.head = head
        self.rows: list[tuple[int, AnyEvent]] = []
        self.broken: sqlite3.Error | None = None  # the batch cannot go on, whoever swallowed the error
        self.spoiled: AgentError | None = None  # the unit has half a row, whoever swallowed the error

    def append(self, event: AnyEvent) -> int:
        """Add a row and its projections; return its seq. Nothing is changed where it raises.

        Raises ClaimTaken, KeyTaken, TokenSpent, Refusal (JOB_UNKNOWN, JOB_ENDED), or what `room` raises.
        """
        if not self._has_room:
            self._room()
            self._has_room = True
        try:
            plan = projections.planned(self._db, event, new=self._is_new(event))
            body = encode_event(event)
            head = linked(self.head, body)
            self._stored(event, plan, head, body)
        except sqlite3.Error as error:
            self.broken = error
            raise
        self._free = None
        self.head = head
        self.rows.append((head.seq, event))
        return head.seq

    def _is_new(self, event: AnyEvent) -> bool:
        """Return whether its key was looked for just before; the table itself refuses a job id twice."""
        return isinstance(event, JobAccepted) and self._free == (event.principal, event.key)

    def _stored(self, event: AnyEvent, plan: projections.Plan, head: Head, body: bytes) -> None:
        try:
            self._db.execute(
                "INSERT INTO event (seq, job_id, device_no, body, hash) VALUES (?, ?, ?, ?, ?)",
                (head.seq, plan.job_id, plan.device_no, body, head.hash),
            )
            projections.written(self._db, event, plan)
        except sqlite3.IntegrityError as error:
            self.spoiled = AgentError("INTERNAL", reason=f"the journal refuses the row: {error}")
            raise self.spoiled from error

    def job(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        return projections.job(self._db, job_id)

    def job_by_key(self, principal: str, key: str) -> tuple[Job, str] | None:
        """Return (job, request_sha256) for a known key, else None."""
        known = projections.job_by_key(self._db, principal, key)
        self._free = (principal, key) if known is None else None
        return known

    def answer_by_key(self, principal: str, key: str) -> ChallengeAnswered | None:
        """Return the answer to a bureau's question that was given under a key, else None."""
        return projections.answer_by_key(self._db, principal, key)

    def token(self, token_sha256: str) -> TokenIssued | None:
        """Return an issued token that was not redeemed; None otherwise."""
        return projections.token(self._db, token_sha256)

    def live_jobs(self, device_no: str) -> tuple[Job, ...]:
        """Return the live jobs of a device, oldest first."""
        return projections.live_jobs(self._db, device_no)

    def claimed_by(self, device_no: str, group: str, period: str) -> str | None:
        """Return the id of the live job that holds the claim, or None."""
        return projections.claimed_by(self._db, device_no, group, period)
