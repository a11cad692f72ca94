"""Lines of a check that the bureau answers: log-in, maintenance, notices, versions, the returns."""

from __future__ import annotations

from collections.abc import Iterator

from taxagent import __version__
from taxagent.model.bureau import BureauStatus, DeclarationState, is_older
from taxagent.model.checks import made, of_error
from taxagent.model.device import DeviceState
from taxagent.model.errors import AgentError, BureauDown, Refusal
from taxagent.model.known import Cycle, filed_with
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.period import Period
from taxagent.model.simtime import local_time
from taxagent.procedures.preflight import unsettled
from taxagent.procedures.work import Work

_WAY = frozenset({"dns", "tcp"})
_REFUSES = frozenset({"BUREAU_AUTH", "BUREAU_REFUSED"})  # it answers, and refuses the log-in


class Answered:
    """What the bureau said when it was asked once: its status, or why there is none."""

    def __init__(self, status: BureauStatus | None, error: AgentError | None) -> None:
        self.status = status
        self.error = error


def asked(work: Work, way: tuple[CheckLine, ...]) -> Answered:
    """Ask the bureau for its status, once; what it raises is kept. No way there: nobody tries it again."""
    if any(line.line in _WAY and line.state is CheckState.FAIL for line in way):
        return Answered(None, BureauDown("BUREAU_DOWN"))
    try:
        work.bureau_status = work.bureau.status()
    except AgentError as error:
        return Answered(None, error)
    return Answered(work.bureau_status, None)


def lines(work: Work, state: DeviceState | None, found: Answered) -> Iterator[CheckLine]:
    """Yield the bureau's lines; where it cannot be asked, one that says why, and which were not asked."""
    if found.error is not None:
        yield from _unanswered(found.error)
        return
    yield made("login", "LOGIN_OK")
    if found.status is not None:
        yield from _status(work, found.status)
    if state is not None:
        yield from _returns(work, state)


def _unanswered(error: AgentError) -> Iterator[CheckLine]:
    line = {"BUREAU_MAINTENANCE": "maintenance", "BUREAU_VERSION": "agent_version"}.get(error.fault, "login")
    certain = line != "login" or error.fault in _REFUSES
    yield of_error(line, error, CheckState.FAIL if certain else CheckState.UNKNOWN)
    for other in ("login", "maintenance", "notices", "agent_version", "return"):
        if other != line:
            yield made(other, "NOT_ASKED", because=error.fault)


def _status(work: Work, status: BureauStatus) -> Iterator[CheckLine]:
    now = work.clock.sim_ms()
    now = now if now is not None else work.clock.utc_ms()
    pause = status.maintenance
    if pause is None or pause.until_ms <= now:
        yield made("maintenance", "MAINTENANCE_NONE")
    else:
        times = {"from": _text(pause.from_ms), "until": _text(pause.until_ms)}
        if pause.from_ms <= now:
            shut = Refusal("BUREAU_MAINTENANCE", bureau_text=pause.text, opens_at=times["until"])
            yield of_error("maintenance", shut)
        else:
            yield made("maintenance", "MAINTENANCE_PLANNED", bureau_text=pause.text, **times)
    if not status.notices:
        yield made("notices", "NOTICES_NONE")
    for notice in status.notices:
        yield made("notices", "NOTICE", bureau_text=notice)
    least = status.minimum_agent_version
    if is_older(__version__, least):
        yield of_error("agent_version", Refusal("BUREAU_VERSION", expected=least, found=__version__))
    else:
        yield made("agent_version", "VERSION_OK", found=__version__, expected=least)


def _returns(work: Work, state: DeviceState) -> Iterator[CheckLine]:
    """Yield how the return stands of each month that is not settled."""
    for month in work.job.scope.periods:
        if not unsettled(work.job.scope, month, state):
            continue
        try:
            yield _return(work, month)
        except AgentError as error:
            yield of_error("return", error, CheckState.UNKNOWN, month)


def _return(work: Work, month: Period) -> CheckLine:
    known = work.known.get(work.job.scope.device_no)
    cycle = known.cycle if known is not None else Cycle.MONTH
    joined = filed_with(month, cycle)
    answer = work.bureau.get_declaration(work.job.scope.taxpayer_id, month)
    facts = {"period": month, "bureau_text": answer.text}
    if answer.state is DeclarationState.ACCEPTED:
        return made("return", "RETURN_FILED", month, **facts)
    if answer.state is DeclarationState.NOT_DUE:
        with_period = joined if joined != month else ""
        return made("return", "RETURN_NOT_DUE", month, with_period=with_period, **facts)
    if answer.state is DeclarationState.MISMATCH:
        return of_error("return", Refusal("DECLARATION_MISMATCH", **facts), subject=month)
    if answer.unreported:
        machines = ", ".join(map(str, answer.unreported))
        missing = Refusal("MACHINE_NOT_REPORTED", machines=machines, **facts)
        return of_error("return", missing, CheckState.WARN, month)
    disagrees = joined != month
    return made("return", "CYCLE_DISAGREES" if disagrees else "RETURN_TO_FILE", month, **facts)


def _text(ms: int) -> str:
    return local_time(ms).strftime("%Y-%m-%d %H:%M")
