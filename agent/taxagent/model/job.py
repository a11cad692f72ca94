"""A job: its kinds, states, steps and outcomes, and how journal events move it. Pure; knows no journal."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from taxagent.model.bureau import Ticket
from taxagent.model.device import DeviceState, Statistics
from taxagent.model.lines import CheckLine
from taxagent.model.period import Period
from taxagent.model.value import Value


class JobKind(StrEnum):
    """What can be asked for."""

    CHECK = "check"  # preflight and states; writes nothing
    BACKUP = "backup"
    REPORT = "report"  # back-up, seal, submit
    CLEAR = "clear"  # back-up, ticket, write, verify, confirm
    SETTLE = "settle"  # report, wait for the declaration, clear

    @property
    def irreversible(self) -> bool:
        """True where the job writes into the device: it wants a token or a standing consent."""
        return self in (JobKind.REPORT, JobKind.CLEAR, JobKind.SETTLE)


class JobState(StrEnum):
    """Where a job stands."""

    ACCEPTED = "accepted"  # durable, not begun
    RUNNING = "running"
    WAITING = "waiting"  # holds no thread; `wait` says for what
    UNKNOWN = "unknown"  # interrupted in a step; settled by reading
    NEEDS_HUMAN = "needs_human"  # facts disagree; nothing more is done by itself
    DONE = "done"
    REFUSED = "refused"  # a rule, the device or the bureau said no
    STOPPED = "stopped"  # cancelled before the next irreversible step
    EXPIRED = "expired"  # its time ran out before the first irreversible step
    CLOSED = "closed"  # closed by a human, with a reason

    @property
    def ended(self) -> bool:
        """True for states that a job does not leave."""
        return self in _ENDED


_ENDED = frozenset({JobState.DONE, JobState.REFUSED, JobState.STOPPED, JobState.EXPIRED, JobState.CLOSED})


class WaitReason(StrEnum):
    """What a waiting job waits for."""

    DEVICE = "device"  # not plugged
    DEVICE_IN_USE = "device_in_use"  # another program holds it
    DECLARATION = "declaration"
    BUREAU = "bureau"
    CHALLENGE = "challenge"  # the bureau wants a verification code from a person


class Step(StrEnum):
    """The steps of a job, in the order in which `settle` takes them."""

    IDENTIFY = "identify"
    PREFLIGHT = "preflight"
    BACKUP = "backup"
    SEAL = "seal"
    SUBMIT = "submit"
    DECLARATION = "declaration"
    TICKET = "ticket"
    CLOCK_TICKET = "clock_ticket"
    APPLY = "apply"
    VERIFY = "verify"
    CONFIRM = "confirm"
    RECORD = "record"


IRREVERSIBLE_STEPS = frozenset({Step.SEAL, Step.CLOCK_TICKET, Step.APPLY})


class Effect(StrEnum):
    """What doing a step twice would mean."""

    READ = "read"
    REPEATABLE = "repeatable"  # under its idempotency key
    IRREVERSIBLE = "irreversible"


class Outcome(StrEnum):
    """Whether the thing was done. Nobody is ever told a wrong one."""

    NOT_EXECUTED = "not_executed"
    EXECUTED = "executed"
    PARTLY_EXECUTED = "partly_executed"
    UNKNOWN = "unknown"


class Scope(Value, frozen=True, kw_only=True):
    """What a job is about. Pinned at accept: `taxpayer_id`, `types` and `periods` are never empty then."""

    device_no: str
    taxpayer_id: str
    types: tuple[str, ...]
    periods: tuple[Period, ...]


class ConfirmedType(Value, frozen=True, kw_only=True):
    """What a person saw of one invoice type before confirming."""

    invoice_type: str
    group: str
    last_report: dt.date
    invoicing_deadline: dt.date
    totals_sha256: str  # of the statistics of the closed months in scope


class Confirmed(Value, frozen=True, kw_only=True):
    """The device's state that was confirmed; irreversible steps require it plus our own changes."""

    types: tuple[ConfirmedType, ...]
    by: str  # principal
    how: str  # "token" | "consent"; under a consent nothing was shown and `types` is empty
    at_ms: int
    device_clock: dt.datetime | None = None  # as it was shown


class Baseline(Value, frozen=True, kw_only=True):
    """The device before a write: what tells afterwards whether it happened."""

    last_report: dt.date
    invoicing_deadline: dt.date
    write_no: int  # of the newest write that the device remembers; 0 = none
    payload_sha256: str  # of the parameters that are about to be sent


class Wait(Value, frozen=True, kw_only=True):
    """Why a job waits and when it looks again."""

    reason: WaitReason
    fault: str  # code of the fault catalogue
    since_ms: int  # of the first failure
    next_ms: int | None  # next attempt; None = by event only
    until_ms: int | None  # after this the job gives up
    detail: dict[str, str] = {}  # facts for the catalogue's words


class Problem(Value, frozen=True, kw_only=True):
    """A fault as it happened: the code names the catalogue's entry."""

    fault: str
    outcome: Outcome
    detail: dict[str, str] = {}  # facts for the catalogue's words
    device_code: str = ""


class StepId(Value, frozen=True, kw_only=True):
    """A step of a job; `group` and `period` are empty where the step is not about one."""

    step: Step
    group: str = ""
    period: str = ""

    def __str__(self) -> str:
        return ".".join(part for part in (self.step.value, self.group, self.period) if part)


class StepRun(Value, frozen=True, kw_only=True):
    """What the journal knows of a step."""

    id: StepId
    outcome: Outcome  # UNKNOWN between begin and end
    begun_ms: int
    ended_ms: int | None = None
    baseline: Baseline | None = None
    note: str = ""  # "already", "reconciled", ... (a code, put into words by the reader)
    facts: dict[str, str] = {}

    @property
    def wrote(self) -> bool:
        """True for an irreversible step that this job did itself (not found done already).

        Done once is done, also where it was begun again for a fresh ticket: `facts["written_before"]`.
        """
        done = self.outcome is Outcome.EXECUTED and self.note != "already"
        return self.id.step in IRREVERSIBLE_STEPS and (done or bool(self.facts.get("written_before")))

    @property
    def submitted(self) -> bool:
        """True where this job gave the bureau its report."""
        return self.id.step is Step.SUBMIT and self.outcome is Outcome.EXECUTED and self.note != "already"


class StoredTicket(Value, frozen=True, kw_only=True):
    """A ticket that was journaled before anything else was done with it."""

    group: str
    ticket: Ticket


class Backup(Value, frozen=True, kw_only=True):
    """A back-up that was read back."""

    period: Period
    path: str
    sha256: str  # of the file
    before: Step  # SEAL or TICKET: the step that it protects


class Reading(Value, frozen=True, kw_only=True):
    """The device as a job found it (first run) or left it (after the last write)."""

    state: DeviceState
    totals: tuple[Statistics, ...]  # per type and period in scope
    findings: tuple[Problem, ...] = ()  # soft windows and warnings at that time


class Job(Value, frozen=True, kw_only=True):
    """A job as the journal's events made it; see `events.applied`."""

    job_id: str
    kind: JobKind
    scope: Scope
    principal: str
    key: str
    ref: str
    accepted_ms: int
    state: JobState
    late: bool = False  # a technician takes the filing window upon himself
    confirmed: Confirmed | None = None
    wait: Wait | None = None
    steps: tuple[StepRun, ...] = ()
    before: Reading | None = None
    after: Reading | None = None
    tickets: tuple[StoredTicket, ...] = ()
    backups: tuple[Backup, ...] = ()
    problem: Problem | None = None
    outcome: Outcome = Outcome.NOT_EXECUTED
    cancel_requested: bool = False
    ended_ms: int | None = None
    record_sha256: str = ""
    lines: tuple[CheckLine, ...] = ()  # of a check: what it found

    def run_of(self, step: StepId) -> StepRun | None:
        """Return what is known of `step`, or None where it was never begun."""
        return next((run for run in self.steps if run.id == step), None)

    def done(self, step: StepId) -> bool:
        """Return whether `step` is known to be executed."""
        run = self.run_of(step)
        return run is not None and run.outcome is Outcome.EXECUTED

    def ticket_of(self, group: str) -> Ticket | None:
        """Return the newest stored ticket of `group`, or None."""
        return next((t.ticket for t in self.tickets if t.group == group), None)

    @property
    def outcome_so_far(self) -> Outcome:
        """Whether the work is done, as far as the journal knows: the outcome if the job ended now."""
        if self.unread:
            return Outcome.UNKNOWN
        if not any(run.wrote or run.submitted for run in self.steps):
            return Outcome.NOT_EXECUTED
        wanted = self._wanted()
        all_done = bool(wanted) and all(self.done(step) for step in wanted)
        return Outcome.EXECUTED if all_done else Outcome.PARTLY_EXECUTED

    def _wanted(self) -> tuple[StepId, ...]:
        """The steps without which the work of this kind is not done; () where the device was never read."""
        if self.before is None:
            return ()
        rows = self.before.state.monitor
        groups = dict.fromkeys(row.group for row in rows if row.invoice_type in self.scope.types)
        steps = {
            JobKind.REPORT: (Step.SEAL, Step.SUBMIT),
            JobKind.CLEAR: (Step.APPLY,),
            JobKind.SETTLE: (Step.SEAL, Step.SUBMIT, Step.APPLY),
        }.get(self.kind, ())
        return tuple(
            StepId(step=step, group=group, period=month)
            for step in steps
            for group in groups
            for month in (self.scope.periods[-1:] if step is Step.APPLY else self.scope.periods)
        )

    @property
    def unread(self) -> tuple[StepRun, ...]:
        """The steps of which only reading tells whether they happened: open ones, and reports under way."""
        return tuple(
            run
            for run in self.steps
            if run.outcome is Outcome.UNKNOWN
            and (run.id.step in IRREVERSIBLE_STEPS or run.id.step is Step.SUBMIT)
        )

    @property
    def open_steps(self) -> tuple[StepRun, ...]:
        """The irreversible steps that were begun and of which nothing more is known."""
        return tuple(
            run for run in self.steps if run.outcome is Outcome.UNKNOWN and run.id.step in IRREVERSIBLE_STEPS
        )
