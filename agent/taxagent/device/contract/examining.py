"""Making the checks: one thread uses the driver, another waits for each finding. Nothing is raised out."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from taxagent.device.contract.bench import Bench, described
from taxagent.device.contract.checks import CHECKS, Check
from taxagent.device.contract.verdict import Finding, NotKept, NotTried, Verdict, as_texts
from taxagent.model.errors import AgentError

LIMIT_S = 300.0  # for one check; a device's slowest answer takes 120 s (watchdogs of the field)


def examine(bench: Bench, checks: Iterable[Check] = CHECKS, limit_s: float = LIMIT_S) -> Iterator[Finding]:
    """Yield the finding of each check as it comes.

    A check that does not end within `limit_s` is failed as "hung", and those after it are skipped: the
    thread that uses the driver cannot be ended and is left behind.
    """
    todo = tuple(checks)
    found: queue.SimpleQueue[Finding] = queue.SimpleQueue()

    def work() -> None:
        for check in todo:
            found.put(judged(check, bench))

    threading.Thread(target=work, name="driver contract", daemon=True).start()
    hung = ""
    for check in todo:
        if hung:
            yield _finding(check, Verdict.SKIPPED, "after_hung", {"check": hung})
            continue
        try:
            yield found.get(timeout=limit_s)
        except queue.Empty:
            hung = check.name
            yield _finding(check, Verdict.FAILED, "hung", {"seconds": limit_s})


def judged(check: Check, bench: Bench) -> Finding:
    """Make one check. Whatever the driver raises becomes a finding."""
    try:
        saw = check.probe(bench)
    except NotTried as ended:
        return _finding(check, Verdict.SKIPPED, ended.reason, ended.facts)
    except NotKept as ended:
        return _finding(check, Verdict.FAILED, ended.reason, ended.facts)
    except AgentError as error:
        bench.errors.append(error)
        return _finding(check, Verdict.FAILED, "raised", {"call": _where(error), "error": described(error)})
    except Exception as error:  # noqa: BLE001 - a driver may raise anything; here it becomes data
        return _finding(check, Verdict.FAILED, "defect", {"error": described(error), "where": _where(error)})
    return _finding(check, Verdict.OK, "", {"saw": saw} if saw else {})


def _finding(check: Check, verdict: Verdict, reason: str, facts: Mapping[str, object]) -> Finding:
    return Finding(check=check.name, verdict=verdict, reason=reason, facts=as_texts(facts))


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} ({frames[-1].name})" if frames else "?"
