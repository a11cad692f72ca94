"""A picture as OpenMetrics and as Prometheus' older text. The one file that knows prometheus_client's shapes.

A render reads the picture that was published last, and the journal's size: it never waits for the loop.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.exposition import generate_latest as classic
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.registry import Collector

from taxagent.metrics.picture import Picture, Stands

_COMMIT_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Families(Collector):
    """The agent's metrics. `publish` in the loop's thread, `openmetrics` and `classic` in any."""

    def __init__(self, journal: Path, monotonic: Callable[[], float]) -> None:
        """Show this journal's size and its disk's room; `monotonic` in seconds measures the commits."""
        self._journal = journal
        self._monotonic = monotonic
        self._picture: Picture | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._commits = Histogram(
            "taxagent_journal_commit_seconds",
            "Time of a commit of the journal, to the disk",
            buckets=_COMMIT_BUCKETS_S,
            registry=self._registry,
        )

    def publish(self, picture: Picture) -> None:
        """Show this one from now on."""
        self._picture = picture

    def measured(self, commit: Callable[[], object]) -> None:
        """Call `commit` and take its time, also where it raises. The journal's thread."""
        begun = self._monotonic()
        try:
            commit()
        finally:
            self._commits.observe(self._monotonic() - begun)

    def openmetrics(self) -> bytes:
        """Return the OpenMetrics text."""
        return cast("bytes", openmetrics(self._registry))  # type: ignore[no-untyped-call]

    def classic(self) -> bytes:
        """Return the text format 0.0.4: the only one that node_exporter's textfile collector reads."""
        return classic(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield what the picture holds; before the first one, what the disk tells alone."""
        yield from self._disk()
        picture = self._picture
        if picture is not None:
            yield from _agent(picture)
            yield from _devices(picture)
            yield from _jobs(picture)

    def _disk(self) -> Iterator[Metric]:
        log = self._journal.with_name(self._journal.name + "-wal")
        try:
            size = sum(path.stat().st_size for path in (self._journal, log) if path.exists())
            free = shutil.disk_usage(self._journal.parent).free
        except OSError:
            return  # absent from the scrape: what cannot be read is not 0
        yield _gauge("taxagent_journal_size_bytes", "Size of the journal and its log", size)
        yield _gauge("taxagent_state_free_bytes", "Room on the disk of the journal and the back-ups", free)


def _agent(picture: Picture) -> Iterator[Metric]:
    yield InfoMetricFamily("taxagent_build", "The agent's version", {"version": picture.version})
    yield _gauge("taxagent_start_time_seconds", "When the process began (UTC)", picture.started_s)
    yield _gauge("taxagent_snapshot_timestamp_seconds", "When the loop last gave these figures", picture.at_s)
    if picture.filing_days is not None:
        yield _gauge("taxagent_filing_deadline_days", "Days to the month's deadline", picture.filing_days)


def _devices(picture: Picture) -> Iterator[Metric]:
    state = StateSetMetricFamily("taxagent_device_state", "How a device stands", labels=["device_no"])
    lock = GaugeMetricFamily(
        "taxagent_device_lock_days", "Days to the lock date", labels=["device_no", "invoice_type"]
    )
    for device in picture.devices:
        state.add_metric([device.device_no], {stands.value: stands is device.stands for stands in Stands})
        for invoice_type, days in device.lock_days:
            lock.add_metric([device.device_no, invoice_type], days)
    yield state
    yield lock
    for name, text, rows in (
        ("taxagent_device_reconnects", "Times a device came back at another plugging", picture.reconnects),
        ("taxagent_device_hangs", "Commands that a device did not answer in time", picture.hangs),
    ):
        counter = CounterMetricFamily(name, text, labels=["device_no"])
        for number, count in rows:
            counter.add_metric([number], count)
        yield counter
    yield _by(
        "taxagent_last_backup_timestamp_seconds", "A device's newest back-up", "device_no", picture.backed_up
    )


def _jobs(picture: Picture) -> Iterator[Metric]:
    ended = CounterMetricFamily("taxagent_jobs", "Ended jobs", labels=["kind", "outcome", "cause"])
    for labels, count in picture.ended:
        ended.add_metric(list(labels), count)
    yield ended
    yield _by("taxagent_jobs_live", "Live jobs by state", "state", picture.live)
    yield _by(
        "taxagent_last_success_timestamp_seconds", "When a job was done last", "kind", picture.succeeded
    )
    yield _gauge("taxagent_unknown_seconds", "Age of the oldest unknown job, 0 = none", picture.unknown_s)
    yield _gauge(
        "taxagent_needs_human_seconds", "Age of the oldest job that needs a person", picture.needs_human_s
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, rows: tuple[tuple[str, float], ...]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in rows:
        family.add_metric([key], value)
    return family
