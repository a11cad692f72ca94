"""The metrics of a running agent: what is counted, shown, and by which ways. Decides nothing about work.

Where they are off, prometheus_client is not imported: it takes 40 ms of every start.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from taxagent.jobs.asks import DeviceView
from taxagent.metrics.serving import Endpoint, TextFile, given_socket
from taxagent.metrics.tally import Tally
from taxagent.model.events import AnyEvent, JobNeedsHuman, JobUnknown
from taxagent.model.job import Job, JobState
from taxagent.ports import Clock, JournalReader

if TYPE_CHECKING:
    from taxagent.metrics.families import Families

_log = structlog.get_logger(__name__)
_EVERY_MS = 5000  # between two pictures
_EARLIER_JOBS = 1000  # so many are looked at for the last success of each kind

Look = Callable[[], tuple[Sequence[DeviceView], Iterable[Job], dt.date]]


class Metrics:
    """`listen` and `textfile` as in [metrics]; with both "" nothing is opened or written."""

    def __init__(
        self,
        clock: Clock,
        version: str,
        journal: Path,
        *,
        listen: str,
        textfile: Path | None,
        interval_s: float,
    ) -> None:
        self._listen = listen
        self._tally = Tally(clock, version)
        wanted = bool(listen) or textfile is not None
        self._families = _families(journal, clock) if wanted else None
        self._file: TextFile | None = None
        if self._families is not None and textfile is not None:
            self._file = TextFile(textfile, self._families.classic, interval_s)
        self._endpoint: Endpoint | None = None

    def open(self) -> None:
        """Let scrapes in. A port that is taken is logged: the agent works without."""
        if self._families is None:
            return
        try:
            given = given_socket(os.environ, os.getpid()) if self._listen == "systemd" else None
            if given is not None or self._listen not in ("", "systemd"):
                self._endpoint = Endpoint(
                    self._listen if given is None else ":0", self._families.openmetrics, given
                )
                self._endpoint.start()
                _log.info("metrics", address=self._endpoint.address)
            elif self._listen:
                _log.warning("metrics_not_served", reason="systemd gave no socket")
        except OSError as error:
            _log.warning("metrics_not_served", address=self._listen, reason=str(error))

    def earlier(self, reader: JournalReader) -> Callable[[], None]:
        """Read what was before the start, in a thread that may wait; return what the loop is to call."""
        if self._families is None:
            return lambda: None
        jobs = [*reader.jobs(limit=_EARLIER_JOBS), *reader.jobs(live=True, limit=_EARLIER_JOBS)]
        stuck = {
            job.job_id: event.at_ms
            for job in jobs
            if job.state in (JobState.UNKNOWN, JobState.NEEDS_HUMAN)
            for _, event in reader.job_events(job.job_id)
            if isinstance(event, JobUnknown | JobNeedsHuman)
        }
        return lambda: self._tally.earlier(jobs, stuck)

    def measured(self, commit: Callable[[], object]) -> None:
        """Call `commit`, and take its time where somebody may see it. The journal's thread."""
        if self._families is None:
            commit()
        else:
            self._families.measured(commit)

    def take(self, event: AnyEvent, job: Job | None) -> None:
        """Count a committed row. The loop's thread."""
        self._tally.take(event, job)

    def start(self, look: Look, later: Callable[[int, Callable[[], None]], object]) -> None:
        """Publish a picture now and again and again. The loop's thread."""
        if self._families is not None:
            self._look(self._families, look, later)
            if self._file is not None:
                self._file.start()

    def close(self) -> None:
        """Show nothing more."""
        if self._endpoint is not None:
            self._endpoint.stop()
        if self._file is not None:
            self._file.stop()

    def _look(
        self, families: Families, look: Look, later: Callable[[int, Callable[[], None]], object]
    ) -> None:
        try:
            families.publish(self._tally.picture(*look()))
        except Exception:  # noqa: BLE001 - a defect here must not end the loop; the log has it
            _log.exception("metrics_picture_failed")
        later(_EVERY_MS, lambda: self._look(families, look, later))


def _families(journal: Path, clock: Clock) -> Families:
    from taxagent.metrics.families import Families  # noqa: PLC0415 - not at a start without metrics

    return Families(journal, clock.monotonic)
