"""One run of one job in its device's thread: the procedure, and what its end means for the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from taxagent.model.errors import (
    AgentError,
    BureauDown,
    DeviceInUse,
    Interrupted,
    JournalError,
    NeedsHuman,
    Unavailable,
)
from taxagent.model.job import Job, JobState, Outcome, Problem, Wait, WaitReason
from taxagent.model.windows import Rules
from taxagent.ports import Bureau, Clock, Device, Journal, Secrets
from taxagent.procedures.ledger import Ledger
from taxagent.procedures.session import Latch
from taxagent.procedures.settle import run_procedure
from taxagent.procedures.work import Archives, Waiting, Work

_log = structlog.get_logger(__name__)

Recorder = Callable[[Job, JobState, Outcome, Problem | None], bytes]
"""Makes the record of a job that is about to end, as JSON."""


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


@dataclass(frozen=True)
class Tools:
    """What every run needs of the agent."""

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
    window_end_ms: Callable[[Job], int | None]  # when the filing window of a job ends (job's time)


class Runner:
    """Runs jobs; every way a run can end becomes a journal row."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def run(self, job_id: str, device: Device) -> None:
        """Run the job as the journal has it; returns where it ended, waits, or was interrupted."""
        ledger = self._ledger(job_id)
        if ledger is None:
            return
        waited = ledger.job.wait
        try:
            ledger.running(self._tools.boot)
            run_procedure(self._work(ledger, device))
            self._end(ledger, JobState.DONE, Outcome.EXECUTED, None)
        except Waiting as waiting:
            self._wait(ledger, waiting.reason, waiting.problem, waited)
        except JournalError as error:
            _log.error("job_not_journaled", job_id=job_id, fault=error.fault)
        except AgentError as error:
            self._failed(ledger, error, waited)
        except Exception as error:  # noqa: BLE001 - a defect in a run stops this job, for a person to see
            _log.exception("job_failed", job_id=job_id)
            self._failed(ledger, NeedsHuman("INTERNAL", error=type(error).__name__), waited)

    def not_run(self, job_id: str, error: AgentError) -> None:
        """The device could not be had for a run: the job waits for it."""
        ledger = self._ledger(job_id)
        if ledger is not None:
            self._failed(ledger, error, ledger.job.wait)

    def expire(self, job_id: str) -> None:
        """End a job whose time ran out while it waited."""
        ledger = self._ledger(job_id)
        if ledger is None:
            return
        job = ledger.job
        problem = Problem(fault="WINDOW_CLOSED", outcome=Outcome.NOT_EXECUTED)
        outcome = outcome_of(job)
        state = JobState.EXPIRED if outcome is Outcome.NOT_EXECUTED else JobState.REFUSED
        self._end(ledger, state, outcome, problem)

    def _ledger(self, job_id: str) -> Ledger | None:
        job = self._tools.journal.transact(lambda tx: tx.job(job_id))
        if job is None or job.state.ended or job.state is JobState.NEEDS_HUMAN:
            return None
        return Ledger(job, self._tools.journal, self._tools.clock)

    def _work(self, ledger: Ledger, device: Device) -> Work:
        tools = self._tools
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
            check_stop=tools.check_stop,
        )

    def _failed(self, ledger: Ledger, error: AgentError, waited: Wait | None) -> None:
        job = ledger.job
        match error:
            case Interrupted(fault="CANCELLED"):
                self._end(ledger, JobState.STOPPED, outcome_of(job), error.problem())
            case Interrupted():
                return  # draining: the job stays as the journal has it, the next start goes on
            case NeedsHuman():
                ledger.needs_human(error.problem())
            case _ if job.open_steps or error.outcome is Outcome.UNKNOWN:
                ledger.unknown(error.problem())
            case DeviceInUse():
                self._wait(ledger, WaitReason.DEVICE_IN_USE, error.problem(), waited)
            case BureauDown():
                self._wait(ledger, WaitReason.BUREAU, error.problem(), waited)
            case Unavailable():
                self._wait(ledger, WaitReason.DEVICE, error.problem(), waited)
            case _:
                self._end(ledger, JobState.REFUSED, outcome_of(job), error.problem())

    def _wait(self, ledger: Ledger, reason: WaitReason, problem: Problem, waited: Wait | None) -> None:
        now = self._tools.clock.utc_ms()
        since = waited.since_ms if waited is not None and waited.reason is reason else now
        ledger.waiting(
            Wait(
                reason=reason,
                fault=problem.fault,
                since_ms=since,
                next_ms=self._tools.patience.next_ms(reason, now, since),
                until_ms=self._tools.window_end_ms(ledger.job),
                detail=problem.detail,
            )
        )

    def _end(self, ledger: Ledger, state: JobState, outcome: Outcome, problem: Problem | None) -> None:
        record = self._tools.record(ledger.job, state, outcome, problem)
        ledger.ended(state, outcome, problem, record)
        job = ledger.job
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


def outcome_of(job: Job) -> Outcome:
    """Return the outcome of a job that ends before all of it was done."""
    if job.open_steps:
        return Outcome.UNKNOWN
    wrote = any(run.wrote for run in job.steps)
    return Outcome.PARTLY_EXECUTED if wrote else Outcome.NOT_EXECUTED
