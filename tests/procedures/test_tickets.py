"""Tickets: stored before anything else, a stale one replaced once, a foreign one refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.model.bureau import DeclarationState
from taxagent.model.errors import AnswerLost, BureauDown
from taxagent.model.events import TicketStored
from taxagent.model.job import Job, JobKind, JobState, Outcome, Step, WaitReason
from taxagent.model.period import Period
from taxagent.simulator.bureau_register import BureauScenario, Registration
from taxagent.simulator.sealing import ClearTicket, ClockTicket, unsealed
from tests.builders import judge, world
from tests.builders.scenario import DEVICE_NO, TAXPAYER_ID, clear_ticket, clock_ticket
from tests.builders.tap import raising
from tests.builders.work import Bench
from tests.builders.world import step


def ready_to_clear(folder: Path) -> Bench:
    """A device whose October is reported and declared; the next job is its clear."""
    bench = Bench(folder)
    bench.accept(JobKind.REPORT)
    bench.run()
    bench.file_return()
    bench.next_job()
    bench.accept(JobKind.CLEAR)
    return bench


def with_a_stale_ticket(folder: Path) -> Bench:
    """The bureau has given ticket 1; its clock ticket cannot be taken: the device has seen a newer one."""
    bench = ready_to_clear(folder)
    bench.tap.on("after archive", world.remember(bench, clock_serial=1))
    return bench


def told(job: Job, what: Step) -> Outcome | None:
    """What the job says of its step."""
    run = job.run_of(step(what))
    return run.outcome if run is not None else None


def test_the_ticket_is_durable_before_anything_is_done_with_it(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    stored: list[int] = []
    bench.judge = lambda event: (
        stored.append(len(bench.writes())) if isinstance(event, TicketStored) else None
    )
    bench.run()
    assert stored == [1]  # the seal; no ticket was written yet


def test_a_ticket_that_was_asked_for_and_not_answered_is_the_same_when_asked_again(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("after put_ticket", raising(AnswerLost("ANSWER_LOST")))
    assert bench.run().state is JobState.UNKNOWN
    assert bench.run().state is JobState.DONE
    assert world.tickets_issued(bench) == 1


def test_a_ticket_whose_answer_was_lost_stays_unknown_while_the_bureau_cannot_be_asked(
    tmp_path: Path,
) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("after put_ticket", bench.tap.die)
    bench.run_until_killed()
    bench.tap.on("before get_ticket", raising(BureauDown("BUREAU_DOWN")))
    assert told(bench.run(), Step.TICKET) is Outcome.UNKNOWN
    assert told(bench.run(), Step.TICKET) is Outcome.EXECUTED


def test_a_fresh_ticket_whose_answer_was_lost_stays_unknown_as_well(tmp_path: Path) -> None:
    bench = with_a_stale_ticket(tmp_path)
    bench.tap.on("after put_ticket", bench.tap.die, nth=2)
    bench.run_until_killed()
    bench.tap.on("before get_ticket", raising(BureauDown("BUREAU_DOWN")))
    assert told(bench.run(), Step.TICKET) is Outcome.UNKNOWN
    assert told(bench.run(), Step.TICKET) is Outcome.EXECUTED
    assert world.tickets_issued(bench) == 2


def test_a_confirmation_whose_answer_was_lost_stays_unknown_while_the_bureau_is_down(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("after confirm", bench.tap.die)
    bench.run_until_killed()
    bench.tap.on("before confirm", raising(BureauDown("BUREAU_DOWN")))
    job = bench.run()
    assert (job.state, told(job, Step.CONFIRM)) == (JobState.DONE, Outcome.UNKNOWN)
    assert not bench.record().bureau_confirmed


def test_a_stale_ticket_is_replaced_by_a_fresh_one_and_the_job_goes_on(tmp_path: Path) -> None:
    bench = with_a_stale_ticket(tmp_path)
    job = bench.run()
    assert job.state is JobState.DONE
    assert world.tickets_issued(bench) == 2
    ticket = job.ticket_of("007")
    assert ticket is not None
    assert unsealed(ticket.clear_ticket, ClearTicket).serial == 2
    assert bench.record().tickets[0].ticket_no == ticket.ticket_no


def test_a_fresh_ticket_is_asked_for_once_only(tmp_path: Path) -> None:
    bench = with_a_stale_ticket(tmp_path)
    bench.tap.on("after put_ticket", world.remember(bench, clock_serial=2), nth=2)
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.REFUSED, "TICKET_STALE")
    assert job.outcome is Outcome.NOT_EXECUTED
    assert world.tickets_issued(bench) == 2


@pytest.mark.parametrize("place", ["before put_ticket", "after put_ticket"])
@pytest.mark.parametrize("error", [BureauDown("BUREAU_DOWN"), AnswerLost("ANSWER_LOST"), None])
def test_a_fresh_ticket_that_does_not_come_is_asked_for_again(
    tmp_path: Path, place: str, error: Exception | None
) -> None:
    bench = with_a_stale_ticket(tmp_path)
    bench.tap.on(place, raising(error) if error else bench.tap.die, nth=2)
    bench.run_until_killed()
    assert bench.run_to_the_end().state is JobState.DONE
    assert world.tickets_issued(bench) == 2


def test_a_fresh_ticket_that_is_stored_is_used_after_a_restart(tmp_path: Path) -> None:
    bench = with_a_stale_ticket(tmp_path)
    bench.judge = lambda event: (
        setattr(bench.tap, "at", len(bench.tap.passed) + 1)
        if isinstance(event, TicketStored) and event.ticket.ticket_no.endswith("2")
        else None
    )
    bench.run_until_killed()
    assert bench.run_to_the_end().state is JobState.DONE
    assert world.tickets_issued(bench) == 2


def test_where_another_program_wrote_its_clock_ticket_between_ours_a_fresh_pair_is_written(
    tmp_path: Path,
) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("after clock_ticket", world.remember(bench, let_in=()))
    assert bench.run().state is JobState.DONE
    assert bench.writes() == ["seal 007", "clock_ticket", "clock_ticket", "apply_ticket 007"]


def test_a_clock_ticket_that_was_written_is_not_forgotten_where_its_successor_is_refused(
    tmp_path: Path,
) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("after clock_ticket", world.remember(bench, let_in=(), clock_serial=2))
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.REFUSED, "TICKET_STALE")
    assert bench.writes() == ["seal 007", "clock_ticket"]
    assert job.outcome is Outcome.PARTLY_EXECUTED


@pytest.mark.parametrize("command", ["clock_ticket", "apply_ticket"])
def test_a_refusal_as_stale_whose_answer_is_lost_leads_to_a_fresh_ticket_too(
    tmp_path: Path, command: str
) -> None:
    bench = ready_to_clear(tmp_path)
    if command == "clock_ticket":
        bench.tap.on("after archive", world.remember(bench, clock_serial=1))
    else:
        bench.tap.on("after clock_ticket", world.remember(bench, let_in=()))
    bench.adapter = bench.losing_answers(command)
    assert bench.run().state is JobState.UNKNOWN
    bench.adapter = bench.this_device
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.DONE, Outcome.EXECUTED)
    assert world.tickets_issued(bench) == 2


def test_a_ticket_of_another_device_is_refused_and_nothing_is_cleared(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.ticket_changes = {
        "clear_ticket": clear_ticket(device_no="661700000029"),
        "clock_ticket": clock_ticket(device_no="661700000029"),
    }
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.REFUSED, "TICKET_REJECTED")
    assert (job.outcome, bench.writes()) == (Outcome.NOT_EXECUTED, ["seal 007"])


def test_a_forged_clear_ticket_is_refused_and_the_outcome_tells_of_the_clock_ticket(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.ticket_changes = {"clear_ticket": b"no ticket at all"}
    job = bench.run()
    assert job.problem is not None
    assert (job.problem.fault, job.outcome) == ("TICKET_REJECTED", Outcome.PARTLY_EXECUTED)
    assert bench.writes() == ["seal 007", "clock_ticket"]


def test_a_ticket_that_would_leave_the_month_unsettled_is_refused_before_it_is_written(
    tmp_path: Path,
) -> None:
    bench = ready_to_clear(tmp_path)
    bench.ticket_changes = {"deadline": dt.date(2026, 11, 16)}
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.REFUSED, "TICKET_REJECTED")
    assert (job.outcome, bench.writes()) == (Outcome.NOT_EXECUTED, ["seal 007"])


def test_without_the_clock_ticket_that_this_kind_wants_the_device_refuses_the_clear(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    bench.ticket_changes = {"clock_ticket": None}
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.REFUSED, "CLOCK_TICKET_MISSING")
    assert (job.outcome, bench.writes()) == (Outcome.NOT_EXECUTED, ["seal 007"])


def test_settle_waits_where_the_return_was_taken_back_before_the_ticket(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.tap.on("after get_ticket", world.returned(bench, DeclarationState.MISSING))
    job = bench.run()
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault) == (WaitReason.DECLARATION, "NOT_DECLARED")
    bench.file_return()
    judge.settled(bench, bench.run())


def test_an_older_month_that_the_bureau_misses_is_named_by_the_bureaus_refusal(tmp_path: Path) -> None:
    register = BureauScenario(
        devices=(Registration(device_no=DEVICE_NO, taxpayer_id=TAXPAYER_ID, first_period=Period("2026-09")),)
    )
    bench = Bench(tmp_path, bureau=register)
    bench.accept()
    bench.file_return()
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.outcome) == (JobState.REFUSED, Outcome.PARTLY_EXECUTED)
    assert (job.problem.fault, job.problem.detail["period"]) == ("NOT_REPORTED", "2026-09")
    assert _outcome(job, Step.TICKET) is Outcome.NOT_EXECUTED


def test_already_cleared_at_the_device_is_a_success_once_it_shows_the_tickets_deadline(
    tmp_path: Path,
) -> None:
    bench = ready_to_clear(tmp_path)
    bench.tap.on("before apply_ticket", world.moved(bench, invoicing_deadline=dt.date(2026, 12, 15)))
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.DONE, Outcome.EXECUTED)
    apply = job.run_of(step(Step.APPLY))
    assert apply is not None
    assert apply.note == "already"


def _outcome(job: Job, what: Step) -> Outcome:
    run = job.run_of(step(what))
    assert run is not None
    return run.outcome


def test_the_clock_ticket_carries_the_bureaus_time(tmp_path: Path) -> None:
    bench = ready_to_clear(tmp_path)
    ticket = bench.run().ticket_of("007")
    assert ticket is not None
    assert ticket.clock_ticket is not None
    assert unsealed(ticket.clock_ticket, ClockTicket).clock == bench.clock.now
