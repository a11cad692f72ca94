"""Main and sub machines: a settled machine waits for the reports of the others, and names them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Op
from taxagent.model.bureau import DeclarationState
from taxagent.model.job import Job, JobKind, JobState, Outcome, WaitReason
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_register import BureauScenario, Registration
from taxagent.simulator.bureau_requests import Request
from taxagent.simulator.bureau_state import BureauStore
from tests.builders.bureau import sealed_report
from tests.builders.scenario import DEVICE_NO, OCTOBER, TAXPAYER_ID
from tests.builders.work import Bench

SUB = "661700000077"
TWO_MACHINES = BureauScenario(
    devices=(
        Registration(device_no=DEVICE_NO, taxpayer_id=TAXPAYER_ID),
        Registration(device_no=SUB, taxpayer_id=TAXPAYER_ID, terminal_no=1),
    )
)


def bench_of(folder: Path) -> Bench:
    return Bench(folder, bureau=TWO_MACHINES)


def the_sub_machine_reports(bench: Bench) -> None:
    report = sealed_report(device_no=SUB, taxpayer_id=TAXPAYER_ID)
    body = m.ReportBody(taxpayer_id=TAXPAYER_ID, summary=report.summary, terminal_no=1)
    request = Request(
        op=Op.REPORT_PUT,
        device_no=SUB,
        group="007",
        period=OCTOBER,
        key="ab" * 32,
        body=msgspec.json.encode(body),
    )
    assert bench.bureau.reply(request).status == 200


def waited_for(job: Job) -> tuple[str, str, str]:
    assert job.state is JobState.WAITING
    assert job.wait is not None
    assert job.wait.reason is WaitReason.DECLARATION
    return job.wait.fault, job.wait.detail["machines"], job.wait.detail["period"]


def test_settle_reports_then_waits_for_the_other_machine_by_its_number(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    bench.accept()
    job = bench.run()
    assert waited_for(job) == ("MACHINE_NOT_REPORTED", f"#1 {SUB}", OCTOBER)
    assert job.outcome_so_far is Outcome.PARTLY_EXECUTED
    assert bench.writes() == ["seal 007"]


def test_once_it_has_reported_the_job_waits_for_the_return_and_then_goes_on(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    bench.accept()
    bench.run()
    the_sub_machine_reports(bench)
    job = bench.run()
    assert job.wait is not None
    assert job.wait.fault == "NOT_DECLARED"
    bench.file_return()
    assert bench.run().state is JobState.DONE


def test_a_ticket_that_the_bureau_refuses_for_it_is_waited_for_likewise(tmp_path: Path) -> None:
    """The return was taken, then a machine was issued that has to report."""
    bench = Bench(tmp_path)
    bench.accept()
    bench.file_return()
    bench.bureau = VirtualBureau(BureauStore(tmp_path / "bureau"), TWO_MACHINES, bench.clock)
    assert waited_for(bench.run()) == ("MACHINE_NOT_REPORTED", f"#1 {SUB}", OCTOBER)
    the_sub_machine_reports(bench)
    assert bench.run().state is JobState.DONE


def test_a_clear_is_refused_and_names_the_machine(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    bench.accept(JobKind.REPORT)
    assert bench.run().state is JobState.DONE
    bench.next_job()
    bench.accept(JobKind.CLEAR)
    job = bench.run()
    assert job.state is JobState.REFUSED
    assert job.problem is not None
    assert job.problem.fault == "MACHINE_NOT_REPORTED"
    assert job.problem.detail["machines"] == f"#1 {SUB}"


def test_a_return_that_does_not_match_is_told_before_the_machines(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    bench.bureau.file_return(TAXPAYER_ID, OCTOBER, DeclarationState.MISMATCH)
    bench.accept()
    job = bench.run()
    assert job.wait is not None
    assert job.wait.fault == "DECLARATION_MISMATCH"


def test_the_report_says_which_machine_it_is_from(tmp_path: Path) -> None:
    bench = Bench(tmp_path, terminal_no=3)
    bench.accept()
    bench.run()
    known = bench.bureau.memory.machines[DEVICE_NO]
    assert (known.terminal_no, known.device_kind) == (3, "control_disk")
