"""The newest back-up of a device: when, of which month, and is the file still what the journal says?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from taxagent.model.checks import made
from taxagent.model.job import Backup, Job
from taxagent.model.lines import CheckLine
from taxagent.model.simtime import local_time

_PAGE = 100
_PAGES = 10  # a thousand jobs without a back-up: then the newest is of no use any more
_CHUNK = 1 << 20


class Jobs(Protocol):
    """Of ports.JournalReader what is needed here."""

    def jobs(
        self, *, device_no: str = "", live: bool = False, before: str = "", limit: int = 100
    ) -> Sequence[Job]:
        """Return jobs, newest first, with ids below `before`."""


def newest(device_no: str, jobs: Jobs) -> Iterator[CheckLine]:
    """Yield how the newest back-up of the device stands."""
    found = _newest(device_no, jobs)
    if found is None:
        yield made("backup", "BACKUP_NONE", device_no=device_no)
        return
    kept, ms = found
    facts = {
        "device_no": device_no,
        "period": kept.period,
        "path": kept.path,
        "written": local_time(ms).strftime("%Y-%m-%d %H:%M"),
        "sha256": kept.sha256[:12],
    }
    try:
        same = _sha256(Path(kept.path)) == kept.sha256
    except OSError as error:
        yield made("backup", "BACKUP_GONE", what=error.strerror or type(error).__name__, **facts)
        return
    yield made("backup", "BACKUP_OK" if same else "BACKUP_CHANGED", **facts)


def _newest(device_no: str, jobs: Jobs) -> tuple[Backup, int] | None:
    """Return the back-up and when its job ended or, where it lives, was accepted (ms UTC)."""
    before = ""
    for _ in range(_PAGES):
        page = jobs.jobs(device_no=device_no, before=before, limit=_PAGE)
        for job in page:
            if job.backups:
                kept = max(job.backups, key=lambda each: each.period)
                return kept, job.ended_ms or job.accepted_ms
        if len(page) < _PAGE:
            break
        before = page[-1].job_id
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
