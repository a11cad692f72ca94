"""The live jobs in memory are what the committed rows make of them."""

from __future__ import annotations

import msgspec

from taxagent.jobs.book import Book
from taxagent.model.events import JobEvent
from taxagent.model.job import JobState
from tests.builders import journal as rows


def test_rows_make_a_job_and_move_it_until_its_end() -> None:
    book = Book()
    states = [job.state for event in rows.whole_job() if (job := book.take(event)) is not None]
    assert states[0] is JobState.ACCEPTED
    assert states[-1] is JobState.DONE
    assert book.live() == ()


def test_a_job_that_ended_lately_can_still_be_asked_for() -> None:
    book = Book()
    for event in rows.whole_job():
        book.take(event)
    ended = book.get(rows.job_id())
    assert ended is not None
    assert ended.state is JobState.DONE


def test_the_memory_of_ended_jobs_is_bounded() -> None:
    book = Book()
    for number in range(1100):
        for event in (rows.accept(number), rows.ended(number)):
            book.take(event)
    assert book.get(rows.job_id(0)) is None
    assert book.get(rows.job_id(1099)) is not None


def test_what_is_no_job_or_no_known_one_moves_nothing() -> None:
    book = Book()
    assert [book.take(event) for event in (rows.started(), rows.token(), rows.running(7))] == [None] * 3
    assert book.get(rows.job_id(7)) is None


def test_the_jobs_of_the_last_boot_are_there_oldest_first() -> None:
    made = Book()
    jobs = [made.take(rows.accept(number)) for number in (2, 1, 3)]
    book = Book(job for job in jobs if job is not None)
    assert [job.job_id for job in book.live()] == [rows.job_id(number) for number in (1, 2, 3)]
    waiting = rows.waiting(2)
    assert isinstance(waiting, JobEvent)
    book.take(waiting)
    assert [job.job_id for job in book.waiting()] == [rows.job_id(2)]
    assert msgspec.json.encode(book.live()[0])
