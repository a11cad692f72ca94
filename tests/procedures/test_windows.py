"""Windows and order of time: refused before anything is written, or before the next irreversible step."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.model.job import Job, JobKind, JobState, Outcome, Step
from taxagent.model.period import Period
from taxagent.simulator.scenario import ClockScenario, Generated
from tests.builders import judge, world
from tests.builders.scenario import OCTOBER
from tests.builders.work import SEPTEMBER, Bench
from tests.builders.world import due, step

LATE = dt.datetime(2026, 11, 20, 12, 0)
NEXT_MONTH = dt.datetime(2026, 12, 1, 12, 0)


def refused(job: Job, fault: str) -> dict[str, str]:
    """Assert that the job was refused for `fault` with nothing done; return the facts."""
    assert job.problem is not None
    assert (job.state, job.outcome, job.problem.fault) == (JobState.REFUSED, Outcome.NOT_EXECUTED, fault)
    assert {run.outcome for run in job.steps if run.id.step in (Step.SEAL, Step.APPLY)} <= {
        Outcome.NOT_EXECUTED
    }
    return job.problem.detail


@pytest.mark.parametrize("kind", [JobKind.REPORT, JobKind.CLEAR, JobKind.SETTLE])
def test_a_month_that_has_not_ended_is_refused(tmp_path: Path, kind: JobKind) -> None:
    bench = Bench(tmp_path, now=dt.datetime(2026, 10, 31, 23, 59))
    bench.accept(kind)
    refused(bench.run(), "PERIOD_NOT_ENDED")
    assert bench.writes() == []


def test_nothing_is_done_before_five_past_midnight_of_the_devices_day(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=dt.datetime(2026, 11, 3, 0, 4, 59))
    bench.accept()
    refused(bench.run(), "TOO_EARLY_IN_DAY")
    assert bench.writes() == []


def test_at_five_past_midnight_the_day_has_begun(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=dt.datetime(2026, 11, 3, 0, 5))
    bench.accept()
    bench.file_return()
    judge.settled(bench, bench.run())


@pytest.mark.parametrize("hours", [-13, 13])
def test_clocks_that_are_13_hours_apart_stop_everything(tmp_path: Path, hours: int) -> None:
    bench = Bench(tmp_path, clock=ClockScenario(error_s=hours * 3600))
    bench.accept()
    refused(bench.run(), "CLOCK_WRONG")
    assert bench.writes() == []


def test_a_slow_device_clock_is_mended_by_the_clock_ticket_and_the_job_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, clock=ClockScenario(error_s=-11 * 3600))
    bench.accept()
    bench.file_return()
    judge.settled(bench, bench.run())
    assert bench.device.now() == bench.clock.now


def test_a_clock_ticket_that_turns_the_devices_month_stops_the_job_before_the_clear_ticket(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, now=dt.datetime(2026, 12, 1, 8, 0), clock=ClockScenario(error_s=-11 * 3600))
    bench.accept(late=True)
    bench.file_return()
    job = bench.run()
    assert job.problem is not None
    assert (job.problem.fault, job.outcome) == ("MONTH_TURNED", Outcome.PARTLY_EXECUTED)
    assert bench.writes() == ["seal 007", "clock_ticket"]


def test_the_filing_window_is_closed_after_its_last_day(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=LATE)
    bench.accept()
    assert refused(bench.run(), "WINDOW_CLOSED")["deadline"] == "2026-11-16"
    assert bench.writes() == []


def test_a_technician_may_take_the_filing_window_upon_himself(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=LATE)
    bench.accept(late=True)
    bench.file_return()
    judge.settled(bench, bench.run())


def test_late_does_not_open_a_hard_window(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=dt.datetime(2026, 11, 20, 0, 1))
    bench.accept(late=True)
    refused(bench.run(), "TOO_EARLY_IN_DAY")


def test_more_than_90_days_overdue_only_the_tax_hall_can_help(tmp_path: Path) -> None:
    old = due(last_report=dt.date(2026, 7, 31), invoicing_deadline=dt.date(2026, 9, 15))
    bench = Bench(tmp_path, types=(old,))
    bench.accept(late=True)
    refused(bench.run(), "OVERDUE")
    assert bench.writes() == []


@pytest.mark.parametrize("kind", [JobKind.REPORT, JobKind.SETTLE])
def test_invoices_that_are_not_uploaded_block_and_are_counted(tmp_path: Path, kind: JobKind) -> None:
    pending = due(generate=Generated(seed=1, months=(OCTOBER,), per_month=5, pending=3))
    bench = Bench(tmp_path, types=(pending,))
    bench.accept(kind)
    facts = refused(bench.run(), "UPLOAD_PENDING")
    assert (facts["pending"], facts["types"]) == ("3", "007")
    assert bench.writes() == []


def test_a_stock_that_does_not_add_up_stops_before_the_seal(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due(closing_error=2),))
    bench.accept()
    facts = refused(bench.run(), "STOCK_MISMATCH")
    assert facts["invoice_type"] == "007"
    assert "closing" in facts["differences"]
    assert bench.writes() == []
    assert bench.job().backups == ()


@pytest.mark.parametrize("moment", ["before seal-look", "while it waits"])
def test_the_month_turns_and_nothing_irreversible_is_written_afterwards(tmp_path: Path, moment: str) -> None:
    bench = Bench(tmp_path)
    bench.accept(late=True)
    if moment == "before seal-look":
        bench.tap.on("after archive", world.turned(bench, NEXT_MONTH))
        done = []
    else:
        bench.run()
        bench.clock.now = NEXT_MONTH
        done = ["seal 007"]
        bench.file_return()
    job = bench.run()
    assert job.problem is not None
    assert (job.state, job.problem.fault) == (JobState.REFUSED, "MONTH_TURNED")
    assert job.problem.detail == {"began": "2026-11", "now": "2026-12", "due": "2026-10, 2026-11"}
    assert job.outcome is (Outcome.PARTLY_EXECUTED if done else Outcome.NOT_EXECUTED)
    assert bench.writes() == done
    assert not bench.bureau.memory.tickets


def test_the_month_turns_between_seal_and_clear_of_one_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(late=True)
    bench.file_return()
    bench.tap.on("after put_report", world.turned(bench, NEXT_MONTH))
    bench.tap.on("after put_ticket", world.turned(bench, NEXT_MONTH))
    job = bench.run()
    assert job.problem is not None
    assert job.problem.fault == "MONTH_TURNED"
    assert job.done(step(Step.SUBMIT))
    assert bench.writes() == ["seal 007"]


def test_a_ticket_that_was_fetched_before_midnight_is_not_written_before_five_past(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=dt.datetime(2026, 11, 3, 23, 59))
    bench.accept()
    bench.file_return()
    bench.tap.on("after put_ticket", world.turned(bench, dt.datetime(2026, 11, 4, 0, 1)))
    job = bench.run()
    assert job.problem is not None
    assert (job.problem.fault, job.outcome) == ("TOO_EARLY_IN_DAY", Outcome.PARTLY_EXECUTED)
    assert bench.writes() == ["seal 007"]


def test_what_is_written_already_is_finished_after_the_window_closed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.tap.on("after apply_ticket", bench.tap.die)
    bench.run_until_killed()
    bench.clock.now = LATE
    judge.settled(bench, bench.run())


def test_a_report_that_was_sealed_inside_the_window_is_submitted_after_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(JobKind.REPORT)
    bench.tap.on("after seal", bench.tap.die)
    bench.run_until_killed()
    bench.clock.now = LATE
    assert bench.run().state is JobState.DONE
    assert len(bench.bureau.memory.reports) == 1


def test_a_locked_device_is_reported_and_cleared_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due("007", SEPTEMBER, OCTOBER),))  # its lock date was the 26th of October
    bench.accept(periods=(SEPTEMBER, OCTOBER))
    bench.file_return(SEPTEMBER, OCTOBER)
    job = bench.run()
    judge.settled(bench, job)
    assert job.before is not None
    assert "DEVICE_LOCKED" in {problem.fault for problem in job.before.findings}


@pytest.mark.parametrize("kind", [JobKind.SETTLE, JobKind.REPORT, JobKind.CLEAR])
def test_a_dead_clock_by_which_nothing_is_due_is_no_success(tmp_path: Path, kind: JobKind) -> None:
    bench = Bench(tmp_path)
    bench.accept(kind, periods=(Period("2009-12"),))
    bench.device.kept.set_clock(dt.datetime(2010, 1, 1, 8))
    job = bench.run()
    assert job.state is JobState.REFUSED
    assert job.problem is not None
    assert job.problem.fault == "CLOCK_WRONG"
    assert bench.writes() == []
