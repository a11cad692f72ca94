"""While a job does not know what became of its write, no other job writes on that device."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.model.errors import AgentError
from taxagent.model.job import JobKind, JobState, Outcome, WaitReason
from tests.builders.scenario import type_007
from tests.builders.work import Bench


def test_no_other_job_writes_while_a_step_on_the_device_is_open(tmp_path: Path) -> None:
    """Eight writes of another job would push the proof of the first one's seal out of the device's memory."""
    bench = Bench(tmp_path, types=(type_007(), type_007(invoice_type="004")))
    first = bench.job_id
    bench.accept(JobKind.REPORT, types=bench.types[:1])
    bench.adapter = bench.losing_answers("seal")
    assert bench.run().state is JobState.UNKNOWN
    bench.adapter = bench.this_device
    bench.next_job()
    bench.accept(JobKind.REPORT, types=bench.types[1:])
    other = bench.run()
    assert other.wait is not None
    assert (other.wait.reason, other.wait.fault) == (WaitReason.DEVICE_IN_USE, "STEP_OPEN_ELSEWHERE")
    assert other.wait.detail["job_id"] == first
    with pytest.raises(AgentError):
        bench.this_device().clock()  # its session was closed
    assert len(bench.writes()) == 1

    bench.number = 1
    assert bench.run().state is JobState.DONE
    bench.number = 2
    done = bench.run()
    assert (done.state, done.outcome) == (JobState.DONE, Outcome.EXECUTED)
    assert len(bench.writes()) == 2
