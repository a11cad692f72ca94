"""The reader: sees what is durable, also while the writer writes, and writes nothing itself."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from taxagent.journal import JOURNAL_NAME, Reader, store
from taxagent.model.device import PasswordVerdict
from taxagent.model.errors import JournalBroken, Refusal
from taxagent.model.events import AgentReloaded, AgentStopped, ChallengeAnswered, replayed
from taxagent.ports import JournalTx
from tests.builders import journal as build

KEY = "key-of-the-answer-1"


def test_a_job_reads_as_its_events_make_it(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(*build.whole_job(1), build.accept(2), build.begun(2))
        for number in (1, 2):
            rows = reader.job_events(build.job_id(number))
            job = replayed(event for _, event in rows)
            assert reader.job(build.job_id(number)) == job
            assert reader.job_by_key("shop", job.key) == job
        assert [seq for seq, _ in reader.job_events(build.job_id(2))] == [8, 9]
        assert reader.job("01NONE") is None
        assert reader.job_by_key("other", build.accept(1).key) is None


def test_an_empty_key_finds_no_job(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.accept(1, key=""))
        assert reader.job_by_key("shop", "") is None


def answered(number: int, principal: str = "shop") -> ChallengeAnswered:
    return ChallengeAnswered(
        job_id=build.job_id(number), challenge_id=f"C{number}", principal=principal, key=KEY, at_ms=number
    )


def test_the_answer_of_a_key_is_found_also_after_its_job_has_ended(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.accept(1), answered(1), answered(1, "other"), build.ended(1))
        assert reader.answer_by_key("shop", KEY) == answered(1)
        assert reader.answer_by_key("other", KEY) == answered(1, "other")
        assert writer.transact(lambda tx: tx.answer_by_key("shop", KEY)) == answered(1)
        assert reader.answer_by_key("shop", build.accept(1).key) is None
        assert reader.job_by_key("shop", KEY) is None


def test_of_two_answers_that_an_early_agent_took_under_one_key_the_first_counts(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.accept(1), build.accept(2), answered(1), answered(2))
        assert reader.answer_by_key("shop", KEY) == answered(1)
        reader.verify_projections()


def test_a_unit_that_is_undone_leaves_its_answers_key_free(tmp_path: Path) -> None:
    def undone(tx: JournalTx) -> None:
        tx.append(answered(1))
        assert tx.answer_by_key("shop", KEY) == answered(1)
        raise Refusal("CHALLENGE_OVER")

    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.accept(1))
        with pytest.raises(Refusal):
            writer.transact(undone)
        assert reader.answer_by_key("shop", KEY) is None


def test_jobs_come_newest_first_in_pages(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        for number in range(1, 6):
            writer.append(build.accept(number))
        writer.append(build.ended(2), build.ended(5))
        first = reader.jobs(limit=2)
        assert [job.job_id for job in first] == [build.job_id(5), build.job_id(4)]
        rest = reader.jobs(before=first[-1].job_id, limit=10)
        assert [job.job_id for job in rest] == [build.job_id(n) for n in (3, 2, 1)]
        assert [job.job_id for job in reader.jobs(live=True)] == [build.job_id(n) for n in (4, 3, 1)]
        of_one = reader.jobs(device_no=build.accept(3).scope.device_no)
        assert [job.job_id for job in of_one] == [build.job_id(3)]
        assert reader.jobs(device_no=build.accept(2).scope.device_no, live=True) == []


def test_events_come_oldest_first_after_a_seq(tmp_path: Path) -> None:
    events = build.varied()
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        assert reader.last_seq() == 0
        writer.append(*events)
        assert reader.events(3, 4) == list(enumerate(events, 1))[3:7]
        assert reader.events(len(events), 10) == []
        assert reader.last_seq() == len(events)


def test_a_record_is_kept_as_its_bytes(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(build.accept(1))
        assert reader.record(build.job_id(1)) is None
        writer.append(build.ended(1))
        assert reader.record(build.job_id(1)) == bytes(build.ended(1).record)


def test_the_last_refused_password_of_a_device_is_remembered(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        assert reader.passwords(build.DEVICE_NO) == []
        tries = [build.tried(PasswordVerdict.TRYING), build.tried(), build.tried(sha256="0c" * 32)]
        writer.append(*tries)
        assert list(reader.passwords(build.DEVICE_NO)) == [tries[1].tried, tries[2].tried]


def test_readers_in_many_threads_see_whole_commits_while_the_writer_writes(tmp_path: Path) -> None:
    """Each unit adds a pair of rows: no reader may ever see half of one."""
    failures: list[object] = []
    written = threading.Event()

    def read(reader: Reader) -> None:
        while not written.is_set():
            seq = reader.last_seq()
            if seq % 2 or len(reader.events(0, 1000)) < seq or reader.verify().rows < seq:
                failures.append(seq)

    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        threads = [threading.Thread(target=read, args=(reader,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 151):
            writer.append(build.accept(number), build.running(number))
        written.set()
        for thread in threads:
            thread.join(build.LIMIT_S)
        assert failures == []
        assert reader.verify().rows == 300


def test_a_reading_connection_cannot_write(tmp_path: Path) -> None:
    with (
        build.journal(tmp_path),
        closing(store.opened_to_read(tmp_path / JOURNAL_NAME)) as db,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        db.execute("DELETE FROM password")


def test_a_closed_journal_is_read_where_no_lock_can_be_kept(tmp_path: Path) -> None:
    """A read-only medium; here the place of SQLite's log is taken, which stops root as well."""
    with build.journal(tmp_path) as writer:
        writer.append(*build.varied())
    (tmp_path / f"{JOURNAL_NAME}-wal").mkdir()
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == len(build.varied())


def test_a_log_that_was_left_behind_is_read_without_shared_memory(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(build.started())
        for name in (JOURNAL_NAME, f"{JOURNAL_NAME}-wal"):
            (tmp_path / "copy").mkdir(exist_ok=True)
            (tmp_path / "copy" / name).write_bytes((tmp_path / name).read_bytes())
    (tmp_path / "copy" / f"{JOURNAL_NAME}-shm").mkdir()
    with build.reading(tmp_path / "copy") as reader:
        assert reader.verify().rows == 1


def test_a_check_tells_its_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        for number in range(0, 1200, 100):
            writer.append(*(build.accept(n) for n in range(number, number + 100)))
        reader.verify(lambda done, rows: seen.append((done, rows)))
    assert seen == [(1000, 1200), (1200, 1200)]


def test_a_snapshot_of_a_live_journal_verifies_and_is_a_whole_journal(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    target = tmp_path / "copy" / JOURNAL_NAME
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        writer.append(*build.varied())
        verified = reader.snapshot(target)
        writer.append(build.started())
        assert verified.rows == len(build.varied())
        assert reader.journal_id() == verified.journal_id
        with pytest.raises(FileExistsError):
            reader.snapshot(target)
    assert target.stat().st_mode & 0o077 == 0
    with build.reading(tmp_path / "copy") as copy:
        copy.verify_projections()
    with build.journal(tmp_path / "copy") as writer:  # a restored journal goes on
        assert writer.append(build.started()) == verified.last_seq + 1


def test_a_snapshot_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with build.journal(tmp_path), build.reading(tmp_path) as reader, pytest.raises(FileNotFoundError):
        reader.snapshot(tmp_path / "missing" / "copy.db")


def test_a_start_without_the_stop_before_it_followed_a_crash(tmp_path: Path) -> None:
    stopped = AgentStopped(at_ms=1, boot="boot-1", reason="drained")
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        assert not reader.crashed()
        writer.append(build.started(), build.accept(1))
        assert reader.crashed()
        writer.append(AgentReloaded(at_ms=1, boot="boot-1"))
        assert reader.crashed()
        writer.append(stopped)
        assert not reader.crashed()


def test_the_newest_rows_are_verified_alone_where_a_look_has_to_be_quick(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer, build.reading(tmp_path) as reader:
        assert reader.verify_last(5) == (0, 0)
        writer.append(*build.whole_job(1), build.accept(2), build.begun(2))
        every = reader.last_seq()
        assert reader.verify_last(3) == (3, every)
        assert reader.verify_last(1000) == (every, every)
        assert reader.schema() >= 1


def test_a_changed_row_among_the_newest_is_found_and_an_older_one_is_not_looked_at(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(*build.whole_job(1), build.accept(2), build.begun(2))
    with closing(sqlite3.connect(tmp_path / JOURNAL_NAME)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE event SET body = replace(body, '2', '3') WHERE seq = 2")
        db.commit()
    with build.reading(tmp_path) as reader:
        with pytest.raises(JournalBroken):
            reader.verify_last(1000)
        assert reader.verify_last(3)[0] == 3
