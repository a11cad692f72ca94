"""When a live job runs: at once, on an event, or at a time. Lives in the loop's thread, holds none itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from taxagent.jobs.book import Book
from taxagent.jobs.deadlines import overdue
from taxagent.jobs.queue import DeviceQueue
from taxagent.jobs.runner import Runner
from taxagent.jobs.wheels import Wheels
from taxagent.model.errors import DeviceLent, Unavailable
from taxagent.model.job import Job, JobState, WaitReason

_RECHECK_MS = 60_000  # wall-clock waits are looked at each minute: suspend and clock steps
_SETTLE_MS = (0, 1_000, 5_000, 30_000, 60_000, 300_000)  # pauses before an unknown step is read again
_GRACE_MS = 10_000  # after a start, until a job whose device was not identified is said to wait for it
_UNDER_WAY = (JobState.ACCEPTED, JobState.RUNNING)
_AGAIN_MS = 60_000  # until a run that could not be journaled (disk full) is tried again


class Devices(Protocol):
    """Where the devices are."""

    def queue_of(self, device_no: str) -> DeviceQueue | None:
        """Return the queue of a device that is plugged and used, or None."""

    def missing(self, device_no: str) -> Unavailable:
        """Return why there is none."""


class Schedule:
    """Puts jobs into their device's queue."""

    def __init__(
        self,
        book: Book,
        runner: Runner,
        devices: Devices,
        wheels: Wheels,
    ) -> None:
        self._book = book
        self._runner = runner
        self._queue_of = devices.queue_of
        self._missing = devices.missing
        self._timers = wheels.timers
        self._mailbox = wheels.mailbox
        self._clock = wheels.clock
        self._background = wheels.background
        self._left_waiting: set[str] = set()  # by the last boot: they look once as soon as they can
        self._queued: dict[str, _Run] = {}  # each run has its own mark: one that was given up ends twice
        self._again: set[str] = set()
        self._stopped: set[str] = set()  # cancelled jobs whose end was asked of the journal
        self._unknowns: dict[str, int] = {}
        self._ticking = False

    def moved(self, job: Job) -> None:
        """Act on a job that a committed row has changed."""
        if job.state is JobState.UNKNOWN:
            self._read_again(job)
        elif job.state is JobState.WAITING or job.state.ended:
            self._unknowns.pop(job.job_id, None)
        if _to_stop(job):
            self._stop(job.job_id)
        elif job.state is JobState.ACCEPTED:
            self.wake(job)
        elif job.state is JobState.WAITING:
            self._tick()
            self._set_timer(job)

    def wake(self, job: Job) -> None:
        """Run the job as soon as its device is free; without the device it goes on waiting."""
        if job.state.ended or job.state is JobState.NEEDS_HUMAN:
            return
        if job.job_id in self._queued:
            self._again.add(job.job_id)
            return
        queue = self._queue_of(job.scope.device_no)
        if queue is not None:
            self._put(job.job_id, queue)
            return
        missing = self._missing(job.scope.device_no)
        if self._must_say(job, missing):
            self._in_background(job.job_id, lambda: self._runner.not_run(job.job_id, missing))

    def _put(self, job_id: str, queue: DeviceQueue) -> None:
        mark = _Run(self._unknowns.get(job_id, 0))
        if queue.put(
            lambda device: self._then_ran(job_id, mark, lambda: self._runner.run(job_id, device, queue)),
            lambda error: self._then_ran(job_id, mark, lambda: self._runner.not_run(job_id, error)),
        ):
            self._queued[job_id] = mark

    def _must_say(self, job: Job, missing: Unavailable) -> bool:
        """Only a write's end is told by the device alone; everything else waits for it like any job.

        A job that waits for something else says so until it is time to look; then who has the device counts.
        """
        if job.open_steps:
            return False
        if job.state is not JobState.WAITING or job.wait is None:
            return True
        return isinstance(missing, DeviceLent) and job.wait.fault != missing.fault

    def arrived(self, device_no: str) -> None:
        """A device was identified: its jobs that are not under way go on."""
        for job in self._book.live():
            if job.scope.device_no == device_no and self._wants_device(job):
                self.wake(job)

    def recover(self) -> None:
        """At the start: keep the times of waiting jobs; the others go on when their device is identified."""
        for job in self._book.live():
            if _to_stop(job) or job.state is JobState.WAITING:
                self.moved(job)
                self._left_waiting.add(job.job_id)
        self._recheck()
        self._timers.call_later(_GRACE_MS, self._miss)

    def _miss(self) -> None:
        """Jobs of the last boot whose device did not come: they wait for it, and say so."""
        for job in self._book.live():
            queue = self._queue_of(job.scope.device_no)
            if job.state in (JobState.ACCEPTED, JobState.RUNNING) and queue is None:
                self.wake(job)

    def _wants_device(self, job: Job) -> bool:
        if job.job_id in self._queued:
            return True  # what is under way may be failing just now, for the device's old place
        if job.state is JobState.WAITING:
            if job.job_id in self._left_waiting:
                self._left_waiting.discard(job.job_id)
                return True  # what it waited for may have come while no agent ran
            return job.wait is not None and job.wait.reason in (WaitReason.DEVICE, WaitReason.DEVICE_IN_USE)
        return job.state in (JobState.ACCEPTED, JobState.RUNNING, JobState.UNKNOWN)

    def _then_ran(self, job_id: str, mark: _Run, run: Callable[[], None]) -> None:
        try:
            run()
        finally:
            self._mailbox.post(lambda: self._ran(job_id, mark))

    def _in_background(self, job_id: str, run: Callable[[], None]) -> None:
        mark = self._queued[job_id] = _Run(self._unknowns.get(job_id, 0))
        self._background(lambda: self._then_ran(job_id, mark, run))

    def _tick(self) -> None:
        """While jobs wait, look each minute whether the time of one ran out."""
        if not self._ticking:
            self._ticking = True
            self._timers.call_later(_RECHECK_MS, self._recheck_and_tick)

    def _recheck_and_tick(self) -> None:
        self._ticking = False
        self._recheck()
        if self._book.waiting():
            self._tick()

    def _recheck(self) -> None:
        for job in self._book.waiting():
            if overdue(job, self._clock):
                self._expire(job.job_id)
            elif self._due(job):
                self.wake(job)

    def _due(self, job: Job) -> bool:
        wait = job.wait
        if wait is None:
            return False
        if wait.next_ms is not None:
            return wait.next_ms <= self._clock.utc_ms()
        # It waits for an arrival. One that did not answer may do so without having been away.
        return wait.reason is WaitReason.DEVICE and self._queue_of(job.scope.device_no) is not None

    def _expire(self, job_id: str) -> None:
        if job_id not in self._queued:
            self._in_background(job_id, lambda: self._runner.expire(job_id))

    def _stop(self, job_id: str) -> None:
        """End a cancelled job that is not under way; one that is ends itself, or comes back here after it."""
        if job_id in self._queued:
            return
        if job_id in self._stopped:
            # It was tried, and the journal took no row.
            self._stopped.discard(job_id)
            self._timers.call_later(
                _AGAIN_MS, lambda: self._still(job_id, JobState.ACCEPTED, JobState.WAITING)
            )
            return
        self._stopped.add(job_id)
        self._in_background(job_id, lambda: self._runner.stop(job_id))

    def _set_timer(self, job: Job) -> None:
        """Wake the job at its time, unless it waits for another by then."""
        wait = job.wait
        if wait is None or wait.next_ms is None:
            return

        def fire() -> None:
            now = self._book.get(job.job_id)
            if now is None or now.wait is None or now.wait.next_ms != wait.next_ms:
                return
            if self._due(now):
                self.wake(now)
            else:
                self._set_timer(now)  # the wall clock was set back, or runs slower than the timers'

        self._timers.call_later(max(0, wait.next_ms - self._clock.utc_ms()), fire)

    def _read_again(self, job: Job) -> None:
        count = self._unknowns.get(job.job_id, 0)
        self._unknowns[job.job_id] = count + 1
        delay = _SETTLE_MS[min(count, len(_SETTLE_MS) - 1)]

        def fire() -> None:
            if self._unknowns.get(job.job_id) == count + 1:  # else a later reading has its own timer
                self._still(job.job_id, JobState.UNKNOWN)

        self._timers.call_later(delay, fire)

    def _still(self, job_id: str, *states: JobState) -> None:
        job = self._book.get(job_id)
        if job is None or job.state not in states:
            return
        if _to_stop(job):
            self._stop(job_id)
        else:
            self.wake(job)

    def _ran(self, job_id: str, mark: _Run) -> None:
        """A run is over. The rows that it made durable were taken before this."""
        if self._queued.get(job_id) is not mark:
            return
        del self._queued[job_id]
        again = job_id in self._again
        self._again.discard(job_id)
        job = self._book.get(job_id)
        if job is None or job.state.ended:
            self._stopped.discard(job_id)
            return
        if _to_stop(job):
            self._stop(job_id)
        elif again:
            self.wake(job)
        elif job.state in _UNDER_WAY or self._left_unread(job, mark):
            # The run left no word: the agent drains, or the journal took none.
            self._timers.call_later(_AGAIN_MS, lambda: self._still(job_id, *_UNDER_WAY, JobState.UNKNOWN))

    def _left_unread(self, job: Job, mark: _Run) -> bool:
        """Whether a job is as unknown as before its run; one that left a word has a time for the next."""
        return job.state is JobState.UNKNOWN and self._unknowns.get(job.job_id, 0) == mark.unknowns


class _Run:
    """One run, by its identity; `unknowns` is how often its job had been said to be unknown before."""

    def __init__(self, unknowns: int) -> None:
        self.unknowns = unknowns


def _to_stop(job: Job) -> bool:
    """Return whether a cancelled job can end at once: nothing is under way, nothing must be read before."""
    waits = job.state in (JobState.ACCEPTED, JobState.WAITING)
    return job.cancel_requested and waits and not job.unread
