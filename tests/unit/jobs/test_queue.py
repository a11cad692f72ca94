"""A device's thread does one piece of work after the other, and outlives whatever a piece does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from taxagent.jobs.queue import DeviceQueue, Terms
from taxagent.model.errors import AgentError, DeviceAbsent, DeviceInUse, Interrupted, JournalFull, Refusal
from taxagent.ports import Device
from tests.builders.jobs import LIMIT_S, FakeDevice, FakeSource

HERE = "1-1"


class Told:
    """What a piece of work and its failure said, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._more = threading.Semaphore(0)

    def work(self, device: Device) -> None:
        self._say("worked")

    def failed(self, error: AgentError) -> None:
        self._say(error.fault)

    def waits_for(self, count: int) -> list[str]:
        for _ in range(count):
            assert self._more.acquire(timeout=LIMIT_S)
        return self.said

    def _say(self, word: str) -> None:
        self.said.append(word)
        self._more.release()


@pytest.fixture
def source() -> FakeSource:
    source = FakeSource()
    source.plugged[HERE] = FakeDevice()
    return source


@pytest.fixture
def queue(source: FakeSource) -> Iterator[DeviceQueue]:
    queue = DeviceQueue(source, HERE)
    yield queue
    queue.close()
    assert queue.join(LIMIT_S)


def raising(error: Exception) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise error

    return call


def test_a_device_that_cannot_be_had_fails_the_work_and_not_the_thread(
    queue: DeviceQueue, source: FakeSource
) -> None:
    told = Told()
    source.refuses = DeviceInUse("DEVICE_IN_USE", location=HERE, holder="usb-storage")
    queue.put(told.work, told.failed)
    told.waits_for(1)
    source.refuses = None
    queue.put(told.work, told.failed)
    assert told.waits_for(1) == ["DEVICE_IN_USE", "worked"]


def test_a_failure_that_cannot_be_told_does_not_end_the_thread(queue: DeviceQueue) -> None:
    told = Told()
    queue.put(raising(JournalFull("JOURNAL_FULL")), raising(JournalFull("JOURNAL_FULL")))
    queue.put(raising(ValueError("a defect")), raising(ValueError("another")))
    queue.put(told.work, told.failed)
    assert told.waits_for(1) == ["worked"]


def test_a_defect_is_told_once_as_internal(queue: DeviceQueue) -> None:
    told = Told()
    queue.put(raising(ValueError("a defect")), told.failed)
    queue.put(told.work, told.failed)
    assert told.waits_for(2) == ["INTERNAL", "worked"]


def test_a_device_that_goes_while_it_is_given_back_does_not_undo_the_work(
    queue: DeviceQueue, source: FakeSource
) -> None:
    told = Told()
    source.release_fails = DeviceAbsent("DEVICE_ABSENT")
    queue.put(told.work, told.failed)
    queue.put(told.work, told.failed)
    assert told.waits_for(2) == ["worked", "worked"]


class Turns(Told):
    """Work that notes its name."""

    def named(self, name: str) -> Callable[[Device], None]:
        return lambda _device: self._say(name)


def test_a_reading_is_passed_by_all_other_work(queue: DeviceQueue) -> None:
    told, begun, let_go = Turns(), threading.Event(), threading.Event()

    def long(device: Device) -> None:
        begun.set()
        assert let_go.wait(LIMIT_S)

    queue.put(long, told.failed)
    assert begun.wait(LIMIT_S)
    for number in range(3):
        queue.put_reading(told.named(f"reading {number}"), told.failed, lambda: None)
    queue.put(told.named("job 1"), told.failed)
    queue.put(told.named("job 2"), told.failed)
    let_go.set()
    assert told.waits_for(5) == ["job 1", "job 2", "reading 0", "reading 1", "reading 2"]


def test_a_reading_that_is_not_wanted_any_more_does_not_touch_the_device(
    queue: DeviceQueue, source: FakeSource
) -> None:
    told = Told()
    source.refuses = DeviceInUse(
        "DEVICE_IN_USE", location=HERE, holder="usb-storage"
    )  # where it were claimed
    queue.put_reading(told.work, told.failed, raising(Refusal("EXPIRED")))
    queue.put_reading(told.work, told.failed, raising(ValueError("a defect")))
    assert told.waits_for(2) == ["EXPIRED", "INTERNAL"]


def test_a_device_that_is_kept_stays_so_where_a_reading_is_not_wanted_any_more(source: FakeSource) -> None:
    kept, told = DeviceQueue(source, HERE, Terms(keep=True)), Told()
    kept.put(told.work, told.failed)
    kept.put_reading(told.work, told.failed, raising(Refusal("EXPIRED")))
    kept.put_reading(lambda _device: told.failed(Refusal("HELD")), told.failed, lambda: None)
    told.waits_for(3)
    assert source.held == {HERE}
    kept.close()
    assert kept.join(LIMIT_S)
    assert told.said == ["worked", "EXPIRED", "HELD"]


def test_what_is_queued_when_the_device_goes_fails_as_absent(source: FakeSource) -> None:
    queue, told, begun, go = DeviceQueue(source, HERE), Told(), threading.Event(), threading.Event()

    def long(device: Device) -> None:
        begun.set()
        assert go.wait(LIMIT_S)

    queue.put(long, told.failed)
    queue.put(told.work, told.failed)
    assert begun.wait(LIMIT_S)
    queue.close()
    go.set()
    assert told.waits_for(1) == ["DEVICE_ABSENT"]
    assert queue.join(LIMIT_S)


def test_the_end_says_why_and_takes_no_more(source: FakeSource) -> None:
    queue, told, begun, go = DeviceQueue(source, HERE), Told(), threading.Event(), threading.Event()

    def long(device: Device) -> None:
        begun.set()
        assert go.wait(LIMIT_S)

    assert queue.put(long, told.failed)
    assert queue.put(told.work, told.failed)
    assert begun.wait(LIMIT_S)
    queue.close(Interrupted("DRAINING"))
    queue.close()
    assert not queue.put(told.work, told.failed)
    go.set()
    assert told.waits_for(1) == ["DRAINING"]
    assert queue.join(LIMIT_S)
    assert told.said == ["DRAINING"]
