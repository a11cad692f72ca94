"""What is counted: ended jobs by cause, successes, and for how long a job has been stuck."""

from __future__ import annotations

import datetime as dt

from taxagent.jobs.book import Book
from taxagent.metrics.tally import Tally
from taxagent.model.events import JobUnknown
from taxagent.model.job import Job
from tests.builders.jobs import FakeClock
from tests.builders.journal import accept, ended, job_id, problem, running

FILING = dt.date(2026, 11, 16)


def test_an_ended_job_is_counted_once_by_its_cause_and_its_success_is_remembered() -> None:
    clock, book = FakeClock(), Book()
    tally = Tally(clock, "1.0")
    for event in (accept(), running(), ended()):
        tally.take(event, book.take(event))
    picture = tally.picture((), book.live(), FILING)
    last = ended()
    cause = last.problem.fault if last.problem else ""
    assert picture.ended == (((accept().kind.value, last.outcome.value, cause), 1),)
    assert dict(picture.succeeded).get(accept().kind.value) == (
        last.at_ms / 1000 if last.state.value == "done" else None
    )


def test_the_age_of_an_unknown_job_begins_with_its_row_also_after_a_restart() -> None:
    clock, book = FakeClock(), Book()
    before = Tally(clock, "1.0")
    lost = JobUnknown(job_id=job_id(), problem=problem(), at_ms=clock.utc_ms() - 90_000)
    moved: Job | None = None
    for event in (accept(), running(), lost):
        moved = book.take(event)
        before.take(event, moved)
    assert before.picture((), book.live(), FILING).unknown_s == 90.0
    assert moved is not None
    after = Tally(clock, "1.0")
    after.earlier([moved], {moved.job_id: lost.at_ms})
    picture = after.picture((), book.live(), FILING)
    assert (picture.unknown_s, picture.needs_human_s) == (90.0, 0.0)
    assert dict(picture.live)["unknown"] == 1
