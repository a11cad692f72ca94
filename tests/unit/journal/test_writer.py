"""The journal's writer: what is acknowledged is durable, what is refused leaves nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import SimpleQueue

import pytest

from taxagent.journal import JOURNAL_NAME, JournalWriter
from taxagent.model.errors import (
    AgentError,
    ClaimTaken,
    Interrupted,
    KeyTaken,
    Refusal,
    TokenSpent,
)
from taxagent.model.job import JobState
from taxagent.ports import JournalTx
from tests.builders import journal as build


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        assert writer.append(*build.whole_job(1)) == 7
    with build.journal(tmp_path) as writer:
        assert writer.append(build.accept(2)) == 8
    with build.reading(tmp_path) as reader:
        done = reader.job(build.job_id(1))
        assert done is not None
        assert done.state is JobState.DONE
        assert [event for _, event in reader.events(0, 100)] == [*build.whole_job(1), build.accept(2)]
        assert reader.verify().rows == 8


def test_a_unit_reads_what_it_appended_before(tmp_path: Path) -> None:
    def work(tx: JournalTx) -> None:
        tx.append(build.accept(1))
        found = tx.job_by_key("shop", build.accept(1).key)
        assert found is not None
        assert found[0].job_id == build.job_id(1)
        assert found[1] == build.accept(1).request_sha256
        assert tx.claimed_by(build.accept(1).scope.device_no, "007", "2026-10") == build.job_id(1)
        tx.append(build.running(1))
        job = tx.job(build.job_id(1))
        assert job is not None
        assert job.state is JobState.RUNNING

    with build.journal(tmp_path) as writer:
        writer.transact(work)


def test_what_a_unit_raises_undoes_its_rows_and_reaches_its_caller(tmp_path: Path) -> None:
    def work(tx: JournalTx) -> None:
        tx.append(build.accept(1))
        raise LookupError("the desk changed its mind")

    heard = build.Heard()
    with build.journal(tmp_path, heard) as writer:
        with pytest.raises(LookupError, match="changed its mind"):
            writer.transact(work)
        assert writer.append(build.accept(1)) == 1
    assert heard.seqs == [1]


def test_a_claim_is_taken_until_its_job_ends(tmp_path: Path) -> None:
    rival = build.accept(2, scope=build.accept(1).scope)
    with build.journal(tmp_path) as writer:
        writer.append(build.accept(1))
        with pytest.raises(ClaimTaken) as refused:
            writer.append(rival)
        assert (refused.value.fault, refused.value.job_id) == ("JOB_IN_PROGRESS", build.job_id(1))
        writer.append(build.ended(1))
        writer.append(rival)


def test_a_key_belongs_to_its_job_for_ever(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(build.accept(1), build.ended(1))
        with pytest.raises(KeyTaken) as refused:
            writer.append(build.accept(2, key=build.accept(1).key))
        assert (refused.value.fault, refused.value.job_id) == ("KEY_CONFLICT", build.job_id(1))
        writer.append(build.accept(2, key=build.accept(1).key, principal="other"))


def test_a_token_is_redeemed_once(tmp_path: Path) -> None:
    issued = build.token()
    with build.journal(tmp_path) as writer:
        with pytest.raises(TokenSpent) as refused:
            writer.append(build.accept(1, token_sha256=issued.token_sha256))
        assert refused.value.fault == "TOKEN_INVALID"
        writer.append(issued)
        assert writer.transact(lambda tx: tx.token(issued.token_sha256)) == issued
        writer.append(build.accept(1, token_sha256=issued.token_sha256))
        assert writer.transact(lambda tx: tx.token(issued.token_sha256)) is None
        with pytest.raises(TokenSpent):
            writer.append(build.accept(2, token_sha256=issued.token_sha256))


def test_a_job_has_one_accept_and_one_end(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        with pytest.raises(Refusal, match="JOB_UNKNOWN"):
            writer.append(build.running(1))
        writer.append(build.accept(1), build.ended(1))
        for late in (build.running(1), build.ended(1)):
            with pytest.raises(Refusal, match="JOB_ENDED"):
                writer.append(late)
        with pytest.raises(AgentError, match="INTERNAL"):
            writer.append(build.accept(1, key="another-key-000001"))


def test_a_refused_append_leaves_nothing_though_the_unit_goes_on(tmp_path: Path) -> None:
    def work(tx: JournalTx) -> str:
        try:
            tx.append(build.accept(2, scope=build.accept(1).scope))
        except ClaimTaken as taken:
            return taken.job_id
        return ""

    heard = build.Heard()
    with build.journal(tmp_path, heard) as writer:
        writer.append(build.accept(1))
        assert writer.transact(work) == build.job_id(1)
    assert heard.seqs == [1]
    with build.reading(tmp_path) as reader:
        assert reader.job(build.job_id(2)) is None
        assert reader.verify().rows == 1


def test_half_a_row_is_undone_though_its_unit_swallows_the_error(tmp_path: Path) -> None:
    def work(tx: JournalTx) -> None:
        try:
            tx.append(build.token())  # the second of the same hash
        except AgentError:
            tx.append(build.accept(2))

    with build.journal(tmp_path) as writer:
        writer.append(build.token())
        with pytest.raises(AgentError, match="INTERNAL"):
            writer.transact(work)
        assert writer.append(build.accept(3)) == 2
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == 2
        reader.verify_projections()


class Blocked:
    """A unit that holds the writer until it is released, so that the next batch is known."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()

    def __call__(self, _tx: JournalTx) -> None:
        self.entered.set()
        assert self.go.wait(build.LIMIT_S)


def test_all_that_came_during_a_commit_is_one_commit(tmp_path: Path) -> None:
    heard, blocked = build.Heard(), Blocked()
    answers: SimpleQueue[object] = SimpleQueue()
    with build.journal(tmp_path, heard) as writer:
        writer.transact_soon(blocked, answers.put)
        assert blocked.entered.wait(build.LIMIT_S)
        for number in range(1, 65):
            writer.transact_soon(lambda tx, n=number: tx.append(build.accept(n)), answers.put)  # type: ignore[misc]
        blocked.go.set()
        got = [answers.get(timeout=build.LIMIT_S) for _ in range(65)]
    assert got == [None, *range(1, 65)]
    assert [len(batch) for batch in heard.batches] == [64]


def test_units_of_a_batch_do_not_touch_each_other(tmp_path: Path) -> None:
    def broken(tx: JournalTx) -> None:
        tx.append(build.accept(2))
        raise LookupError("only me")

    heard, blocked = build.Heard(), Blocked()
    answers: SimpleQueue[object] = SimpleQueue()
    with build.journal(tmp_path, heard) as writer:
        writer.transact_soon(blocked, answers.put)
        assert blocked.entered.wait(build.LIMIT_S)
        writer.transact_soon(lambda tx: tx.append(build.accept(1)), answers.put)
        writer.transact_soon(broken, answers.put)
        writer.transact_soon(lambda tx: tx.append(build.accept(1, job_id="other")), answers.put)
        writer.transact_soon(lambda tx: tx.append(build.accept(3)), answers.put)
        blocked.go.set()
        got = [answers.get(timeout=build.LIMIT_S) for _ in range(5)]
    assert [type(answer) for answer in got] == [type(None), int, LookupError, KeyTaken, int]
    assert heard.batches == [[(1, build.accept(1)), (2, build.accept(3))]]
    with build.reading(tmp_path) as reader:
        assert reader.verify().rows == 2
        assert reader.job(build.job_id(2)) is None


def test_the_sink_hears_of_rows_before_their_results_are_handed_out(tmp_path: Path) -> None:
    order: list[object] = []
    writer = JournalWriter(
        tmp_path / JOURNAL_NAME,
        sink=lambda rows: order.extend(("row", seq) for seq, _ in rows),
        on_fatal=order.append,
    )
    for number in (1, 2):  # before the start: one batch
        writer.transact_soon(
            lambda tx, n=number: tx.append(build.accept(n)),  # type: ignore[misc]
            lambda answer: order.append(("result", answer)),
        )
    writer.start()
    writer.close()
    assert order == [("row", 1), ("row", 2), ("result", 1), ("result", 2)]


def test_a_unit_that_only_reads_tells_the_sink_nothing(tmp_path: Path) -> None:
    heard = build.Heard()
    with build.journal(tmp_path, heard) as writer:
        assert writer.transact(lambda tx: tx.job("none")) is None
    assert heard.batches == []


def test_closing_commits_what_is_queued_and_refuses_the_rest(tmp_path: Path) -> None:
    answers: SimpleQueue[object] = SimpleQueue()
    with build.journal(tmp_path) as writer:
        for number in range(1, 301):  # more than one batch
            writer.transact_soon(lambda tx, n=number: tx.append(build.accept(n)), answers.put)  # type: ignore[misc]
        writer.close()
        assert [answers.get(timeout=build.LIMIT_S) for _ in range(300)] == list(range(1, 301))
        with pytest.raises(Interrupted, match="DRAINING"):
            writer.append(build.accept(301))
    assert not (tmp_path / "journal.db-wal").exists()


def test_a_unit_must_not_wait_for_its_own_writer(tmp_path: Path) -> None:
    with (
        build.journal(tmp_path) as writer,
        pytest.raises(RuntimeError, match="must not wait"),
    ):
        writer.transact(lambda _tx: writer.append(build.accept(1)))


def test_a_bug_in_one_callers_callback_is_told_and_harms_no_other(tmp_path: Path) -> None:
    def bug(_answer: object) -> None:
        raise ZeroDivisionError

    heard = build.Heard()
    with build.journal(tmp_path, heard) as writer:
        writer.transact_soon(lambda tx: tx.append(build.accept(1)), bug)
        assert writer.append(build.accept(2)) == 2
    assert [type(error) for error in heard.fatal] == [ZeroDivisionError]
