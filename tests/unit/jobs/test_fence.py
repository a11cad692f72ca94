"""The fence: when a call is late, and that a thread that was given up gets nothing more through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from taxagent.jobs.fence import Fence, FencedJournal
from taxagent.jobs.watched import Limits, WatchedDevice
from taxagent.model.errors import AnswerLost, DeviceAbsent, DeviceRefused, Interrupted, JournalFull
from taxagent.model.events import AgentStarted
from tests.builders.jobs import FakeDevice, MemoryJournal

STARTED = AgentStarted(boot="b", version="1", pid=1, simulated=False, at_ms=0)


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def given_up() -> Fence:
    """A fence whose thread was given up in the middle of a call."""
    watch = Watch()
    fence = Fence(watch)

    def hangs() -> None:
        watch.now = 10.0
        late = fence.late()
        assert late is not None
        assert fence.give_up(late)

    with pytest.raises(Interrupted):
        fence.command("seal", 10.0, hangs)
    return fence


def test_a_call_is_late_after_its_limit_and_not_before() -> None:
    watch = Watch()
    fence = Fence(watch)

    def call() -> None:
        watch.now = 9.9
        assert fence.late() is None
        watch.now = 10.0
        late = fence.late()
        assert late is not None
        assert (late.name, late.limit_s) == ("clock", 10.0)

    fence.command("clock", 10.0, call)
    assert fence.late() is None


def test_a_call_that_came_back_just_in_time_is_not_given_up() -> None:
    watch = Watch()
    fence = Fence(watch)
    seen: list[Any] = []

    def call() -> None:
        watch.now = 10.0
        seen.append(fence.late())

    fence.command("clock", 10.0, call)
    assert not fence.give_up(seen[0])
    fence.passed()


def test_the_answer_of_a_call_that_was_given_up_is_not_handed_on() -> None:
    with pytest.raises(Interrupted, match="DEVICE_HUNG"):
        given_up().passed()


def test_no_further_call_is_made() -> None:
    made: list[str] = []
    with pytest.raises(Interrupted):
        given_up().command("apply_ticket", 1.0, lambda: made.append("apply_ticket"))
    assert made == []


@pytest.mark.parametrize(
    "write",
    [
        lambda journal: journal.append(STARTED),
        lambda journal: journal.transact(lambda tx: tx.append(STARTED)),
    ],
)
def test_no_further_row_is_written(write: Callable[[FencedJournal], object]) -> None:
    journal = MemoryJournal()
    with pytest.raises(Interrupted):
        write(FencedJournal(journal, given_up().passed))
    assert journal.rows == []


def test_who_asks_the_journal_later_is_told() -> None:
    journal, told = MemoryJournal(), list[object]()
    FencedJournal(journal, given_up().passed).transact_soon(lambda tx: tx.append(STARTED), told.append)
    assert [type(answer) for answer in told] == [Interrupted]


def test_a_thread_in_good_standing_writes_and_hears_the_journals_own_errors() -> None:
    journal = MemoryJournal()
    fenced = FencedJournal(journal, Fence(Watch()).passed)
    assert fenced.append(STARTED, STARTED) == 2
    journal.fails = JournalFull("JOURNAL_FULL")
    with pytest.raises(JournalFull):
        fenced.append(STARTED)


def test_a_device_is_spoiled_by_a_lost_answer_and_not_by_a_refusal() -> None:
    real = FakeDevice(fails=DeviceRefused("DEVICE_REFUSED"))
    device = WatchedDevice(real, Fence(Watch()), Limits())  # type: ignore[arg-type]  # the reads of a device
    with pytest.raises(DeviceRefused):
        device.clock()
    assert not device.spoiled
    real.fails = AnswerLost("ANSWER_LOST")
    with pytest.raises(AnswerLost):
        device.clock()
    assert device.spoiled


def test_closing_a_device_of_a_thread_that_was_given_up_raises_nothing() -> None:
    real = FakeDevice(session_open=True)
    device = WatchedDevice(real, given_up(), Limits())  # type: ignore[arg-type]  # as above
    device.close()
    assert real.session_open


def test_a_device_that_failed_is_not_asked_to_close() -> None:
    real = FakeDevice(session_open=True, fails=DeviceAbsent("DEVICE_MUTE"))
    device = WatchedDevice(real, Fence(Watch()), Limits())  # type: ignore[arg-type]  # as above
    with pytest.raises(DeviceAbsent):
        device.clock()
    device.close()
    assert real.session_open
