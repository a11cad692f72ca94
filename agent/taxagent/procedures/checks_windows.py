"""Lines of a check for the windows in time: each one, whether it is open, why not, and when it opens."""

from __future__ import annotations

from collections.abc import Iterator

from taxagent.model.checks import made, of_error
from taxagent.model.device import DeviceState
from taxagent.model.errors import AgentError
from taxagent.model.job import JobKind, Problem
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.windows import Act, Finding, WindowRule, findings
from taxagent.procedures.preflight import moment_of, needed, problem_of
from taxagent.procedures.work import Work


def lines(work: Work, state: DeviceState, bureau_error: AgentError | None) -> Iterator[CheckLine]:
    """Yield a line a window. A shut one that is hard fails where something is due."""
    due = something_due(work, state)
    for finding in _found(work, state).values():
        if finding.rule is WindowRule.BUREAU_OPEN and bureau_error is not None:
            shut = bureau_error.fault == finding.fault
            state_of = CheckState.FAIL if shut else CheckState.UNKNOWN
            yield of_error("window", bureau_error, state_of, finding.rule)
        else:
            yield _line(finding, due=due)


def something_due(work: Work, state: DeviceState) -> bool:
    """Return whether a month in scope is not settled."""
    return bool(needed(JobKind.SETTLE, work.job.scope, state))


def findings_of(work: Work, state: DeviceState, bureau_error: AgentError | None) -> tuple[Problem, ...]:
    """Return every window that is not open, and why the bureau cannot be reached: what a check found."""
    shut = tuple(problem_of(finding) for finding in _found(work, state).values() if not finding.open)
    return (bureau_error.problem(), *shut) if bureau_error is not None else shut


def _found(work: Work, state: DeviceState) -> dict[WindowRule, Finding]:
    at = moment_of(work, state)
    return {each.rule: each for act in Act for each in findings(act, at)}


def _line(finding: Finding, *, due: bool) -> CheckLine:
    if finding.open:
        closes = finding.facts.get("closes_at", "")
        return made("window", "WINDOW_OPEN", finding.rule, closes_at=closes)
    if finding.hard and not due:
        opens = finding.facts.get("opens_at", "")
        return made("window", "WINDOW_NOT_NEEDED", finding.rule, opens_at=opens)
    return CheckLine(
        line="window",
        code=finding.fault,
        state=CheckState.FAIL if finding.hard else CheckState.WARN,
        subject=finding.rule,
        facts=finding.facts,
        opens=finding.opens_at,
    )
