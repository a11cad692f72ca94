"""Parked job.wait requests: answered when the job moves, when it ends, or when their time is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from taxagent.ipc.calls import Call
from taxagent.ipc.pace import Pace
from taxagent.ipc.timers import Timer, Timers
from taxagent.ipc.views import job_view, revision
from taxagent.jobs.asks import Picture
from taxagent.model.errors import Refusal
from taxagent.model.job import Job
from taxclient.protocol.messages import JobView, JobWaitArgs, JobWaitResult

PARKED = 1024  # at once, of all peers
PARKED_EACH = 16  # of one connection: none takes the waits of all others


class _Parked:
    def __init__(self, call: Call, args: JobWaitArgs, job: Job, rev: str) -> None:
        self.call = call
        self.job = job  # the newest that was heard of
        self.args = args
        self.rev = rev
        self.timer = Timer(lambda: None)


class Waits:
    """Who waits for which job. One thread."""

    def __init__(
        self,
        timers: Timers,
        now: Callable[[str], Job | None],
        picture: Callable[[Job], Picture | None],
        pace: Pace,
    ) -> None:
        self._timers = timers
        self._now = now
        self._picture = picture
        self._pace = pace
        self._parked: dict[str, list[_Parked]] = {}
        self._of: Counter[bytes] = Counter()  # by connection
        self.count = 0  # of those who wait

    def park(self, call: Call, args: JobWaitArgs, job: Job) -> None:
        """Answer at once where `job` is what is waited for, else when it is or the time is over."""
        rev = revision(job)
        if _reached(job, args, rev, args.rev or rev) or not args.timeout_ms:
            timed_out = not _reached(job, args, rev, args.rev or rev)
            self._answer(call, job, timed_out=timed_out)
            return
        if self.count >= PARKED or self._of[call.connection] >= PARKED_EACH:
            call.fail(Refusal("RATE_LIMITED", what="job.wait"), retry_after_ms=1000)
            return
        parked = _Parked(call, args, job, args.rev or rev)
        parked.timer = self._timers.later(args.timeout_ms, lambda: self._over(parked))
        self._parked.setdefault(args.job_id, []).append(parked)
        self._of[call.connection] += 1
        self.count += 1

    def changed(self, job: Job) -> None:
        """Answer those whom the job's new state answers."""
        waiting = self._parked.get(job.job_id)
        if not waiting:
            return
        rev = revision(job)
        for parked in waiting:
            parked.job = job
        for parked in [p for p in waiting if _reached(job, p.args, rev, p.rev)]:
            parked.timer.cancel()
            self._forget(parked)
            self._answer(parked.call, job, timed_out=False)

    def waited_for(self, job_id: str) -> bool:
        """Return whether someone waits for this job."""
        return job_id in self._parked

    def _over(self, parked: _Parked) -> None:
        self._forget(parked)
        job = self._now(parked.args.job_id) or parked.job
        self._answer(parked.call, job, timed_out=True)

    def _answer(self, call: Call, job: Job, *, timed_out: bool) -> None:
        call.ok(JobWaitResult(job=self.view(call, job), timed_out=timed_out))

    def view(self, call: Call, job: Job) -> JobView:
        """Return the job as who follows it sees it: with the bureau's picture and the usual times."""
        return self._pace.shown(job, job_view(job, call.lang, self._picture(job)))

    def _forget(self, parked: _Parked) -> None:
        waiting = self._parked[parked.args.job_id]
        waiting.remove(parked)
        if not waiting:
            del self._parked[parked.args.job_id]
        self.count -= 1
        connection = parked.call.connection
        self._of[connection] -= 1
        if not self._of[connection]:
            del self._of[connection]


def _reached(job: Job, args: JobWaitArgs, rev: str, seen: str) -> bool:
    return job.state.ended or (args.until == "change" and rev != seen)
