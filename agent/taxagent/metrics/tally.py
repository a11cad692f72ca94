"""Counts what happens, from committed rows and the devices' snapshots. Belongs to the loop's thread.

Counters begin at 0 with each process, as Prometheus expects (`rate` and `increase` see the reset); the times
of the last successes and back-ups are read from the journal at the start.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence

from taxagent.jobs.asks import DeviceView
from taxagent.metrics.picture import DevicePicture, Picture, Stands
from taxagent.model.events import AnyEvent, DeviceHung
from taxagent.model.job import Job, JobState
from taxagent.ports import Clock

_PROBLEMS = {"DEVICE_QUARANTINED": Stands.QUARANTINED, "DEVICE_HUNG": Stands.HUNG}


class Tally:
    """What was counted since the start."""

    def __init__(self, clock: Clock, version: str) -> None:
        self._clock = clock
        self._version = version
        self._started_s = clock.utc_ms() / 1000
        self._ended: Counter[tuple[str, str, str]] = Counter()
        self._succeeded: dict[str, float] = {}
        self._backed_up: dict[str, float] = {}
        self._hangs: Counter[str] = Counter()
        self._reconnects: dict[str, int] = {}
        self._places: dict[str, str] = {}
        self._stuck: dict[str, tuple[JobState, int]] = {}  # job = (state, since when it is that)

    def earlier(self, jobs: Iterable[Job], stuck_ms: dict[str, int]) -> None:
        """Take what the journal has of before the start; `stuck_ms` = since when a live job is stuck."""
        for job in jobs:
            self._remember(job)
            if not job.state.ended:
                self._stand(job, stuck_ms.get(job.job_id, job.accepted_ms))

    def take(self, event: AnyEvent, job: Job | None) -> None:
        """Count a committed row, and the job as the row made it."""
        if isinstance(event, DeviceHung):
            self._hangs[event.device_no] += 1
        if job is None:
            return
        self._remember(job)
        self._stand(job, event.at_ms)
        if job.state.ended:
            cause = job.problem.fault if job.problem is not None else ""
            self._ended[job.kind.value, job.outcome.value, cause] += 1

    def picture(self, views: Sequence[DeviceView], live: Iterable[Job], filing: dt.date) -> Picture:
        """Return what there is to tell now; `filing` is the last day of the month's filing window."""
        now_ms, today = self._clock.utc_ms(), self._clock.local().date()
        for view in views:
            self._place(view)
        states = Counter(job.state.value for job in live)
        return Picture(
            version=self._version,
            at_s=now_ms / 1000,
            started_s=self._started_s,
            devices=tuple(_device(view, today) for view in views if view.device_no),
            filing_days=(filing - today).days,
            ended=tuple(self._ended.items()),
            live=tuple((state.value, states[state.value]) for state in JobState if not state.ended),
            unknown_s=self._longest(JobState.UNKNOWN, now_ms),
            needs_human_s=self._longest(JobState.NEEDS_HUMAN, now_ms),
            succeeded=tuple(self._succeeded.items()),
            backed_up=tuple(self._backed_up.items()),
            reconnects=tuple(self._reconnects.items()),
            hangs=tuple((number, self._hangs[number]) for number in self._reconnects),
        )

    def _remember(self, job: Job) -> None:
        if job.state is JobState.DONE and job.ended_ms is not None:
            _later(self._succeeded, job.kind.value, job.ended_ms)
        for run in job.steps:
            if job.backups and run.id.step.value == "backup" and run.ended_ms is not None:
                _later(self._backed_up, job.scope.device_no, run.ended_ms)

    def _stand(self, job: Job, at_ms: int) -> None:
        if job.state not in (JobState.UNKNOWN, JobState.NEEDS_HUMAN):
            self._stuck.pop(job.job_id, None)
        elif self._stuck.get(job.job_id, (None, 0))[0] is not job.state:
            self._stuck[job.job_id] = (job.state, at_ms)

    def _longest(self, state: JobState, now_ms: int) -> float:
        since = min((ms for stood, ms in self._stuck.values() if stood is state), default=now_ms)
        return max(0.0, (now_ms - since) / 1000)

    def _place(self, view: DeviceView) -> None:
        """A place names the port and the arrival: another one than the last is a reconnection."""
        number, known = view.device_no, self._places.get(view.device_no)
        if not number:
            return
        self._reconnects.setdefault(number, 0)
        if view.location and view.location != known:
            self._reconnects[number] += known is not None
            self._places[number] = view.location


def _later(times: dict[str, float], key: str, ms: int) -> None:
    times[key] = max(times.get(key, 0.0), ms / 1000)


def _device(view: DeviceView, today: dt.date) -> DevicePicture:
    days = tuple((row.invoice_type, (row.invoicing_deadline - today).days) for row in view.types)
    return DevicePicture(device_no=view.device_no, stands=_stands(view), lock_days=days)


def _stands(view: DeviceView) -> Stands:
    if view.problem is not None and view.problem.fault in _PROBLEMS:
        return _PROBLEMS[view.problem.fault]
    if not view.location:
        return Stands.ABSENT
    if view.problem is not None:
        return Stands.TROUBLED
    if any(row.locked for row in view.types):
        return Stands.LOCKED
    return Stands.OVERDUE if any(row.overdue for row in view.types) else Stands.READY
