"""The crash tests' own judge, of jobs that must end as if nothing had happened; beside it tests.judge looks.

It knows nothing of how the work is done, only what must be true of it.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from pathlib import Path

from taxagent.bureau.messages import Op
from taxagent.journal import JOURNAL_NAME
from taxagent.model.device import WriteKind
from taxagent.model.errors import AgentError
from taxagent.model.events import AnyEvent, StepEnded
from taxagent.model.job import Job, JobState, Outcome, Step, StepId
from taxagent.model.period import Period
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_state import IssuedTicket, Result
from taxagent.simulator.durable import whole_lines
from taxagent.simulator.kinds import last_report_of
from tests.builders.scenario import DEVICE_NO, sent
from tests.builders.work import Bench
from tests.judge import Evidence, read, violations

STRANGERS = "strangers.txt"  # in a world's folder: hashes of writes and numbers of receipts of other programs


@functools.cache
def deadlines() -> dict[str, dt.date]:
    """Return the last day of each month's filing window, as the bureau's calendar has it."""
    months = [Period(f"{year}-{number:02d}") for year in (2025, 2026) for number in range(1, 13)]
    return {month: BureauScenario().filing_deadline(month) for month in months}


class Untrue(AgentError):
    """The journal says what is not so."""

    def __init__(self, event: object) -> None:
        super().__init__("INTERNAL", event=str(event))


def watch(bench: Bench) -> None:
    """Have every "executed" of the journal held against the world at the moment of its commit."""

    def judge(event: AnyEvent) -> None:
        if isinstance(event, StepEnded) and event.outcome is Outcome.EXECUTED and not _true(bench, event.id):
            raise Untrue(event)

    bench.judge = judge


def settled(bench: Bench, job: Job) -> None:
    """Assert that the job ended as if nothing had happened, with everything done exactly once."""
    assert (job.state, job.outcome) == (JobState.DONE, Outcome.EXECUTED), job.problem
    assert {str(run.id): run.outcome for run in job.steps if run.outcome is not Outcome.EXECUTED} == {}
    assert sorted(bench.writes()) == sorted(_once(bench, job))
    _bureau_has_each_once(bench, job)
    for backup in job.backups:
        assert hashlib.sha256(Path(backup.path).read_bytes()).hexdigest() == backup.sha256
    assert len({(backup.period, backup.before) for backup in job.backups}) == len(job.backups)
    assert bench.record().outcome is Outcome.EXECUTED
    bench.verify_chain()
    found = [str(violation) for violation in violations(evidence(bench))]
    assert not found, found


def evidence(bench: Bench) -> Evidence:
    """Return what the independent judge is shown of the world."""
    folder = bench.folder
    found = read(folder / JOURNAL_NAME, device=folder / "device", bureau=folder / "bureau")
    found.deadlines = deadlines()
    found.slack_ms = 0  # one process, one clock
    noted = [line.decode() for line in whole_lines(folder / STRANGERS)]
    found.strangers = frozenset({sent().payload_sha256, *noted})  # the first by world.seal_by_another_program
    return found


def _groups(bench: Bench, job: Job) -> list[str]:
    """Return the device's groups of the job's types; a job has whole groups."""
    scenario = bench.device.scenario
    groups = [group for group in scenario.groups() if set(group.split("+")) & set(job.scope.types)]
    assert sorted(job.scope.types) == sorted(kind for group in groups for kind in group.split("+"))
    return groups


def _once(bench: Bench, job: Job) -> list[str]:
    groups, months = _groups(bench, job), job.scope.periods
    seals = [f"seal {group}" for group in groups for _ in months]
    clears = [f"apply_ticket {group}" for group in groups]
    clocks = ["clock_ticket" for _ in groups] if bench.device.quirks.clock_ticket_first else []
    return [*seals, *clears, *clocks]


def _bureau_has_each_once(bench: Bench, job: Job) -> None:
    wanted = sorted(
        f"{DEVICE_NO}/{group}/{month}" for group in _groups(bench, job) for month in job.scope.periods
    )
    assert sorted(bench.bureau.memory.reports) == wanted
    puts = [
        f"{call.device_no}/{call.group}/{call.period}"
        for call in bench.bureau.calls()
        if call.op == Op.REPORT_PUT and call.result is Result.ACCEPTED
    ]
    assert sorted(puts) == wanted
    assert all(len(tickets) == 1 for tickets in bench.bureau.memory.tickets.values())


def _true(bench: Bench, step: StepId) -> bool:
    """Return whether the world agrees that `step` was executed."""
    memory, about = bench.device.memory, f"{DEVICE_NO}/{step.group}/{step.period}"
    group, tickets = memory.group(step.group), bench.bureau.memory.tickets.get(about, ())
    match step.step:
        case Step.SEAL:
            sealed = last_report_of(Period(step.period), bench.device.quirks)
            return group is not None and group.last_report >= sealed
        case Step.SUBMIT:
            return about in bench.bureau.memory.reports
        case Step.TICKET:
            return bool(tickets)
        case Step.CLOCK_TICKET:
            return any(line.write.kind is WriteKind.CLOCK_TICKET for line in bench.written())
        case Step.APPLY | Step.VERIFY:
            return group is not None and _cleared(tickets, group.invoicing_deadline.isoformat())
        case Step.CONFIRM:
            return any(ticket.confirmed_ms is not None for ticket in tickets)
        case _:
            return True


def _cleared(tickets: tuple[IssuedTicket, ...], deadline: str) -> bool:
    return not tickets or deadline >= tickets[-1].ticket.deadline.isoformat()
