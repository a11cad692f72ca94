"""What a device answers is held against what it shows afterwards; nothing is tried for ever."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from taxagent.model.events import StepBegun, TicketStored
from taxagent.model.job import JobKind, JobState, Outcome, Step
from tests.builders import world
from tests.builders.work import Bench
from tests.builders.world import step

BEFORE = dt.date(2026, 11, 16)


def ready_to_clear(folder: Path) -> Bench:
    bench = Bench(folder)
    bench.accept(JobKind.REPORT)
    bench.run()
    bench.file_return()
    bench.next_job()
    bench.accept(JobKind.CLEAR)
    return bench


def test_a_clear_that_the_device_took_and_does_not_show_wants_a_person(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("after apply_ticket", world.moved(bench, invoicing_deadline=BEFORE))
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.NEEDS_HUMAN, "STATE_DISAGREES")
    assert job.problem.detail["what"] == "deadline_not_taken"
    assert (job.problem.detail["expected"], job.problem.detail["found"]) == ("2026-12-15", BEFORE.isoformat())


def test_a_refused_clear_is_no_success_because_the_device_says_that_it_has_changed(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    later = dt.date(2026, 11, 20)  # another program or the bureau put it off, and nothing was cleared
    bench.tap.on("before apply_ticket", world.moved(bench, invoicing_deadline=later))
    job = bench.run()
    assert job.state is JobState.REFUSED
    apply = job.run_of(step(Step.APPLY))
    assert apply is not None
    assert (apply.outcome, apply.note) == (Outcome.NOT_EXECUTED, "refused")
    assert "apply_ticket 007" not in bench.writes()


def test_a_fresh_ticket_is_asked_for_once_a_job_though_the_agent_dies_between(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("after archive", world.remember(bench, clock_serial=1))

    def die_once_the_fresh_one_is_stored(event: object) -> None:
        if isinstance(event, TicketStored) and event.ticket.ticket_no.endswith("2"):
            bench.tap.at = len(bench.tap.passed) + 1

    bench.judge = die_once_the_fresh_one_is_stored
    bench.run_until_killed()
    world.remember(bench, clock_serial=2)()  # this one is stale, too, by now
    job = bench.run_to_the_end()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.REFUSED, "TICKET_STALE")
    assert world.tickets_issued(bench) == 2


def test_the_baseline_counts_the_writes_that_the_device_had(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.run()
    begun = [row for row in bench.steps() if isinstance(row, StepBegun) and row.baseline is not None]
    assert [(row.id.step, row.baseline.write_no) for row in begun if row.baseline is not None] == [
        (Step.CLOCK_TICKET, 1),  # the seal was the first
        (Step.APPLY, 2),
    ]
