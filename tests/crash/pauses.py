"""Worlds whose bureau has announced a maintenance: a job that was told of it writes nothing in it."""

from __future__ import annotations

import datetime as dt

from taxagent.model.job import Job
from taxagent.simulator.bureau_conditions import MaintenanceTime
from tests.builders.driven import DrivenBench
from tests.builders.scenario import NOON

_MINUTE = dt.timedelta(minutes=1)
_PAUSES = {  # from and until, after the job was accepted; a sleep of an hour ends well inside the planned one
    "running": (-30 * _MINUTE, 90 * _MINUTE),
    "planned": (30 * _MINUTE, 150 * _MINUTE),
}


class PausedBench(DrivenBench):
    """A bench of a bureau that pauses. Where a job waits for the pause's end, that comes."""

    def announces(self, pause: str) -> None:
        """Let the bureau announce that pause."""
        begins, self.ends = (NOON + after for after in _PAUSES[pause])
        self.bureau.change({"maintenance": MaintenanceTime(from_=begins, until=self.ends)})

    def run(self) -> Job:
        job = super().run()
        if job.wait is not None and job.wait.fault == "BUREAU_MAINTENANCE":
            self.clock.now = max(self.clock.now, self.ends)
        return job
