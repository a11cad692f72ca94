"""Whether the agent ends itself to get rid of a thread that hangs: seldom, and never amid a write.

Only a new process gets a hanging USB call off its back; whoever supervises it starts it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from taxagent.model.job import Job, JobState

EXIT = 71  # EX_OSERR: systemd's Restart=on-failure starts it again
FIRST_LOOK_MS = 10_000  # the job that hangs is journaled as unknown by then
NEXT_LOOK_MS = 60_000
LEAST_MS = 3_600_000  # between two such restarts, whatever hangs
_INIT = 1  # the process that runs the units of the machine


def wanted(
    rule: Literal["under_systemd", "always", "never"],
    environment: Mapping[str, str],
    *,
    pid: int,
    parent: int,
) -> bool:
    """Return whether somebody starts the agent again. `pid` is this process, `parent` the one that began it.

    systemd names each run of a unit in INVOCATION_ID, which all children inherit: those of a terminal and of
    a cron job too. Since version 248 SYSTEMD_EXEC_PID says which process is meant; before, a child of the
    machine's own systemd is.
    """
    if rule != "under_systemd" or not environment.get("INVOCATION_ID"):
        return rule == "always"
    started = environment.get("SYSTEMD_EXEC_PID")
    return started == str(pid) if started is not None else parent == _INIT


def due(hanging: Iterable[str], live: Iterable[Job], restarted_ms: int | None, now_ms: int) -> bool:
    """Return whether now is the time; `hanging` are the devices that a restart would give one more try."""
    if restarted_ms is not None and now_ms - restarted_ms < LEAST_MS:
        return False
    hung = set(hanging)
    working = (
        job
        for job in live
        if job.kind.irreversible and job.state is JobState.RUNNING and job.scope.device_no not in hung
    )
    return bool(hung) and next(working, None) is None
