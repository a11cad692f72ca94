"""A job's own book while a thread works on it: each line is durable before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from taxagent.model.bureau import Ticket
from taxagent.model.errors import AgentError, DeviceInUse, Interrupted, JournalError, Unavailable
from taxagent.model.events import (
    AnyJobEvent,
    BackupWritten,
    CheckMade,
    JobEnded,
    JobNeedsHuman,
    JobRunning,
    JobUnknown,
    JobWaiting,
    StateRead,
    StepBegun,
    StepEnded,
    TicketStored,
    applied,
)
from taxagent.model.job import (
    Backup,
    Baseline,
    Job,
    JobState,
    Outcome,
    Problem,
    Reading,
    Step,
    StepId,
    Wait,
)
from taxagent.model.lines import CheckLine
from taxagent.ports import Clock, Journal, JournalTx


class Ledger:
    """Journals what happens to one job and keeps the job as the journal has it.

    Every method returns after the row is durable, or raises JournalFull (nothing written) or JournalUnknown.
    """

    def __init__(self, job: Job, journal: Journal, clock: Clock) -> None:
        self.job = job
        self._journal = journal
        self._clock = clock

    def running(self, boot: str) -> None:
        """A thread takes the job."""
        self._write(JobRunning(job_id=self.job.job_id, boot=boot, at_ms=self._at(), sim_ms=self._sim()))

    def waiting(self, wait: Wait) -> None:
        """The job gives its thread back."""
        self._write(JobWaiting(job_id=self.job.job_id, wait=wait, at_ms=self._at(), sim_ms=self._sim()))

    def unknown(self, problem: Problem) -> None:
        """A step was interrupted; reading will settle it."""
        self._write(JobUnknown(job_id=self.job.job_id, problem=problem, at_ms=self._at(), sim_ms=self._sim()))

    def needs_human(self, problem: Problem) -> None:
        """Reading did not settle it."""
        self._write(
            JobNeedsHuman(job_id=self.job.job_id, problem=problem, at_ms=self._at(), sim_ms=self._sim())
        )

    def begin(self, step: StepId, **facts: str) -> None:
        """Announce a step that may be repeated."""
        self._write(self._begun(step, None, facts))

    @contextmanager
    def trying(self, step: StepId, **facts: str) -> Iterator[None]:
        """Announce a step that may be repeated, for a block that ends it; what proves it undone is said.

        An error after which it may be done leaves it unknown: the next run does the step again.
        """
        self.begin(step, **facts)
        try:
            yield
        except JournalError:
            raise
        except AgentError as error:
            if error.outcome is Outcome.NOT_EXECUTED:
                note = "not_sent" if isinstance(error, Unavailable) else "refused"
                self.end(step, Outcome.NOT_EXECUTED, note, fault=error.fault)
            raise

    def begin_irreversible(self, step: StepId, baseline: Baseline, **facts: str) -> None:
        """Announce an irreversible step, unless the job was cancelled or another's step is open there.

        Raises Interrupted("CANCELLED"): the wish to cancel and the step are ordered by the journal alone.
        Raises DeviceInUse("STEP_OPEN_ELSEWHERE"): another job does not know yet whether its write on this
        device happened, and writes of ours would push the proof out of the device's memory of its last eight.
        """
        event = self._begun(step, baseline, facts)

        def unless_barred(tx: JournalTx) -> None:
            for job in tx.live_jobs(self.job.scope.device_no):
                if job.job_id == self.job.job_id:
                    if job.cancel_requested:
                        raise Interrupted("CANCELLED")
                elif job.open_steps:
                    raise DeviceInUse(
                        "STEP_OPEN_ELSEWHERE", job_id=job.job_id, step=str(job.open_steps[0].id)
                    )
            tx.append(event)

        self._journal.transact(unless_barred)
        self.job = applied(self.job, event)

    def end(self, step: StepId, outcome: Outcome = Outcome.EXECUTED, note: str = "", **facts: str) -> None:
        """Say what is known of a step."""
        self._write(self._ended(step, outcome, note, facts=facts))

    def state(self, when: Literal["before", "after"], reading: Reading) -> None:
        """Keep what the device showed."""
        self._write(
            StateRead(
                job_id=self.job.job_id,
                when=when,
                reading=reading,
                at_ms=self._at(),
                sim_ms=self._sim(),
            )
        )

    def checked(self, lines: tuple[CheckLine, ...]) -> None:
        """Keep what a check found."""
        self._write(CheckMade(job_id=self.job.job_id, lines=lines, at_ms=self._at(), sim_ms=self._sim()))

    def backed_up(self, step: StepId, backup: Backup) -> None:
        """A back-up stands and was read back: it and its step's end are one commit."""
        self._write(
            BackupWritten(job_id=self.job.job_id, backup=backup, at_ms=self._at(), sim_ms=self._sim()),
            self._ended(step, facts={"sha256": backup.sha256, "path": backup.path}),
        )

    def ticketed(self, step: StepId, ticket: Ticket) -> None:
        """Keep a ticket before anything is done with it: it and its step's end are one commit."""
        self._write(
            TicketStored(
                job_id=self.job.job_id,
                group=step.group,
                ticket=ticket,
                at_ms=self._at(),
                sim_ms=self._sim(),
            ),
            self._ended(step, facts={"ticket_no": ticket.ticket_no, "deadline": ticket.deadline.isoformat()}),
        )

    def ended(self, state: JobState, outcome: Outcome, problem: Problem | None, record: bytes) -> None:
        """The job's one end, with its record as JSON."""
        self._write(
            JobEnded(
                job_id=self.job.job_id,
                state=state,
                outcome=outcome,
                problem=problem,
                record=msgspec.Raw(record),
                record_sha256=hashlib.sha256(record).hexdigest(),
                at_ms=self._at(),
                sim_ms=self._sim(),
            )
        )

    def _begun(self, step: StepId, baseline: Baseline | None, facts: dict[str, str]) -> StepBegun:
        return StepBegun(
            job_id=self.job.job_id,
            id=step,
            baseline=baseline,
            facts=facts,
            at_ms=self._at(),
            sim_ms=self._sim(),
        )

    def _ended(
        self, step: StepId, outcome: Outcome = Outcome.EXECUTED, note: str = "", *, facts: dict[str, str]
    ) -> StepEnded:
        return StepEnded(
            job_id=self.job.job_id,
            id=step,
            outcome=outcome,
            note=note,
            facts=facts,
            at_ms=self._at(),
            sim_ms=self._sim(),
        )

    def _write(self, *events: AnyJobEvent) -> None:
        self._journal.append(*events)
        for event in events:
            self.job = applied(self.job, event)

    def _at(self) -> int:
        return self._clock.utc_ms()

    def _sim(self) -> int | None:
        return self._clock.sim_ms()


def whole(step: Step) -> StepId:
    """Return the id of a step that is about no group and no period."""
    return StepId(step=step)
