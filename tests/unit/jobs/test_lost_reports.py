"""A job that ends while the answer to its report is lost: it is asked for first, else the end is unknown."""

from __future__ import annotations

import msgspec
import pytest

from taxagent.model.bureau import Receipt
from taxagent.model.device import DeviceState
from taxagent.model.errors import AgentError, AnswerLost, BureauDown, Refusal
from taxagent.model.job import JobKind, JobState, Outcome, Reading, Step, StepId
from taxagent.procedures.work import Work
from tests.builders.jobs import DEVICE_NO, SEAL, FakeDevice, House, period, sealing
from tests.builders.model import monitor

MINUTE, HOUR = 60_000, 3_600_000
SUBMIT = StepId(step=Step.SUBMIT, group=SEAL.group, period=SEAL.period)
RECEIPT = Receipt(
    receipt_no="R1",
    device_no=DEVICE_NO,
    group="007",
    period=period(),
    summary_sha256="5a" * 32,
    received_ms=1,
)
READ = Reading(
    state=DeviceState(
        hello=FakeDevice().hello(),
        info=FakeDevice().info(),
        clock=FakeDevice().clock(),
        monitor=(monitor(),),
    ),
    totals=(),
)


def plugged() -> House:
    house = House()
    house.plug()
    return house


def ends(house: House, job_id: str) -> tuple[JobState, Outcome]:
    job = house.job(job_id)
    return job.state, job.outcome


def sealed_and_report_lost(work: Work) -> None:
    """Seal, and lose the answer to the report."""
    work.ledger.state("before", READ)
    sealing()(work)
    with work.ledger.trying(SUBMIT, summary_sha256=RECEIPT.summary_sha256):
        raise AnswerLost("ANSWER_LOST")


@pytest.mark.parametrize(
    ("kind", "told", "state_then", "outcome"),
    [
        (JobKind.REPORT, BureauDown("BUREAU_DOWN"), JobState.REFUSED, Outcome.UNKNOWN),
        (JobKind.REPORT, RECEIPT, JobState.DONE, Outcome.EXECUTED),
        (JobKind.REPORT, None, JobState.REFUSED, Outcome.PARTLY_EXECUTED),
        (
            JobKind.REPORT,
            msgspec.structs.replace(RECEIPT, summary_sha256="00" * 32),
            JobState.REFUSED,
            Outcome.PARTLY_EXECUTED,
        ),
        (JobKind.SETTLE, BureauDown("BUREAU_DOWN"), JobState.REFUSED, Outcome.UNKNOWN),
        (JobKind.SETTLE, RECEIPT, JobState.REFUSED, Outcome.PARTLY_EXECUTED),
    ],
)
def test_a_report_whose_answer_was_lost_is_asked_for_before_its_window_ends_the_job(
    kind: JobKind, told: Receipt | AgentError | None, state_then: JobState, outcome: Outcome
) -> None:
    house = plugged()
    house.window_end_ms = house.clock.now_ms + HOUR
    house.procedure.script = [sealed_and_report_lost] + [BureauDown("BUREAU_DOWN")] * 100
    job_id = house.accepted(kind=kind)
    assert house.job(job_id).outcome is Outcome.UNKNOWN, "the report may be there"
    house.pass_time(2 * MINUTE)
    assert ends(house, job_id) == (JobState.WAITING, Outcome.UNKNOWN)
    house.answering.report = told
    house.pass_time(HOUR)
    assert ends(house, job_id) == (state_then, outcome)
    problem = house.job(job_id).problem
    assert (problem.fault if problem else "") == ("" if state_then is JobState.DONE else "WINDOW_CLOSED")


def test_a_report_whose_answer_was_lost_is_asked_for_before_a_refusal_ends_the_job() -> None:
    house = plugged()
    house.procedure.script = [sealed_and_report_lost, Refusal("TYPE_UNKNOWN")]
    house.answering.report = RECEIPT
    job_id = house.accepted(kind=JobKind.SETTLE)
    house.pass_time(MINUTE)
    assert ends(house, job_id) == (JobState.REFUSED, Outcome.PARTLY_EXECUTED)
    assert house.job(job_id).done(SUBMIT)
