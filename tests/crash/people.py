"""The people of a town: clients whose keys repeat and collide, and a technician for the stuck jobs."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from taxagent.ipc.calls import request_sha256
from taxagent.jobs.asks import Accepted, Ask, Prepared, Principal, Role
from taxagent.jobs.desk import JobDesk
from taxagent.model.errors import AgentError
from taxagent.model.job import Job, JobKind, JobState
from taxagent.model.period import Period
from taxclient.protocol import messages as m
from tests.builders.transcript import Transcript

_TTL_MS = 60_000
OPERATORS = tuple(Principal(name=name, role=Role.OPERATOR) for name in ("shop", "office", "auto"))
TECHNICIAN = Principal(name="tech", role=Role.TECHNICIAN)
_KINDS = (JobKind.SETTLE, JobKind.SETTLE, JobKind.REPORT, JobKind.CLEAR, JobKind.BACKUP, JobKind.CHECK)


class Wish:
    """One thing that a client wants done, under one key, however often it must ask."""

    def __init__(
        self, who: Principal, kind: JobKind, device_no: str, key: str, periods: tuple[str, ...]
    ) -> None:
        self.who = who
        self.kind = kind
        self.device_no = device_no
        self.key = key
        self.periods = periods
        self.token = ""
        self.asking = False
        self.job_id = ""

    @property
    def op(self) -> str:
        """The op of its request."""
        return "check" if self.kind is JobKind.CHECK else "submit"


class People:
    """Everyone who asks the agent anything. What they are told is written down."""

    def __init__(
        self, draw: random.Random, devices: tuple[str, ...], months: tuple[str, ...], transcript: Transcript
    ) -> None:
        self._draw = draw
        self._devices = devices
        self._months = months
        self._transcript = transcript
        self._now: Callable[[], int] = lambda: 0
        self.wishes: list[Wish] = []
        self.said: Callable[[str], None] = lambda _line: None

    def settle(self, now: Callable[[], int]) -> None:
        """Live in a town whose true time in ms is `now()`."""
        self._now = now

    def agent_died(self) -> None:
        """Nobody who waits is answered; each asks again under the same key."""
        self._transcript.unanswered()
        for wish in self.wishes:
            wish.asking = False

    def act(self, desk: JobDesk) -> None:
        """Let one of them do something."""
        draw = self._draw
        if len(self.wishes) < 8 and draw.randrange(3) == 0:
            self.wishes.append(self._wish())
        if not self.wishes:
            return
        wish = draw.choice(self.wishes)
        choice = draw.randrange(10)
        if choice < 6:
            self.ask(desk, wish)
        elif choice < 8:
            self._get(desk, wish)
        elif choice == 8 and draw.randrange(3) == 0:
            self._cancel(desk, wish)
        else:
            self.look_after(desk)

    def ask(self, desk: JobDesk, wish: Wish) -> None:
        """Ask for what is wished, by the same key as before; with a token where one is needed."""
        if wish.asking:
            return
        needs_token = wish.kind.irreversible and wish.who.name != "auto"
        if needs_token and not wish.token and not wish.job_id:
            self._prepare(desk, wish)
            return
        number = self._asked(wish.who, wish.op, wish.key)
        wish.asking = True

        def done(answer: Accepted | AgentError) -> None:
            wish.asking = False
            self._told(number, answer)
            if isinstance(answer, Accepted):
                wish.job_id = answer.job.job_id
            elif not wish.job_id:
                wish.token = ""  # it is prepared anew

        desk.accept(wish.who, self._ask_of(wish), done)

    def look_after(self, desk: JobDesk) -> None:
        """The technician lets a stuck job go on, or closes it."""
        stuck = [job for job in desk.status().live_jobs if job.state is JobState.NEEDS_HUMAN]
        if not stuck:
            return
        job = self._draw.choice(stuck)
        op = "job.resume" if self._draw.randrange(2) else "job.close"
        self.decide(desk, job, op)

    def decide(self, desk: JobDesk, job: Job, op: str) -> None:
        """Resume or close a job."""
        number = self._asked(TECHNICIAN, op, "")
        done = lambda answer: self._told(number, answer)  # noqa: E731
        if op == "job.resume":
            desk.resume(TECHNICIAN, job.job_id, done)
        else:
            desk.close(TECHNICIAN, job.job_id, "done by hand", done)

    # ---- inside

    def _wish(self) -> Wish:
        draw = self._draw
        if self.wishes and draw.randrange(4) == 0:  # a key that another request has already
            old = draw.choice(self.wishes)
            kind, key, who = draw.choice(_KINDS), old.key, old.who
        else:
            kind, who = draw.choice(_KINDS), draw.choice(OPERATORS)
            key = f"key-{who.name}-{len(self.wishes):08d}"
        months = self._months if draw.randrange(3) else (draw.choice(self._months),)
        return Wish(who, kind, draw.choice(self._devices), key, months if draw.randrange(2) else ())

    def _prepare(self, desk: JobDesk, wish: Wish) -> None:
        wish.asking = True
        number = self._asked(wish.who, "prepare", "")

        def done(answer: Prepared | AgentError) -> None:
            wish.asking = False
            self._told(number, answer)
            if isinstance(answer, Prepared):
                wish.token = answer.token

        desk.prepare(wish.who, self._ask_of(wish), done)

    def _get(self, desk: JobDesk, wish: Wish) -> None:
        """Ask for the job as the loop answers from memory."""
        job = desk.live(wish.job_id) if wish.job_id else None
        if job is not None:
            self._transcript.shown(self._now(), job.principal, job)

    def _cancel(self, desk: JobDesk, wish: Wish) -> None:
        if wish.job_id:
            number = self._asked(wish.who, "job.cancel", "")
            desk.cancel(wish.who, wish.job_id, lambda answer: self._told(number, answer))

    def _ask_of(self, wish: Wish) -> Ask:
        args: Any = m.CheckArgs(device_no=wish.device_no, periods=wish.periods)
        if wish.op == "submit":
            args = m.SubmitArgs(kind=wish.kind.value, device_no=wish.device_no, periods=wish.periods)
        return Ask(
            kind=wish.kind,
            device_no=wish.device_no,
            periods=tuple(Period(month) for month in wish.periods),
            token=wish.token,
            key=wish.key,
            request_sha256=request_sha256(wish.op, args),
            sent_at_ms=self._now(),
            ttl_ms=_TTL_MS,
        )

    def _asked(self, who: Principal, op: str, key: str) -> int:
        self.said(f"{who.name} asks {op} {key}")
        return self._transcript.asked(self._now(), who.name, op, key)

    def _told(self, number: int, answer: object) -> None:
        self.said(f"  answer: {_short(answer)}")
        self._transcript.told(number, self._now(), answer)


def _short(answer: object) -> str:
    match answer:
        case Accepted(job=job, known=known):
            return f"{'known' if known else 'accepted'} {job.job_id} {job.state.value} {job.outcome.value}"
        case Job():
            return f"{answer.job_id} {answer.state.value} {answer.outcome.value}"
        case AgentError():
            return f"{answer.fault} {answer.outcome.value}"
        case _:
            return type(answer).__name__
