"""The live jobs in memory, as the committed rows made them. Belongs to the loop's thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from taxagent.model.events import AnyEvent, JobAccepted, JobEvent, accepted, applied
from taxagent.model.job import Job, JobState

_ENDED_KEPT = 128  # jobs that ended lately, for those who still wait for them; one takes up to 20 kB


class Book:
    """What is durable of every live job. Never ahead of the journal, behind it by one mailbox at most."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._live: dict[str, Job] = {job.job_id: job for job in jobs}
        self._ended: OrderedDict[str, Job] = OrderedDict()
        self.changes = 0  # grows with every change of a job

    def take(self, event: AnyEvent) -> Job | None:
        """Apply a committed row; return the job it changed, or None where it was about none."""
        if isinstance(event, JobAccepted):
            job = accepted(event)
        elif isinstance(event, JobEvent):
            known = self._live.get(event.job_id)
            if known is None:
                return None
            job = applied(known, event)
        else:
            return None
        self.changes += 1
        if job.state.ended:
            self._live.pop(job.job_id, None)
            self._ended[job.job_id] = job
            while len(self._ended) > _ENDED_KEPT:
                self._ended.popitem(last=False)
        else:
            self._live[job.job_id] = job
        return job

    def get(self, job_id: str) -> Job | None:
        """Return a live job, or one that ended lately."""
        return self._live.get(job_id) or self._ended.get(job_id)

    def live(self) -> tuple[Job, ...]:
        """Return the live jobs, oldest first (job ids sort by time)."""
        return tuple(self._live[job_id] for job_id in sorted(self._live))

    def waiting(self) -> tuple[Job, ...]:
        """Return the jobs that hold no thread until something happens."""
        return tuple(job for job in self.live() if job.state is JobState.WAITING)
