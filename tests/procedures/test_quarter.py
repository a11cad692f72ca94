"""A quarter: its open months are closed one by one, one return is waited for, one clear settles them all."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from taxagent.model.job import JobState, Step, StepId, WaitReason
from taxagent.model.known import Cycle, filed_with
from taxagent.model.period import Period
from taxagent.simulator.bureau_register import BureauScenario
from tests.builders import world
from tests.builders.scenario import TAXPAYER_ID
from tests.builders.work import Bench

QUARTER = (Period("2026-07"), Period("2026-08"), Period("2026-09"))


def quarter(folder: Path) -> Bench:
    """July is settled; August and September are open (three open months would be more than 90 days)."""
    open_months = world.due("007", *QUARTER[1:], invoicing_deadline=dt.date(2026, 9, 15))
    bench = Bench(
        folder,
        now=dt.datetime(2026, 10, 12, 12, 0),
        types=(open_months,),
        bureau=BureauScenario(quarterly=(TAXPAYER_ID,)),
    )
    bench.accept(periods=QUARTER)
    return bench


def test_only_the_quarters_last_month_has_a_return_to_wait_for(tmp_path: Path) -> None:
    bench = quarter(tmp_path)
    job = bench.run()
    assert job.wait is not None
    assert (job.wait.reason, job.wait.detail["period"]) == (WaitReason.DECLARATION, "2026-09")
    notes = {
        month: run.note
        for month in QUARTER
        if (run := job.run_of(StepId(step=Step.DECLARATION, period=month))) is not None
    }
    assert notes == {"2026-08": "not_due"}


def test_one_return_and_one_clear_settle_the_quarter(tmp_path: Path) -> None:
    bench = quarter(tmp_path)
    bench.file_return(QUARTER[-1])
    assert bench.run_to_the_end().state is JobState.DONE
    assert bench.writes() == ["seal 007", "seal 007", "clock_ticket", "apply_ticket 007"]


def test_a_month_is_filed_with_the_last_one_of_its_quarter() -> None:
    assert [filed_with(Period(f"2026-{month:02d}"), Cycle.QUARTER)[5:] for month in range(1, 13)] == [
        *["03"] * 3,
        *["06"] * 3,
        *["09"] * 3,
        *["12"] * 3,
    ]
    assert filed_with(Period("2026-07"), Cycle.MONTH) == "2026-07"
