"""Events: stored bytes read back as the same event, and what each does to a job."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.checks import made
from taxagent.model.events import (
    AnyEvent,
    AnyJobEvent,
    BackupWritten,
    CancelRequested,
    CheckMade,
    JobAccepted,
    JobEnded,
    JobNeedsHuman,
    JobUnknown,
    StateRead,
    StepBegun,
    StepEnded,
    TicketStored,
    applied,
    decode_event,
    encode_event,
    replayed,
)
from taxagent.model.job import Backup, Job, JobState, Outcome, Step, StepId
from taxagent.model.period import Period
from tests.builders.journal import (
    AT_MS,
    SEAL,
    accept,
    begun,
    ended,
    ended_step,
    job_id,
    problem,
    running,
    seen_state,
    ticket,
    varied,
    waiting,
    whole_job,
)

AT: dict[str, Any] = {"at_ms": AT_MS + 5, "job_id": job_id(1)}


@pytest.mark.parametrize("event", varied(), ids=lambda event: type(event).__name__)
def test_stored_bytes_read_back_as_the_same_event(event: AnyEvent) -> None:
    assert decode_event(encode_event(event)) == event


def test_every_type_of_event_was_tried() -> None:
    types = {t for union in get_args(AnyEvent) for t in (get_args(union) or (union,))}
    assert {type(event) for event in varied()} == types


def test_a_stored_event_says_what_it_is() -> None:
    assert json.loads(encode_event(running()))["event"] == "job.running"


def test_an_event_of_another_version_is_an_error_not_a_guess() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_event(b'{"event":"job.teleported","at_ms":1}')


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    newer = {**json.loads(encode_event(running())), "mood": "good"}
    assert decode_event(json.dumps(newer).encode()) == running()


def after(*events: AnyJobEvent) -> Job:
    return replayed([accept(), *events])


def test_a_whole_job_ends_done_with_its_step() -> None:
    job = replayed([event for event in whole_job() if isinstance(event, AnyJobEvent)])
    assert (job.state, job.outcome, job.ended_ms) == (JobState.DONE, Outcome.EXECUTED, AT_MS)
    assert job.state.ended
    assert job.done(SEAL)
    assert job.wait is None


def test_an_accept_makes_a_job_with_nothing_done() -> None:
    job = after()
    assert (job.state, job.outcome, job.steps, job.wait) == (
        JobState.ACCEPTED,
        Outcome.NOT_EXECUTED,
        (),
        None,
    )
    assert not job.state.ended


def test_a_begun_step_is_unknown_and_open_until_its_end() -> None:
    job = after(running(), begun())
    run = job.run_of(SEAL)
    assert run is not None
    assert (run.outcome, run.ended_ms) == (Outcome.UNKNOWN, None)
    assert job.open_steps == (run,)
    assert not applied(job, ended_step()).open_steps


def test_the_end_of_a_step_keeps_its_begin_its_baseline_and_its_facts() -> None:
    start = StepBegun(**AT, id=SEAL, baseline=begun().baseline, facts={"ticket_no": "T-1", "deadline": "?"})
    end = StepEnded(
        **AT, id=SEAL, outcome=Outcome.EXECUTED, note="reconciled", facts={"deadline": "2026-12-15"}
    )
    (run,) = after(start, msgspec.structs.replace(end, at_ms=AT_MS + 9)).steps
    assert (run.begun_ms, run.ended_ms, run.note) == (AT_MS + 5, AT_MS + 9, "reconciled")
    assert run.baseline == begun().baseline
    assert run.facts == {"ticket_no": "T-1", "deadline": "2026-12-15"}


def test_an_end_without_a_begin_is_a_step_that_was_found_done() -> None:
    (run,) = after(StepEnded(**AT, id=SEAL, outcome=Outcome.EXECUTED, note="already")).steps
    assert run.begun_ms == run.ended_ms == AT_MS + 5
    assert not run.wrote


def test_a_step_that_is_begun_again_is_unknown_again_and_stands_once() -> None:
    refused = StepEnded(**AT, id=SEAL, outcome=Outcome.NOT_EXECUTED)
    job = after(begun(), refused, begun())
    assert [run.outcome for run in job.steps] == [Outcome.UNKNOWN]


def test_steps_of_other_groups_and_months_are_other_steps() -> None:
    other = StepId(step=Step.SEAL, group="004", period="2026-10")
    job = after(ended_step(), StepBegun(**AT, id=other))
    assert job.done(SEAL)
    assert not job.done(other)
    assert len(job.steps) == 2


def test_a_wait_ends_when_the_job_runs_again() -> None:
    assert after(waiting()).state is JobState.WAITING
    assert after(waiting(), running()).wait is None


def test_an_unknown_or_disagreeing_job_says_why_until_it_runs_again() -> None:
    for event, state in (
        (JobUnknown(**AT, problem=problem()), JobState.UNKNOWN),
        (JobNeedsHuman(**AT, problem=problem()), JobState.NEEDS_HUMAN),
    ):
        job = after(waiting(), event)
        assert (job.state, job.problem, job.wait) == (state, problem(), None)
        assert applied(job, running()).problem is None


def test_a_cancel_is_remembered_and_changes_no_state() -> None:
    job = after(running(), CancelRequested(**AT, principal="shop"))
    assert job.cancel_requested
    assert job.state is JobState.RUNNING


def test_a_later_ticket_of_the_group_supersedes_the_earlier_and_leaves_other_groups_alone() -> None:
    first, fresh = ticket(), msgspec.structs.replace(ticket(), ticket_no="T-2")
    job = after(
        TicketStored(**AT, group="007", ticket=first),
        TicketStored(**AT, group="004", ticket=first),
        TicketStored(**AT, group="007", ticket=fresh),
    )
    assert job.ticket_of("007") == fresh
    assert job.ticket_of("004") == first
    assert job.ticket_of("005") is None


def test_the_first_reading_before_and_the_last_one_after_count() -> None:
    early, late = seen_state(), msgspec.structs.replace(seen_state(), findings=(problem(),))
    job = after(
        *(StateRead(**AT, when=when, reading=r) for when in ("before", "after") for r in (early, late))
    )
    assert (job.before, job.after) == (early, late)


def test_the_lines_of_the_last_look_stand() -> None:
    first, again = made("clock", "CLOCK_CLOSE", seconds="3"), made("clock", "CLOCK_OFF", seconds="300")
    job = after(CheckMade(**AT, lines=(first,)), CheckMade(**AT, lines=(again,)))
    assert job.lines == (again,)


def test_back_ups_add_up() -> None:
    one = Backup(period=Period("2026-10"), path="/a.zip", sha256="aa" * 32, before=Step.SEAL)
    two = msgspec.structs.replace(one, path="/b.zip", before=Step.TICKET)
    assert after(BackupWritten(**AT, backup=one), BackupWritten(**AT, backup=two)).backups == (one, two)


def test_a_job_begins_with_its_accept() -> None:
    orders: list[list[AnyJobEvent]] = [[], [running()], [running(), accept()]]
    for events in orders:
        with pytest.raises(ValueError, match="accept"):
            replayed(events)


@given(st.lists(st.sampled_from([e for e in varied() if isinstance(e, AnyJobEvent)]), max_size=30))
def test_any_order_of_events_makes_a_job_and_the_same_one_each_time(events: list[AnyJobEvent]) -> None:
    job = replayed([accept(), *events])
    assert job == replayed([accept(), *(decode_event(encode_event(e)) for e in events)])  # type: ignore[list-item]
    assert len({run.id for run in job.steps}) == len(job.steps)


def test_what_an_end_says_is_what_the_job_says() -> None:
    end = msgspec.structs.replace(
        ended(), state=JobState.REFUSED, outcome=Outcome.PARTLY_EXECUTED, problem=problem()
    )
    job = after(running(), waiting(), end)
    assert isinstance(end, JobEnded)
    assert (job.state, job.outcome, job.problem, job.record_sha256, job.wait) == (
        JobState.REFUSED,
        Outcome.PARTLY_EXECUTED,
        problem(),
        end.record_sha256,
        None,
    )


def test_dates_in_a_stored_event_are_iso() -> None:
    baseline = json.loads(encode_event(begun()))["baseline"]
    assert dt.date.fromisoformat(baseline["last_report"]) == dt.date(2026, 9, 30)
    assert isinstance(accept(), JobAccepted)
