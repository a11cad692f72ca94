"""Settle, report and clear as domain.md tells them: the order, what was done already, what is missing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.model.bureau import DeclarationState
from taxagent.model.device import WriteKind
from taxagent.model.job import Job, JobKind, JobState, Outcome, Step, WaitReason
from taxagent.simulator.bureau_register import BureauScenario
from tests.builders import judge, world
from tests.builders.scenario import OCTOBER, TAXPAYER_ID
from tests.builders.work import SEPTEMBER, Bench
from tests.builders.world import due, step

DECEMBER = dt.date(2026, 12, 15)
BOTH = (SEPTEMBER, OCTOBER)


def test_settle_backs_up_seals_submits_waits_for_nothing_and_clears(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    judge.watch(bench)
    judge.settled(bench, bench.run())
    assert bench.writes() == ["seal 007", "clock_ticket", "apply_ticket 007"]
    assert [str(run.id) for run in bench.job().steps] == [
        "identify",
        "preflight",
        "backup.seal.2026-10",
        "seal.007.2026-10",
        "submit.007.2026-10",
        "declaration.2026-10",
        "ticket.007.2026-10",
        "backup.ticket.2026-10",
        "clock_ticket.007.2026-10",
        "apply.007.2026-10",
        "verify.007.2026-10",
        "confirm.007.2026-10",
    ]


def test_the_record_tells_before_and_after_and_that_the_bureau_was_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.run()
    record = bench.record()
    (row,) = record.types
    assert (row.last_report_before, row.last_report_after) == (dt.date(2026, 9, 30), dt.date(2026, 10, 31))
    assert (row.invoicing_deadline_before, row.invoicing_deadline_after) == (
        dt.date(2026, 11, 16),
        DECEMBER,
    )
    assert record.bureau_confirmed
    assert row.totals[0].positive > 0
    assert [backup.before for backup in record.backups] == [Step.SEAL, Step.TICKET]


def test_two_closed_months_are_sealed_oldest_first_and_one_clear_settles_both(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due("007", *BOTH), due("004", *BOTH)))
    bench.accept(periods=BOTH)
    bench.file_return(*BOTH)
    judge.watch(bench)
    judge.settled(bench, bench.run())
    assert [
        (line.group, line.write.after) for line in bench.written() if line.write.kind is WriteKind.SEAL
    ] == [
        ("007", dt.date(2026, 9, 30)),
        ("004", dt.date(2026, 9, 30)),
        ("007", dt.date(2026, 10, 31)),
        ("004", dt.date(2026, 10, 31)),
    ]
    assert bench.writes()[4:] == ["clock_ticket", "apply_ticket 007", "clock_ticket", "apply_ticket 004"]


def test_each_month_is_submitted_before_the_next_one_is_sealed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due("007", *BOTH),))
    bench.accept(JobKind.REPORT, periods=BOTH)
    bench.run()
    order = [place for place in bench.tap.passed if place in ("after seal", "after put_report")]
    assert order == ["after seal", "after put_report"] * 2


def test_every_month_that_the_ticket_settles_is_backed_up_before_it_is_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due("007", *BOTH),))
    bench.accept(periods=BOTH)
    bench.file_return(*BOTH)
    job = bench.run()
    assert {(backup.period, backup.before) for backup in job.backups} == {
        (month, before) for month in BOTH for before in (Step.SEAL, Step.TICKET)
    }


def test_report_and_clear_are_two_jobs_that_together_settle(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(JobKind.REPORT)
    assert bench.run().outcome is Outcome.EXECUTED
    assert bench.writes() == ["seal 007"]
    bench.file_return()
    clear = _another(bench, JobKind.CLEAR)
    assert clear.outcome is Outcome.EXECUTED
    assert bench.writes() == ["seal 007", "clock_ticket", "apply_ticket 007"]


def test_clear_without_the_return_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(JobKind.REPORT)
    bench.run()
    clear = _another(bench, JobKind.CLEAR)
    assert (clear.state, clear.outcome) == (JobState.REFUSED, Outcome.NOT_EXECUTED)
    assert clear.problem is not None
    assert clear.problem.fault == "NOT_DECLARED"
    assert bench.writes() == ["seal 007"]


def test_clear_before_the_report_names_the_types_that_miss_it_and_writes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(JobKind.CLEAR)
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.REFUSED, Outcome.NOT_EXECUTED)
    assert job.problem is not None
    assert (job.problem.fault, job.problem.detail["types"]) == ("NOT_REPORTED", "007")
    assert bench.writes() == []


def test_settle_waits_for_the_return_and_goes_on_when_it_is_filed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    job = bench.run()
    assert job.state is JobState.WAITING
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault) == (WaitReason.DECLARATION, "NOT_DECLARED")
    assert bench.writes() == ["seal 007"]
    bench.file_return()
    judge.settled(bench, bench.run())


def test_a_waiting_job_leaves_the_device_without_a_session(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    assert bench.run().state is JobState.WAITING
    assert bench.device.session == ""


def test_settle_waits_while_the_comparison_of_the_return_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.bureau.file_return(TAXPAYER_ID, OCTOBER, DeclarationState.MISMATCH)
    job = bench.run()
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault) == (WaitReason.DECLARATION, "DECLARATION_MISMATCH")
    assert "比对不符" in job.wait.detail["bureau_text"]


def test_a_quarterly_filer_has_no_return_to_wait_for_in_october(tmp_path: Path) -> None:
    bench = Bench(tmp_path, bureau=BureauScenario(quarterly=(TAXPAYER_ID,)))
    bench.accept()
    judge.settled(bench, bench.run())


def test_a_month_sealed_by_another_program_is_submitted_where_the_bureau_has_no_report(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    world.seal_by_another_program(bench)
    bench.accept()
    bench.file_return()
    judge.watch(bench)
    judge.settled(bench, bench.run())
    seal = bench.job().run_of(step(Step.SEAL))
    assert seal is not None
    assert seal.note == "already"


def test_a_month_reported_by_another_program_is_a_success_with_a_note(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(JobKind.REPORT)
    bench.run()
    report = _another(bench, JobKind.REPORT)
    assert report.state is JobState.DONE
    assert [(str(run.id), run.note) for run in report.steps][1:] == [
        ("seal.007.2026-10", "already"),
        ("submit.007.2026-10", "already"),
    ]
    assert bench.writes() == ["seal 007"]


def test_two_months_of_which_another_program_sealed_the_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due("007", *BOTH),))
    world.seal_by_another_program(bench, SEPTEMBER)
    bench.accept(periods=BOTH)
    bench.file_return(*BOTH)
    judge.watch(bench)
    judge.settled(bench, bench.run())


@pytest.mark.parametrize("kinds", [(JobKind.SETTLE,), (JobKind.REPORT, JobKind.CLEAR)])
def test_a_type_that_is_new_on_the_device_does_not_miss_the_months_before_it(
    tmp_path: Path, kinds: tuple[JobKind, ...]
) -> None:
    bench = Bench(tmp_path, types=(due("007", *BOTH), due("025", OCTOBER)))  # 025 never had a September
    bench.file_return(*BOTH)
    for kind in kinds:
        bench.next_job()
        bench.accept(kind, periods=BOTH)
        job = bench.run()
        assert (job.state, job.problem) == (JobState.DONE, None)
    assert sorted(write.split()[0] for write in bench.writes()) == [
        *["apply_ticket"] * 2,
        *["clock_ticket"] * 2,
        *["seal"] * 3,
    ]


def test_what_is_settled_already_needs_no_window_and_no_second_write(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.run()
    bench.clock.now = dt.datetime(2026, 11, 28, 12, 0)  # after the filing window
    again = _another(bench, JobKind.SETTLE)
    assert (again.state, again.outcome) == (JobState.DONE, Outcome.EXECUTED)
    assert {run.note for run in again.steps if run.id.step in (Step.SEAL, Step.SUBMIT, Step.APPLY)} == {
        "already"
    }
    assert len(bench.writes()) == 3


def test_what_is_settled_already_does_not_wait_for_a_return(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.run()
    bench.bureau.file_return(TAXPAYER_ID, OCTOBER, DeclarationState.MISSING)
    assert _another(bench, JobKind.SETTLE).state is JobState.DONE


def test_a_settled_month_is_done_where_the_bureau_has_its_report_and_the_device_no_summary_any_more(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.run()
    world.remember(bench, summaries=())()
    assert _another(bench, JobKind.SETTLE).state is JobState.DONE


def test_cleared_already_is_no_success_where_the_bureau_has_no_report(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due(last_report=dt.date(2026, 10, 31), invoicing_deadline=DECEMBER),))
    bench.accept(JobKind.CLEAR)
    job = bench.run()
    assert (job.state, job.outcome) == (JobState.REFUSED, Outcome.NOT_EXECUTED)
    assert job.problem is not None
    assert job.problem.fault == "NOT_REPORTED"


def test_a_device_that_another_program_cleared_is_a_success_once_the_bureau_has_the_report(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.run()
    clear = _another(bench, JobKind.CLEAR)
    assert (clear.state, clear.outcome) == (JobState.DONE, Outcome.EXECUTED)
    apply = clear.run_of(step(Step.APPLY))
    assert apply is not None
    assert apply.note == "already"


def test_another_report_at_the_bureau_wants_a_person(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(JobKind.REPORT)
    bench.run()
    other = Bench(tmp_path / "other", types=(due(generate=None),))
    other.bureau = bench.bureau
    world.seal_by_another_program(other)
    other.accept()
    job = other.run()
    assert job.state is JobState.NEEDS_HUMAN
    assert job.problem is not None
    assert job.problem.fault == "STATE_DISAGREES"
    assert not job.done(step(Step.SUBMIT))
    assert other.writes() == ["seal 007"]


def test_a_part_of_the_devices_types_is_settled_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, types=(due("007"), due("004")))
    bench.accept(types=("004",))
    bench.file_return()
    judge.settled(bench, bench.run())
    assert bench.writes() == ["seal 004", "clock_ticket", "apply_ticket 004"]


@pytest.mark.parametrize("kind", [JobKind.CHECK, JobKind.BACKUP])
def test_check_and_backup_write_nothing_into_the_device(tmp_path: Path, kind: JobKind) -> None:
    bench = Bench(tmp_path)
    bench.accept(kind)
    assert bench.run().state is JobState.DONE
    assert bench.writes() == []


def test_a_job_under_the_standing_consent_is_held_to_what_its_first_run_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accept(confirmed=False)
    bench.run()
    world.moved(bench, invoicing_deadline=dt.date(2026, 11, 20))()
    bench.file_return()
    job = bench.run()
    assert job.state is JobState.NEEDS_HUMAN
    assert job.problem is not None
    assert job.problem.fault == "DEVICE_CHANGED"
    assert bench.writes() == ["seal 007"]


def _another(bench: Bench, kind: JobKind) -> Job:
    """Run another job of the same device to its end or wait."""
    bench.next_job()
    bench.accept(kind)
    return bench.run()
