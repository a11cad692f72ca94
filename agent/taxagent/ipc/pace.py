"""How long each step usually takes on a device, by the journal: who waits can see what is normal."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

import msgspec

from taxagent.ipc.errands import Errands
from taxagent.model.job import Job, Outcome, Step
from taxagent.ports import JournalReader
from taxclient.protocol import messages as m

_JOBS = 30  # that are looked back on
_STEPS = 20  # of a kind that are counted, the newest
_DEVICES = 256  # that are remembered
# What a person or the bureau takes its time for, and what was found done already, says nothing about pace.
_UNPACED = frozenset({Step.DECLARATION})

Paces = dict[str, int]  # step -> ms


class Pace:
    """The usual times, read in the errands' thread and remembered a device; asked from memory in the loop."""

    def __init__(self, reader: JournalReader, errands: Errands) -> None:
        self._reader = reader
        self._errands = errands
        self._known: dict[str, tuple[str, Paces]] = {}  # device -> (the job for which it was read, times)

    def shown(self, job: Job, view: m.JobView) -> m.JobView:
        """Return the view with the usual time beside each step that runs, where it is known by now."""
        if job.state.ended or not job.scope.device_no:
            return view
        times = self._times(job)
        if not times or not any(step.ended_ms is None for step in view.steps):
            return view
        return msgspec.structs.replace(view, steps=tuple(_beside(step, times) for step in view.steps))

    def _times(self, job: Job) -> Paces:
        device = job.scope.device_no
        known = self._known.get(device)
        if known is None or known[0] != job.job_id:
            self._look_up(device, job.job_id, known[1] if known else {})
        return self._known[device][1]

    def _look_up(self, device: str, job_id: str, meanwhile: Paces) -> None:
        """Read once a job; until the answer is there the times of before stand."""
        if len(self._known) >= _DEVICES and device not in self._known:
            self._known.clear()
        self._known[device] = (job_id, meanwhile)

        def work() -> Paces:
            return usual(self._reader.jobs(device_no=device, limit=_JOBS))

        def done(times: Paces | Exception) -> None:
            if not isinstance(times, Exception):
                self._known[device] = (job_id, times)

        self._errands.run(work, done)


def usual(jobs: Iterable[Job]) -> Paces:
    """Return the median time in ms of each step over its newest runs; `jobs` newest first."""
    runs: dict[Step, list[int]] = {}
    for job in jobs:
        for run in job.steps:
            if run.ended_ms is None or run.outcome is not Outcome.EXECUTED or run.note:
                continue
            if run.id.step not in _UNPACED and len(runs.setdefault(run.id.step, [])) < _STEPS:
                runs[run.id.step].append(run.ended_ms - run.begun_ms)
    return {step: round(median(times)) for step, times in runs.items() if times}


def _beside(step: m.StepView, times: Paces) -> m.StepView:
    if step.ended_ms is not None or step.step not in times:
        return step
    return msgspec.structs.replace(step, expected_ms=times[step.step])
