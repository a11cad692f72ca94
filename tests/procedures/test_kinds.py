"""Every kind by the same work: whole groups, the oldest month first, one clear, a seal that takes time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from taxagent.model.device import QUIRKS, DeviceKind, MonitorData
from taxagent.model.errors import AnswerLost
from taxagent.model.job import JobKind, JobState, Outcome, Step
from taxagent.model.period import Period
from taxagent.ports import Device
from tests.builders import judge
from tests.builders.driven import GROUPS, DrivenBench
from tests.builders.scenario import OCTOBER
from tests.builders.tap import raising
from tests.builders.work import SEPTEMBER
from tests.builders.work_ports import ModelDevice
from tests.builders.world import moved, remember

BOTH = (SEPTEMBER, OCTOBER)
each_kind = pytest.mark.parametrize("kind", list(DeviceKind))


def bench_of(folder: Path, kind: DeviceKind, periods: tuple[Period, ...] = (OCTOBER,)) -> DrivenBench:
    bench = DrivenBench(folder, kind, periods)
    bench.accept(periods=periods)
    bench.file_return(*periods)
    judge.watch(bench)
    return bench


@each_kind
def test_two_closed_months_are_sealed_oldest_first_and_cleared_once(tmp_path: Path, kind: DeviceKind) -> None:
    bench = bench_of(tmp_path, kind, BOTH)
    judge.settled(bench, bench.run())
    sealed = [line for line in bench.writes() if line.startswith("seal")]
    assert sealed == [f"seal {group}" for _ in BOTH for group in GROUPS[kind]]
    afterwards = [line for line in bench.writes() if not line.startswith("seal")]
    clock = ["clock_ticket"] if QUIRKS[kind].clock_ticket_first else []
    assert afterwards == [line for group in GROUPS[kind] for line in (*clock, f"apply_ticket {group}")]


@each_kind
def test_one_back_up_a_month_and_step_has_all_types(tmp_path: Path, kind: DeviceKind) -> None:
    bench = bench_of(tmp_path, kind, BOTH)
    job = bench.run()
    assert [(backup.before, backup.period) for backup in job.backups] == [
        (Step.SEAL, SEPTEMBER),
        (Step.SEAL, OCTOBER),
        (Step.TICKET, SEPTEMBER),
        (Step.TICKET, OCTOBER),
    ]


@each_kind
def test_the_record_has_every_type_before_and_after(tmp_path: Path, kind: DeviceKind) -> None:
    bench = bench_of(tmp_path, kind)
    bench.run()
    record = bench.record()
    assert [row.invoice_type for row in record.types] == list(bench.types)
    october = "2026-10-31" if QUIRKS[kind].last_report_inclusive else "2026-11-01"
    assert {str(row.last_report_after) for row in record.types} == {october}
    assert {str(row.invoicing_deadline_after) for row in record.types} == {"2026-12-15"}
    assert {ticket.group for ticket in record.tickets} == set(GROUPS[kind])


@each_kind
def test_report_and_clear_apart_come_to_the_same(tmp_path: Path, kind: DeviceKind) -> None:
    bench = DrivenBench(tmp_path, kind)
    bench.accept(JobKind.REPORT)
    bench.file_return()
    assert bench.run().state is JobState.DONE
    assert bench.writes() == [f"seal {group}" for group in GROUPS[kind]]
    bench.next_job()
    bench.accept(JobKind.CLEAR)
    assert (bench.run().state, bench.job().outcome) == (JobState.DONE, Outcome.EXECUTED)
    assert [line for line in bench.writes() if line.startswith("apply")] == [
        f"apply_ticket {group}" for group in GROUPS[kind]
    ]


@each_kind
def test_a_clear_before_the_report_names_all_types_of_the_group(tmp_path: Path, kind: DeviceKind) -> None:
    bench = DrivenBench(tmp_path, kind)
    bench.accept(JobKind.CLEAR)
    job = bench.run()
    assert job.state is JobState.REFUSED
    assert job.problem is not None
    assert job.problem.fault == "NOT_REPORTED"
    assert job.problem.detail["types"] == ", ".join(bench.types)
    assert bench.writes() == []


@each_kind
def test_what_is_done_already_is_a_success_with_a_note(tmp_path: Path, kind: DeviceKind) -> None:
    bench = bench_of(tmp_path, kind)
    bench.run()
    before = bench.writes()
    bench.next_job()
    bench.accept()
    assert bench.run().state is JobState.DONE
    assert bench.writes() == before
    assert {run.note for run in bench.job().steps if run.id.step in (Step.SEAL, Step.APPLY)} == {"already"}


@each_kind
def test_what_changed_since_the_confirmation_stops_the_work_on_that_group(
    tmp_path: Path, kind: DeviceKind
) -> None:
    bench = bench_of(tmp_path, kind)
    moved(bench, GROUPS[kind][-1], invoicing_deadline=dt.date(2026, 11, 20))()
    job = bench.run()
    assert job.state is JobState.NEEDS_HUMAN
    assert job.problem is not None
    assert (job.problem.fault, job.problem.detail["what"]) == (
        "DEVICE_CHANGED",
        "dates",
    )
    assert job.problem.detail["invoice_type"] in GROUPS[kind][-1]
    assert bench.writes() == [f"seal {group}" for group in GROUPS[kind][:-1]]


def test_a_group_that_has_other_types_than_were_confirmed_is_not_touched(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, DeviceKind.GOLDEN_DISK)
    (pair, alone) = bench.device.memory.groups
    apart = (replace(pair, group="004"), replace(pair, group="007"), alone)
    remember(bench, groups=apart)()
    problem = bench.run().problem
    assert problem is not None
    assert (problem.fault, problem.detail["what"], problem.detail["found"]) == (
        "DEVICE_CHANGED",
        "types_changed",
        "004",
    )
    assert bench.writes() == []


def test_a_group_whose_types_do_not_stand_alike_is_not_touched(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, DeviceKind.UKEY)
    bench.adapter = lambda: cast("ModelDevice", Uneven(bench.driver()))
    problem = bench.run().problem
    assert problem is not None
    assert (problem.fault, problem.detail["what"]) == ("STATE_DISAGREES", "group_differs")
    assert bench.writes() == []


class Uneven:
    """A device whose last type shows another deadline than the others of its group."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def monitor(self) -> tuple[MonitorData, ...]:
        *others, last = self._device.monitor()
        return (*others, replace(last, invoicing_deadline=dt.date(2026, 11, 20)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)


@pytest.mark.parametrize("place", ["before reading", "after reading", "settling"])
def test_a_ukeys_seal_whose_answer_is_lost_anywhere_is_done_once(tmp_path: Path, place: str) -> None:
    bench = bench_of(tmp_path, DeviceKind.UKEY)
    bench.tap.on(place, raising(AnswerLost("ANSWER_LOST")))
    job = bench.run()
    assert job.state is JobState.UNKNOWN or job.state.ended
    judge.settled(bench, bench.run_to_the_end())
