"""The agent's unit: does it run, did it end badly, is it started at boot? Asks systemd; starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from taxagent.host.probes.asking import Ask, asked, has_systemd, shown
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine

UNIT = "taxagent"
_ASKED = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "ExecMainStatus",
    "NRestarts",
    "UnitFileState",
    "StatusText",
    "MainPID",
)
_COMMAND = ("systemctl", "show", UNIT, "--no-pager", f"--property={','.join(_ASKED)}")
_BY_STATUS = {  # exit codes: ours, and those of systemd.exec(5) for what it could not prepare
    "2": "UNIT_FAILED_CONFIG",
    "75": "UNIT_FAILED_SECOND",
    "203": "UNIT_FAILED_PROGRAM",
    "216": "UNIT_FAILED_USER",
    "217": "UNIT_FAILED_USER",
}
_BY_RESULT = {
    "watchdog": "UNIT_FAILED_WATCHDOG",
    "start-limit-hit": "UNIT_FAILED_LIMIT",
    "oom-kill": "UNIT_FAILED_MEMORY",
    "timeout": "UNIT_FAILED_TIMEOUT",
}


def service(ask: Ask = asked, root: Path = Path("/")) -> Iterator[CheckLine]:
    """Yield how the unit stands and how it ended last; `root` is where /run is looked for."""
    if not has_systemd(root):
        yield made("unit", "NO_SYSTEMD")
        return
    try:
        told = shown(ask, _COMMAND)
    except OSError as error:
        yield made("unit", "UNIT_NOT_ASKED", what=error.strerror or str(error))
        return
    if told.get("LoadState") in ("not-found", "", None):
        yield made("unit", "UNIT_NOT_INSTALLED")
        return
    facts = {
        "active": told.get("ActiveState", "?"),
        "sub": told.get("SubState", "?"),
        "result": told.get("Result", "?"),
        "status": told.get("ExecMainStatus", "?"),
        "restarts": told.get("NRestarts", "0"),
        "says": told.get("StatusText", ""),
        "pid": told.get("MainPID", "").removeprefix("0"),
    }
    yield made("unit", _case(told), **facts)
    if told.get("UnitFileState") == "disabled":
        yield made("unit", "UNIT_NOT_ENABLED")


def _case(told: Mapping[str, str]) -> str:
    """Return the case of a unit that is there; one that is to be started again tells how it failed."""
    active, result = told.get("ActiveState"), told.get("Result", "")
    if told.get("LoadState") == "masked":
        return "UNIT_MASKED"
    if active == "active":
        return "UNIT_RUNS" if told.get("NRestarts", "0") == "0" else "UNIT_RESTARTED"
    if active == "failed" or told.get("SubState") == "auto-restart":
        by_status = _BY_STATUS.get(told.get("ExecMainStatus", ""), "UNIT_FAILED")
        return _BY_RESULT.get(result, by_status if result in ("exit-code", "") else "UNIT_FAILED")
    return "UNIT_STOPPED" if active == "inactive" else "UNIT_CHANGING"
