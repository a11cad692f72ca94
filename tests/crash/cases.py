"""The jobs that the campaign enumerates: each kind of job, on each kind of device, over two scopes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from taxagent.model.device import DeviceKind
from taxagent.model.job import JobKind
from taxagent.model.period import Period
from taxagent.model.value import Value
from tests.builders.bulk import BulkBench
from tests.builders.driven import TYPES, DrivenBench
from tests.builders.scenario import NOON, OCTOBER
from tests.builders.work import SEPTEMBER
from tests.crash.pauses import PausedBench

MONTHS = {1: (OCTOBER,), 2: (SEPTEMBER, OCTOBER)}


class Case(Value, frozen=True, kw_only=True):
    """One job on one device, and how deep it is looked at."""

    job: JobKind
    device: DeviceKind
    months: int = 1
    types: int = 9  # at most so many of the device's types
    company: bool = False  # each commit is one with units of other clients
    bulk: bool = False  # through every bulk transfer of USB, not only the driver's calls
    pause: Literal["", "running", "planned"] = ""  # a maintenance that the bureau has announced

    def __str__(self) -> str:
        level = (" bulk" if self.bulk else "") + (f" pause {self.pause}" if self.pause else "")
        return f"{self.job.value} {self.device.value} months={self.months} types={self.types}{level}"

    @property
    def number(self) -> int:
        """The number of the job that is looked at; a clear has a report before it."""
        return 2 if self.job is JobKind.CLEAR else 1

    def prepared(self, folder: Path) -> DrivenBench:
        """Return a new world in which the job was just accepted."""
        folder.mkdir(parents=True)
        bench = self.opened(folder, NOON)
        months = MONTHS[self.months]
        bench.file_return(*months)
        if self.job is JobKind.CLEAR:
            bench.number = 1
            bench.accept(JobKind.REPORT, periods=months)
            bench.run_to_the_end()
            bench.number = self.number
        bench.accept(self.job, periods=months)
        return bench

    def opened(self, folder: Path, now: dt.datetime) -> DrivenBench:
        """Return the world in `folder` as a new agent finds it."""
        made = BulkBench if self.bulk else PausedBench if self.pause else DrivenBench
        names = TYPES[self.device][: self.types]
        bench = made(folder, self.device, MONTHS[self.months], names=names)
        if isinstance(bench, PausedBench):
            bench.announces(self.pause)
        bench.clock.now = now
        bench.number = self.number
        bench.company = self.company
        return bench


def enumerated() -> Iterator[Case]:
    """Yield every case: job kind x device kind x scope."""
    for job in JobKind:
        for device in DeviceKind:
            yield Case(job=job, device=device, months=1, types=1)
            yield Case(job=job, device=device, months=2)
    for device in DeviceKind:
        yield Case(job=JobKind.SETTLE, device=device, types=1, company=True)


def period_of_case(case: Case) -> tuple[Period, ...]:
    """Return the months of the case."""
    return MONTHS[case.months]
