"""What the events make: jobs, claims, tokens, records, passwords, answers, as rows beside the events.

`planned` checks an event against them and writes nothing; `written` stores what was planned.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any

import msgspec

from taxagent.model.device import TriedPassword
from taxagent.model.errors import (
    AgentError,
    ClaimTaken,
    JournalBroken,
    KeyTaken,
    Refusal,
    TokenSpent,
)
from taxagent.model.events import (
    AgentReloaded,
    AgentStarted,
    AgentStopped,
    AnyEvent,
    AnyJobEvent,
    ChallengeAnswered,
    ClientEvent,
    DeviceEvent,
    JobAccepted,
    JobEnded,
    PasswordTried,
    TokenIssued,
    accepted,
    applied,
    decode_event,
    encode_event,
)
from taxagent.model.job import Job
from taxagent.model.value import Value, from_json, to_json

TABLES: dict[str, str] = {
    "job": "job_id",
    "claim": "device_no, grp, period",
    "token": "sha256",
    "record": "job_id",
    "password": "device_no, salted_sha256",
    "answer": "principal, key",
}
"""Each projection with the columns that order it."""

_BODIES: dict[str, tuple[int, Callable[[Any], object]]] = {
    "job": (8, lambda body: _as_now_said(from_json(body, Job))),
    "token": (1, decode_event),
    "password": (2, lambda body: from_json(body, TriedPassword)),
    "answer": (2, decode_event),
}  # where the JSON of a value stands, and what reads it; a record is evidence: its bytes count


class Plan(Value, frozen=True, kw_only=True):
    """What an event is filed under, and the job as it will be."""

    job_id: str | None = None
    device_no: str | None = None
    job: Job | None = None


def planned(db: sqlite3.Connection, event: AnyEvent, *, new: bool = False) -> Plan:
    """Return the plan for `event`, or refuse it. Writes nothing. `new`: an accept whose key is free.

    Raises ClaimTaken, KeyTaken or TokenSpent for an accept; Refusal (JOB_UNKNOWN, JOB_ENDED) for a row of
    a job that is not there or has ended.
    """
    match event:
        case AgentStarted() | AgentStopped() | AgentReloaded() | ClientEvent():
            return Plan()
        case PasswordTried(device_no=device_no) | DeviceEvent(device_no=device_no):
            return Plan(device_no=device_no)
        case TokenIssued(scope=scope):
            return Plan(device_no=scope.device_no)
        case JobAccepted():
            if not new:
                _unheard_of(db, event)
            _acceptable(db, event)
            return _plan(accepted(event))
        case _:
            return _plan(_moved(db, event))


def written(db: sqlite3.Connection, event: AnyEvent, plan: Plan) -> None:
    """Store what `event` changes."""
    match event:
        case AgentStarted() | AgentStopped() | AgentReloaded() | ClientEvent() | DeviceEvent():
            pass
        case PasswordTried():
            _password(db, event)
        case TokenIssued():
            db.execute(
                "INSERT INTO token (sha256, body) VALUES (?, ?)",
                (event.token_sha256, encode_event(event)),
            )
        case JobAccepted():
            _insert_job(db, event, _job(plan))
        case _:
            after = _job(plan)
            _update_job(db, after)
            if isinstance(event, JobEnded):
                _end_job(db, event, after.scope.device_no)
            elif isinstance(event, ChallengeAnswered):
                _answered(db, event)


def job(db: sqlite3.Connection, job_id: str) -> Job | None:
    """Return the job, or None."""
    row = db.execute("SELECT body FROM job WHERE job_id = ?", (job_id,)).fetchone()
    return from_json(row[0], Job) if row else None


def job_by_key(db: sqlite3.Connection, principal: str, key: str) -> tuple[Job, str] | None:
    """Return (job, request_sha256) of a key, or None."""
    row = db.execute(
        "SELECT body, request_sha256 FROM job WHERE principal = ? AND key = ? AND key <> ''",
        (principal, key),
    ).fetchone()
    return (from_json(row[0], Job), str(row[1])) if row else None


def answer_by_key(db: sqlite3.Connection, principal: str, key: str) -> ChallengeAnswered | None:
    """Return the answer that was given under a key, or None."""
    row = db.execute("SELECT body FROM answer WHERE principal = ? AND key = ?", (principal, key)).fetchone()
    event = decode_event(row[0]) if row else None
    return event if isinstance(event, ChallengeAnswered) else None


def token(db: sqlite3.Connection, token_sha256: str) -> TokenIssued | None:
    """Return a token that was issued and not redeemed, or None."""
    row = db.execute(
        "SELECT body FROM token WHERE sha256 = ? AND redeemed_by IS NULL", (token_sha256,)
    ).fetchone()
    if row is None:
        return None
    event = decode_event(row[0])
    return event if isinstance(event, TokenIssued) else None


def live_jobs(db: sqlite3.Connection, device_no: str) -> tuple[Job, ...]:
    """Return the live jobs of a device, oldest first."""
    rows = db.execute(
        "SELECT body FROM job WHERE ended = 0 AND device_no = ? ORDER BY job_id", (device_no,)
    ).fetchall()
    return tuple(from_json(row[0], Job) for row in rows)


def claimed_by(db: sqlite3.Connection, device_no: str, group: str, period: str) -> str | None:
    """Return the live job that holds the claim, or None."""
    row = db.execute(
        "SELECT job_id FROM claim WHERE device_no = ? AND grp = ? AND period = ?",
        (device_no, group, period),
    ).fetchone()
    return str(row[0]) if row else None


def emptied(db: sqlite3.Connection) -> None:
    """Delete all projections; the events stay."""
    for table in TABLES:
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own table names


def replay(
    db: sqlite3.Connection,
    rows: Iterable[tuple[int, object, object, bytes]],
    seen: Callable[[int], None] = lambda _seq: None,
) -> None:
    """Make the projections in `db` from `rows` of (seq, job_id, device_no, body), oldest first.

    Raises JournalBroken for a row that cannot be read, contradicts the ones before it, or is filed wrong.
    """
    for seq, job_id, device_no, body in rows:
        try:
            event = decode_event(body)
            plan = planned(db, event)
        except (AgentError, ValueError, msgspec.DecodeError) as error:
            raise JournalBroken(f"a row makes no sense: {error}", seq=seq) from error
        if (job_id, device_no) != (plan.job_id, plan.device_no):
            raise JournalBroken("a row is filed under another job or device", seq=seq)
        written(db, event, plan)
        seen(seq)


def compare(stored: sqlite3.Connection, made: sqlite3.Connection) -> None:
    """Raise JournalBroken at the first row in which a projection differs between the two.

    Bodies are compared as values: one that an earlier agent stored lacks the fields that came later. A
    file of an older schema lacks whole tables.
    """
    older = _schema(stored) < _schema(made)
    for table, order in TABLES.items():
        if older and not stored.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
            continue
        sql = f"SELECT * FROM {table} ORDER BY {order}"  # noqa: S608 - our own table names
        for ours, theirs in zip_longest(stored.execute(sql), made.execute(sql)):
            if ours != theirs and _meant(table, ours) != _meant(table, theirs):
                name = (ours or theirs)[0]
                raise JournalBroken(f"the projection {table} differs from the events at {name}")


def _schema(db: sqlite3.Connection) -> int:
    number: int = db.execute("PRAGMA user_version").fetchone()[0]
    return number


def _meant(table: str, row: tuple[object, ...] | None) -> tuple[object, ...] | None:
    """Return the row with its body as the value that it holds; as it is where the body makes no sense."""
    if row is None or table not in _BODIES:
        return row
    at, read = _BODIES[table]
    try:
        return (*row[:at], read(row[at]), *row[at + 1 :])
    except (TypeError, ValueError, msgspec.DecodeError):
        return row


def _as_now_said(job: Job) -> Job:
    """Return a live job with the outcome so far of its steps: an earlier agent may have said another."""
    return job if job.state.ended else msgspec.structs.replace(job, outcome=job.outcome_so_far)


def _unheard_of(db: sqlite3.Connection, event: JobAccepted) -> None:
    known = job_by_key(db, event.principal, event.key)
    if known is not None:
        raise KeyTaken(known[0].job_id)
    if job(db, event.job_id) is not None:
        raise AgentError("INTERNAL", reason="a job id was given twice", job_id=event.job_id)


def _acceptable(db: sqlite3.Connection, event: JobAccepted) -> None:
    for group, period in event.claims:
        holder = claimed_by(db, event.scope.device_no, group, period)
        if holder is not None:
            raise ClaimTaken(holder, group=group, period=period)
    if event.token_sha256 and token(db, event.token_sha256) is None:
        raise TokenSpent


def _moved(db: sqlite3.Connection, event: AnyJobEvent) -> Job:
    before = job(db, event.job_id)
    if before is None:
        raise Refusal("JOB_UNKNOWN", job_id=event.job_id)
    if before.state.ended:
        raise Refusal("JOB_ENDED", job_id=event.job_id)
    return applied(before, event)


def _plan(after: Job) -> Plan:
    return Plan(job_id=after.job_id, device_no=after.scope.device_no, job=after)


def _job(plan: Plan) -> Job:
    if plan.job is None:
        msg = "a job's event is planned with its job"
        raise TypeError(msg)
    return plan.job


def _insert_job(db: sqlite3.Connection, event: JobAccepted, after: Job) -> None:
    device_no = after.scope.device_no
    db.execute(
        "INSERT INTO job (job_id, device_no, state, ended, principal, key, request_sha256, accepted_ms, body)"
        " VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)",
        (
            after.job_id,
            device_no,
            after.state.value,
            after.principal,
            after.key,
            event.request_sha256,
            after.accepted_ms,
            to_json(after),
        ),
    )
    for group, period in event.claims:
        db.execute(
            "INSERT INTO claim (device_no, grp, period, job_id) VALUES (?, ?, ?, ?)",
            (device_no, group, period, after.job_id),
        )
    if event.token_sha256:
        db.execute("UPDATE token SET redeemed_by = ? WHERE sha256 = ?", (after.job_id, event.token_sha256))


def _update_job(db: sqlite3.Connection, after: Job) -> None:
    db.execute(
        "UPDATE job SET state = ?, ended = ?, body = ? WHERE job_id = ?",
        (after.state.value, int(after.state.ended), to_json(after), after.job_id),
    )


def _end_job(db: sqlite3.Connection, event: JobEnded, device_no: str) -> None:
    db.execute("DELETE FROM claim WHERE device_no = ? AND job_id = ?", (device_no, event.job_id))
    db.execute("INSERT INTO record (job_id, body) VALUES (?, ?)", (event.job_id, bytes(event.record)))


def _password(db: sqlite3.Connection, event: PasswordTried) -> None:
    db.execute(
        "INSERT OR REPLACE INTO password (device_no, salted_sha256, body) VALUES (?, ?, ?)",
        (event.device_no, event.tried.salted_sha256, to_json(event.tried)),
    )


def _answered(db: sqlite3.Connection, event: ChallengeAnswered) -> None:
    """Keep the first answer of a key; an early agent forgot keys, and its rows may have a second one."""
    db.execute(
        "INSERT OR IGNORE INTO answer (principal, key, body) VALUES (?, ?, ?)",
        (event.principal, event.key, encode_event(event)),
    )
