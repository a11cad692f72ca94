"""A status stays small, however many jobs are live."""

from __future__ import annotations

from pathlib import Path

from taxagent.ipc.snapshots import LIVE_SHOWN
from taxclient.sync import Client
from tests.builders.ipc import house, job


def test_a_status_shows_the_oldest_live_jobs_and_counts_all(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.desk.jobs = {made.job_id: made for made in map(job, range(1, 2 * LIVE_SHOWN + 1))}
        status = client.status()
    assert [shown.job_id for shown in status.live_jobs] == list(h.desk.jobs)[:LIVE_SHOWN]
    assert status.live_count == 2 * LIVE_SHOWN
