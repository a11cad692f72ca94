"""All that the judge is shown of a world, read from files; and the first look at it: who did which write.

`strangers` are the payload hashes of other programs' writes; `passwords_given` says how often a person gave
each device's password anew; `forgotten` are jobs that stood in a journal that was taken away since.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import msgspec

from tests.judge.shapes import (
    BureauMemory,
    Call,
    DeviceMemory,
    JobView,
    Link,
    LoggedWrite,
    RefusedTry,
    Row,
    Standing,
    StepId,
    Told,
)

V = TypeVar("V")
_KINDS = {"seal": "seal", "clock_ticket": "clock_ticket", "apply": "apply_ticket"}
IRREVERSIBLE = frozenset(_KINDS)


class Evidence(msgspec.Struct, kw_only=True, dict=True):
    """What the judge is shown. All of it is data: no path is followed but those of the back-ups."""

    journal_id: str = ""
    links: tuple[Link, ...] = ()
    standings: tuple[Standing, ...] = ()
    rows: tuple[Row, ...] = ()
    devices: dict[str, DeviceMemory] = {}
    writes: tuple[LoggedWrite, ...] = ()  # of all devices, each device's oldest first
    refused_tries: tuple[RefusedTry, ...] = ()
    bureau: BureauMemory = BureauMemory()
    calls: tuple[Call, ...] = ()
    told: tuple[Told, ...] = ()
    strangers: frozenset[str] = frozenset()
    passwords_given: dict[str, int] = {}
    forgotten: frozenset[str] = frozenset()
    deadlines: Mapping[str, dt.date] = {}  # last day of each month's filing window
    one_clock: bool = True  # rows bear the time of the device's log and of the transcript
    slack_ms: int = 1000  # how far apart two processes may read the one clock
    settled: bool = True  # nothing is under way any more: every job ended or wants a person

    @cached_property
    def accepts(self) -> dict[str, Row]:
        """The accept of each job, by id."""
        return {row.job_id: row for row in self.rows if row.event == "job.accepted"}

    @cached_property
    def comparable(self) -> bool:
        """Whether times in rows, writes and transcript can be compared: one clock, and never put back."""
        times = [row.at_ms for row in self.rows]
        return self.one_clock and times == sorted(times)

    @cached_property
    def bureau_ahead_ms(self) -> int | None:
        """By how much the bureau's clock (it may be simulated) is ahead of the rows'; None: not told."""
        ahead = [row.sim_ms - row.at_ms for row in self.rows if row.sim_ms is not None] or [0]
        times = [call.at_ms for call in self.calls]
        latest = list(accumulate(times, max))
        steady = all(most - at <= self.slack_ms for at, most in zip(times, latest, strict=True))
        return ahead[0] if steady and max(ahead) - min(ahead) <= self.slack_ms else None

    def bureau_ms(self, at_ms: int | None) -> int | None:
        """Return that time by the bureau's clock, None where it cannot be told."""
        ahead = self.bureau_ahead_ms if self.comparable else None
        return at_ms + ahead if at_ms is not None and ahead is not None else None

    @cached_property
    def by_job(self) -> dict[str, list[Row]]:
        """The rows of each job, oldest first."""
        jobs: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.job_id:
                jobs.setdefault(row.job_id, []).append(row)
        return jobs

    @cached_property
    def ends(self) -> dict[str, Row]:
        """The first end of each job that has one."""
        found: dict[str, Row] = {}
        for row in self.rows:
            if row.event == "job.ended":
                found.setdefault(row.job_id, row)
        return found

    @cached_property
    def announced(self) -> tuple[Deed, ...]:
        """Every announced irreversible step with the accepted write that it led to, or None."""
        return tuple(self._deeds())

    def _deeds(self) -> Iterator[Deed]:
        begun = [row for row in self.rows if row.event == "step.begun" and row.baseline is not None]
        done: dict[int, LoggedWrite] = {}
        for line in self.writes:
            # What was never sent left no trace, and the next try began at the same baseline: the last did it.
            fitting = [row for row in begun if self._device_of(row) == line.device_no and _fits(line, row)]
            if fitting:
                done.setdefault(fitting[-1].seq, line)
        for row in begun:
            if row.job_id in self.accepts:
                yield Deed(begun=row, accept=self.accepts[row.job_id], write=done.get(row.seq))

    def _device_of(self, row: Row) -> str:
        accept = self.accepts.get(row.job_id)
        return accept.scope.device_no if accept is not None else ""

    def deeds_of(self, job_id: str) -> tuple[Deed, ...]:
        """Return the announced irreversible steps of a job."""
        return tuple(deed for deed in self.announced if deed.begun.job_id == job_id)

    def wrote(self, job_id: str) -> list[LoggedWrite]:
        """Return the writes that the device carried out for a job."""
        return [deed.write for deed in self.deeds_of(job_id) if deed.write is not None]

    def executed(self, device_no: str) -> list[LoggedWrite]:
        """Return the writes that a device carried out, oldest first."""
        return [line for line in self.writes if line.device_no == device_no and line.write.accepted]

    def jobs_told(self) -> Iterator[tuple[Told, JobView]]:
        """Yield every job that anyone was shown."""
        for told in self.told:
            for view in told.views():
                yield told, view


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """An announced irreversible step and what the device's log has of it."""

    begun: Row
    accept: Row
    write: LoggedWrite | None

    @property
    def step(self) -> StepId:
        """Which step."""
        return self.begun.id


def _fits(line: LoggedWrite, begun: Row) -> bool:
    baseline, write = begun.baseline, line.write
    return (
        baseline is not None
        and write.accepted
        and write.kind == _KINDS.get(begun.id.step)
        and write.payload_sha256 == baseline.payload_sha256
        and write.write_no > baseline.write_no
    )


def journal_evidence(path: Path) -> Evidence:
    """Return what the journal file at `path` shows. Raises sqlite3.Error where it cannot be read."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        (journal_id,) = db.execute("SELECT value FROM meta WHERE name = 'journal_id'").fetchone()
        links = tuple(
            Link(seq=seq, body=body, digest=digest)
            for seq, body, digest in db.execute("SELECT seq, body, hash FROM event ORDER BY seq")
        )
        standings = tuple(
            Standing(job_id=job_id, state=state, ended=bool(ended))
            for job_id, state, ended in db.execute("SELECT job_id, state, ended FROM job ORDER BY job_id")
        )
    return Evidence(journal_id=journal_id, links=links, standings=standings, rows=rows_of(links))


def rows_of(links: Iterable[Link]) -> tuple[Row, ...]:
    """Return the rows that the links hold."""
    return tuple(
        msgspec.structs.replace(msgspec.json.decode(link.body, type=Row), seq=link.seq) for link in links
    )


def read(
    journal: Path, *, device: Path | None = None, bureau: Path | None = None, told: Path | None = None
) -> Evidence:
    """Return the evidence in these places; a place that is not there holds none."""
    found = journal_evidence(journal)
    if device is not None and device.is_dir():
        found.devices = {m.device_no: m for m in _states(device)}
        found.writes = tuple(w for path in _all(device, "writes") for w in lines(path, LoggedWrite))
        found.refused_tries = tuple(t for path in _all(device, "tries") for t in lines(path, RefusedTry))
    if bureau is not None and (bureau / "bureau.json").exists():
        found.bureau = msgspec.json.decode((bureau / "bureau.json").read_bytes(), type=BureauMemory)
    if bureau is not None:
        found.calls = tuple(lines(bureau / "calls.jsonl", Call))
    if told is not None:
        found.told = tuple(lines(told, Told))
    return found


def lines(path: Path, kind: type[V]) -> list[V]:
    """Return the whole lines of a log; a last one that a crash cut short is left out."""
    try:
        whole = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=kind) for line in whole]


def _states(folder: Path) -> list[DeviceMemory]:
    return [
        msgspec.json.decode(path.read_bytes(), type=DeviceMemory)
        for path in sorted(folder.glob("*.state.json"))
    ]


def _all(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"*.{name}.jsonl"))
