"""One run of one job in its device's thread: the procedure, and what its end means for the job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from taxagent.jobs.challenges import Challenges
from taxagent.jobs.deadlines import out_of_time, overdue
from taxagent.jobs.fence import FencedJournal
from taxagent.jobs.stuck import Recorder
from taxagent.model.errors import (
    AgentError,
    BureauDown,
    ChallengeAsked,
    DeviceInUse,
    DeviceLent,
    Interrupted,
    JournalError,
    NeedsHuman,
    Unavailable,
)
from taxagent.model.job import Job, JobKind, JobState, Outcome, Problem, Wait, WaitReason
from taxagent.model.known import KnownDevice
from taxagent.model.windows import Rules
from taxagent.ports import Bureau, Clock, Device, Journal, Secrets, Surroundings
from taxagent.procedures.ledger import Ledger
from taxagent.procedures.report import settle_reports
from taxagent.procedures.session import Latch
from taxagent.procedures.settle import run_procedure
from taxagent.procedures.work import Archives, Waiting, Work

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """How often a waiting job looks again. Seconds; the longer it waits the rarer, up to `most_s`."""

    declaration_s: float = 600.0  # a return is filed once a month: ten minutes are soon enough
    bureau_s: float = 15.0
    in_use_s: float = 30.0
    most_s: float = 600.0

    def next_ms(self, reason: WaitReason, now_ms: int, since_ms: int) -> int | None:
        """Return the real UTC in ms of the next attempt; None where only an event ends the wait."""
        base = {
            WaitReason.DECLARATION: self.declaration_s,
            WaitReason.BUREAU: self.bureau_s,
            WaitReason.DEVICE_IN_USE: self.in_use_s,
        }.get(reason)
        if base is None:
            return None
        longer = min(max(base, (now_ms - since_ms) / 2000), max(base, self.most_s))
        return now_ms + round(longer * 1000)


@dataclass
class Tools:
    """What every run needs of the agent. A new configuration replaces `rules`, `patience` and `known`."""

    journal: Journal
    bureau: Bureau
    clock: Clock
    secrets: Secrets
    latch: Latch
    archives: Archives
    rules: Rules
    patience: Patience
    record: Recorder
    boot: str
    simulation: bool
    check_stop: Callable[[], None]  # raises Interrupted("DRAINING") while the agent drains
    challenges: Challenges
    window_end_ms: Callable[[Job], int | None]  # when the filing window of a job ends (job's time)
    surroundings: Surroundings | None = None  # None: a check says nothing of this computer
    known: Mapping[str, KnownDevice] = field(default_factory=dict)  # what is configured, by device number


_READ_AGAIN_MS = 24 * 3_600_000  # so long a job that only reads is tried again


class Thread(Protocol):
    """The device's thread, as a run in it asks: may it go on?"""

    def passed(self) -> None:
        """Raise Interrupted where the thread was given up."""

    def stop_if_unwanted(self) -> None:
        """Raise why nothing more may be begun: given up, or the device was released for others."""


class Runner:
    """Runs jobs; every way a run can end becomes a journal row."""

    def __init__(self, tools: Tools, procedure: Callable[[Work], None] = run_procedure) -> None:
        self._tools = tools
        self._procedure = procedure

    def run(self, job_id: str, device: Device, at: Thread) -> None:
        """Run the job as the journal has it; returns where it ended, waits, or was interrupted."""
        journal = FencedJournal(self._tools.journal, at.passed)
        self._journaled(job_id, lambda ledger: self._run(ledger, device, at), journal)

    def not_run(self, job_id: str, error: AgentError) -> None:
        """The device could not be had for a run: the job waits for it."""
        self._journaled(job_id, lambda ledger: self._not_run(ledger, error))

    def expire(self, job_id: str) -> None:
        """End a job whose time ran out while it waited."""
        self._journaled(job_id, self._expire)

    def stop(self, job_id: str) -> None:
        """End a cancelled job that is not under way; it needs no device."""
        self._journaled(job_id, self._stop)

    def _journaled(self, job_id: str, act: Callable[[Ledger], None], journal: Journal | None = None) -> None:
        """Do `act` on a job that is live. A journal that takes no row leaves the job as it has it."""
        journal = journal or self._tools.journal
        try:
            job = journal.transact(lambda tx: tx.job(job_id))
            if job is not None and not job.state.ended and job.state is not JobState.NEEDS_HUMAN:
                act(Ledger(job, journal, self._tools.clock))
        except (JournalError, Interrupted) as error:
            _log.error("job_not_journaled", job_id=job_id, fault=error.fault)

    def _run(self, ledger: Ledger, device: Device, at: Thread) -> None:
        waited = ledger.job.wait
        if ledger.job.cancel_requested and not ledger.job.unread:
            self._stop(ledger)
            return
        if overdue(ledger.job, self._tools.clock) or self._given_up(ledger.job):
            self._expire(ledger)
            return
        try:
            ledger.running(self._tools.boot)
            self._tools.challenges.forward(ledger.job.job_id, self._tools.bureau)
            self._procedure(self._work(ledger, device, at))
            if ledger.job.open_steps:
                raise NeedsHuman("INTERNAL", what=f"{ledger.job.open_steps[0].id} was left open")
            self._end(ledger, JobState.DONE, Outcome.EXECUTED, None)
        except Waiting as waiting:
            self._wait(ledger, waiting.reason, waiting.problem, waited)
        except JournalError:
            raise
        except AgentError as error:
            self._failed(ledger, error, waited)
        except Exception as error:  # noqa: BLE001 - a defect in a run stops this job, for a person to see
            _log.exception("job_failed", job_id=ledger.job.job_id)
            self._failed(ledger, NeedsHuman("INTERNAL", error=type(error).__name__), waited)

    def _not_run(self, ledger: Ledger, error: AgentError) -> None:
        if ledger.job.cancel_requested and not ledger.job.unread:
            self._stop(ledger)
        elif isinstance(error, Interrupted | Unavailable) or ledger.job.open_steps:
            self._failed(ledger, error, ledger.job.wait)
        else:  # a defect of the driver: nothing was done, and the device may come to itself
            self._wait(ledger, WaitReason.DEVICE, error.problem(), ledger.job.wait)

    def _given_up(self, job: Job) -> bool:
        """Whether a job that is only to be read again has been so for too long; no step of it is open."""
        if job.state is not JobState.UNKNOWN or job.open_steps:
            return False
        if not job.kind.irreversible:
            return self._tools.clock.utc_ms() - job.accepted_ms > _READ_AGAIN_MS
        end, now = self._tools.window_end_ms(job), self._tools.clock.sim_ms()
        return end is not None and (now if now is not None else self._tools.clock.utc_ms()) >= end

    def _expire(self, ledger: Ledger) -> None:
        self._ask_for_reports(ledger)
        job = ledger.job
        outcome = job.outcome_so_far
        if outcome is Outcome.EXECUTED and job.kind is JobKind.REPORT:
            self._end(ledger, JobState.DONE, outcome, None)  # the bureau had it in time
            return
        state = JobState.EXPIRED if outcome is Outcome.NOT_EXECUTED else JobState.REFUSED
        self._end(ledger, state, outcome, out_of_time(job))

    def _ask_for_reports(self, ledger: Ledger) -> None:
        """Before a job ends: what became of reports whose answer was lost? It may be away."""
        try:
            settle_reports(ledger, self._tools.bureau)
        except (JournalError, Interrupted):
            raise
        except AgentError as error:
            _log.warning("report_left_unknown", job_id=ledger.job.job_id, fault=error.fault)

    def _stop(self, ledger: Ledger) -> None:
        self._ask_for_reports(ledger)
        outcome = ledger.job.outcome_so_far
        problem = Problem(fault="CANCELLED", outcome=outcome)
        self._end(ledger, JobState.STOPPED, outcome, problem)

    def _work(self, ledger: Ledger, device: Device, at: Thread) -> Work:
        tools = self._tools

        def check_stop() -> None:
            tools.check_stop()
            at.stop_if_unwanted()

        return Work(
            ledger=ledger,
            device=device,
            bureau=tools.bureau,
            clock=tools.clock,
            secrets=tools.secrets,
            latch=tools.latch,
            archives=tools.archives,
            rules=tools.rules,
            simulation=tools.simulation,
            check_stop=check_stop,
            surroundings=tools.surroundings,
            known=tools.known,
        )

    def _failed(self, ledger: Ledger, error: AgentError, waited: Wait | None) -> None:
        job = ledger.job
        match error:
            case Interrupted(fault="CANCELLED"):
                self._stop(ledger)
            case Interrupted():
                return  # draining: the job stays as the journal has it, the next start goes on
            case NeedsHuman():
                ledger.needs_human(msgspec.structs.replace(error.problem(), outcome=job.outcome_so_far))
            case _ if job.open_steps or error.outcome is Outcome.UNKNOWN:
                ledger.unknown(error.problem())
            case DeviceLent():
                self._wait(ledger, WaitReason.DEVICE_IN_USE, error.problem(), waited, lent=error)
            case DeviceInUse():
                self._wait(ledger, WaitReason.DEVICE_IN_USE, error.problem(), waited)
            case ChallengeAsked():
                asked = self._tools.challenges.question(job.job_id, error)
                self._wait(ledger, WaitReason.CHALLENGE, asked, waited)
            case BureauDown():
                self._wait(ledger, WaitReason.BUREAU, error.problem(), waited, error.retry_after_s or 0.0)
            case Unavailable():
                self._wait(ledger, WaitReason.DEVICE, error.problem(), waited)
            case _:
                self._ask_for_reports(ledger)
                self._end(ledger, JobState.REFUSED, ledger.job.outcome_so_far, error.problem())

    def _wait(
        self,
        ledger: Ledger,
        reason: WaitReason,
        problem: Problem,
        waited: Wait | None,
        least_s: float = 0.0,
        lent: DeviceLent | None = None,
    ) -> None:
        now = self._tools.clock.utc_ms()
        since = waited.since_ms if waited is not None and waited.reason is reason else now
        # Nobody looks at a device that is left to others; it comes back at its time, or by an order.
        next_ms = lent.until_ms if lent is not None else self._tools.patience.next_ms(reason, now, since)
        if next_ms is not None:
            next_ms = max(next_ms, now + round(least_s * 1000))
        ledger.waiting(
            Wait(
                reason=reason,
                fault=problem.fault,
                since_ms=since,
                next_ms=next_ms,
                until_ms=self._until_ms(ledger.job, waited),
                detail=problem.detail,
            )
        )

    def _until_ms(self, job: Job, waited: Wait | None) -> int | None:
        """A job that only reads waits so long in all; a window's end is asked anew, it may be put off."""
        if waited is not None and not job.kind.irreversible:
            return waited.until_ms
        return self._tools.window_end_ms(job)

    def _end(self, ledger: Ledger, state: JobState, outcome: Outcome, problem: Problem | None) -> None:
        record = self._tools.record(ledger.job, state, outcome, problem)
        ledger.ended(state, outcome, problem, record)
        job = ledger.job
        self._tools.challenges.forget(job.job_id)
        _log.info(
            "job_ended",
            job_id=job.job_id,
            kind=job.kind.value,
            device_no=job.scope.device_no,
            periods=list(job.scope.periods),
            state=state.value,
            outcome=outcome.value,
            fault=problem.fault if problem else "",
            principal=job.principal,
            seconds=round(((job.ended_ms or job.accepted_ms) - job.accepted_ms) / 1000, 3),
            steps={str(run.id): run.outcome.value for run in job.steps},
        )
