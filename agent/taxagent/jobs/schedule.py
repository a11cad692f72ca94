"""When a live job runs: at once, on an event, or at a time. Lives in the loop's thread, holds none itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from taxagent.jobs.book import Book
from taxagent.jobs.queue import DeviceQueue
from taxagent.jobs.runner import Runner
from taxagent.model.errors import AgentError, DeviceAbsent
from taxagent.model.job import Job, JobState, WaitReason
from taxagent.ports import Clock, Mailbox

_RECHECK_MS = 60_000  # wall-clock waits are looked at each minute: suspend and clock steps
_SETTLE_MS = (0, 1_000, 5_000, 30_000, 60_000)  # pauses before an unknown step is read again


class Timers(Protocol):
    """The loop's timers."""

    def call_later(self, delay_ms: int, call: Callable[[], None], /) -> object:
        """Call `call` in the loop's thread after `delay_ms`."""


class Schedule:
    """Puts jobs into their device's queue. `queue_of` gives the queue of a plugged device, or None."""

    def __init__(
        self,
        book: Book,
        runner: Runner,
        queue_of: Callable[[str], DeviceQueue | None],
        timers: Timers,
        mailbox: Mailbox,
        clock: Clock,
        background: Callable[[Callable[[], None]], None],
    ) -> None:
        self._book = book
        self._runner = runner
        self._queue_of = queue_of
        self._timers = timers
        self._mailbox = mailbox
        self._clock = clock
        self._background = background  # runs a call in a thread that is no device's
        self._queued: set[str] = set()
        self._again: set[str] = set()
        self._unknowns: dict[str, int] = {}
        self._ticking = False

    def moved(self, job: Job) -> None:
        """Act on a job that a committed row has changed."""
        match job.state:
            case JobState.ACCEPTED:
                self.wake(job)
            case JobState.WAITING:
                self._unknowns.pop(job.job_id, None)
                self._tick()
                if job.wait is not None and job.wait.next_ms is not None:
                    delay = max(0, job.wait.next_ms - self._clock.utc_ms())
                    self._timers.call_later(delay, lambda: self._due(job.job_id))
            case JobState.UNKNOWN:
                self._read_again(job)
            case state if state.ended:
                self._unknowns.pop(job.job_id, None)

    def wake(self, job: Job) -> None:
        """Run the job as soon as its device is free; without the device it goes on waiting."""
        if job.job_id in self._queued:
            self._again.add(job.job_id)
            return
        self._queued.add(job.job_id)
        job_id = job.job_id

        def not_run(error: AgentError) -> None:
            self._then_ran(job_id, lambda: self._runner.not_run(job_id, error))

        queue = self._queue_of(job.scope.device_no)
        if queue is not None:
            queue.put(
                lambda device: self._then_ran(job_id, lambda: self._runner.run(job_id, device)),
                not_run,
            )
        elif job.state is JobState.ACCEPTED:
            absent = DeviceAbsent("DEVICE_ABSENT", device_no=job.scope.device_no)
            self._background(lambda: not_run(absent))
        else:
            self._queued.discard(job_id)

    def arrived(self, device_no: str) -> None:
        """A device was identified: its jobs that are not under way go on."""
        for job in self._book.live():
            if job.scope.device_no == device_no and self._wants_device(job):
                self.wake(job)

    def recover(self) -> None:
        """At the start: keep the times of waiting jobs; the others go on when their device is identified."""
        for job in self._book.live():
            if job.state is JobState.WAITING:
                self.moved(job)

    def _wants_device(self, job: Job) -> bool:
        if job.state is JobState.WAITING:
            return job.wait is not None and job.wait.reason is WaitReason.DEVICE
        return job.state in (JobState.ACCEPTED, JobState.RUNNING, JobState.UNKNOWN)

    def _then_ran(self, job_id: str, run: Callable[[], None]) -> None:
        try:
            run()
        finally:
            self._mailbox.post(lambda: self._ran(job_id))

    def _tick(self) -> None:
        """While jobs wait, look each minute whether the time of one ran out."""
        if not self._ticking:
            self._ticking = True
            self._timers.call_later(_RECHECK_MS, self._recheck)

    def _recheck(self) -> None:
        self._ticking = False
        now = self._clock.utc_ms()
        job_time = self._clock.sim_ms() or now
        for job in self._book.waiting():
            wait = job.wait
            if wait is not None and wait.until_ms is not None and job_time >= wait.until_ms:
                self._expire(job.job_id)
            elif wait is not None and wait.next_ms is not None and wait.next_ms <= now:
                self.wake(job)
        if self._book.waiting():
            self._tick()

    def _expire(self, job_id: str) -> None:
        if job_id not in self._queued:
            self._queued.add(job_id)
            self._background(lambda: self._then_ran(job_id, lambda: self._runner.expire(job_id)))

    def _due(self, job_id: str) -> None:
        job = self._book.get(job_id)
        wait = job.wait if job is not None else None
        if job is not None and wait is not None and (wait.next_ms or 0) <= self._clock.utc_ms():
            self.wake(job)

    def _read_again(self, job: Job) -> None:
        count = self._unknowns.get(job.job_id, 0)
        self._unknowns[job.job_id] = count + 1
        delay = _SETTLE_MS[min(count, len(_SETTLE_MS) - 1)]
        self._timers.call_later(delay, lambda: self._still_unknown(job.job_id))

    def _still_unknown(self, job_id: str) -> None:
        job = self._book.get(job_id)
        if job is not None and job.state is JobState.UNKNOWN:
            self.wake(job)

    def _ran(self, job_id: str) -> None:
        self._queued.discard(job_id)
        if job_id in self._again:
            self._again.discard(job_id)
            job = self._book.get(job_id)
            if job is not None and not job.state.ended:
                self.wake(job)
