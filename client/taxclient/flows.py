"""What takes more than one answer, written once without I/O: each flow yields what a driver is to do next.

A driver carries out a step and sends its result in, or throws the ClientError that came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

import msgspec

from taxclient import questions
from taxclient.conversation import Call, Conversation
from taxclient.protocol import messages as m
from taxclient.protocol.errors import AgentUnavailable, ClientError, KeyUnknown, RemoteError, Timeout
from taxclient.questions import Question

R = TypeVar("R")
Seen = Callable[[m.JobView], None]
Clock = Callable[[], float]  # seconds, monotonic
_CLOCK_CODES = frozenset({"CLOCK_SKEW", "EXPIRED"})
_PASSING = frozenset({"DRAINING", "VERIFYING", "RATE_LIMITED"})  # refused for now: it may be asked again
_PAUSE_MS = 250
_ASK_MS = 20_000  # of one job.wait


class Exchange(msgspec.Struct, frozen=True):
    """Send the call and return the result that answers it."""

    call: Call
    timeout_ms: int


class Listen(msgspec.Struct, frozen=True):
    """Return the frames of the next event, None where none came in time."""

    timeout_ms: int


class Pause(msgspec.Struct, frozen=True):
    """Return after so long."""

    ms: int


Step = Question[Any] | Listen | Pause
Flow = Generator[Step, Any, R]


def ask(question: Question[R]) -> Flow[R]:
    """Ask, within another flow."""
    return cast("R", (yield question))


def asking(
    conversation: Conversation, question: Question[R], own_ms: int, now_ms: Callable[[], int]
) -> Generator[Exchange, Any, R]:
    """Ask; where it was refused for its time alone, so not executed, once more with the agent's clock."""

    def exchange(asked: Question[Any]) -> Exchange:
        timeout_ms = (asked.timeout_ms or own_ms) + asked.longer_ms
        ttl_ms = min(max(timeout_ms, own_ms), m.TTL_MAX_MS)
        call = conversation.begin(
            asked.op, asked.args, now_ms=now_ms(), ttl_ms=ttl_ms, key=asked.key, ref=asked.ref
        )
        if asked.keep is not None:
            asked.keep(call.key, call.sent_at, call.ttl_ms)
        return Exchange(call, timeout_ms)

    try:
        result = yield exchange(question)
    except RemoteError as error:
        if error.code not in _CLOCK_CODES or question.op == "hello":
            raise
        hello: m.HelloResult = yield exchange(questions.hello())
        conversation.learn_clock(hello.now, now_ms())
        result = yield exchange(question)
    return question.take(result)


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """Which job is followed, and for how long."""

    key: str
    request: Question[m.AcceptedResult] | None  # sent, under `key`, where the agent knows no such key
    limit_ms: int | None
    away_ms: int
    seen: Seen | None


def following(what: Follow, conversation: Conversation, clock: Clock) -> Flow[m.JobView]:
    """Follow a job by its key until it has ended or needs a person, or `limit_ms` are over.

    An agent that is away is waited for, `away_ms` at a time; when it is back, by its boot or after any lost
    answer, the job is read again by its key. Nothing is sent twice but `request`, under its own key; a job
    that was seen and is no longer known is not asked for again: that is KeyUnknown.
    """
    began, away_since = clock(), None
    job: m.JobView | None = None
    fresh = False  # whether `job` was read since the agent was last away
    restarts = conversation.restarts
    while job is None or not (job.ended or job.state == "needs_human"):
        left_ms = _left_ms(what.limit_ms, began, clock())
        if left_ms == 0 and job is not None:
            break
        try:
            fresh = fresh and conversation.restarts == restarts
            restarts = conversation.restarts
            found = yield from (_next(job, left_ms) if job is not None and fresh else _read(what, job))
        except (AgentUnavailable, Timeout, RemoteError) as error:
            away_since = away_since if away_since is not None else clock()
            if not _passes(error) or left_ms == 0 or (clock() - away_since) * 1000 >= what.away_ms:
                raise
            fresh = False
            if isinstance(error, RemoteError):
                yield Pause(error.retry_after_ms or _PAUSE_MS)
            continue
        away_since, fresh = None, True
        if what.seen is not None and (job is None or found.rev != job.rev):
            what.seen(found)
        job = found
    return job


def _next(job: m.JobView, left_ms: int) -> Flow[m.JobView]:
    return (yield from ask(questions.wait(job.job_id, job.rev, "change", left_ms))).job


def _read(what: Follow, known: m.JobView | None) -> Flow[m.JobView]:
    try:
        return (yield from ask(questions.job_by_key(what.key)))
    except KeyUnknown:
        if what.request is None or known is not None:
            raise
    return (yield from ask(what.request)).job


def _passes(error: ClientError) -> bool:
    if isinstance(error, RemoteError):
        return error.code in _PASSING or error.retry == m.Retry.SAME_KEY
    return True


def _left_ms(limit_ms: int | None, began: float, now: float) -> int:
    if limit_ms is None:
        return _ASK_MS
    return min(max(round(limit_ms - (now - began) * 1000), 0), _ASK_MS)
