"""What the simulated bureau answers of itself and of returns: from its scenario and its memory. Pure."""

from __future__ import annotations

from taxagent.bureau import messages as m
from taxagent.model.bureau import DeclarationState
from taxagent.model.period import Period, period_of, plus
from taxagent.model.simtime import local_time
from taxagent.simulator import bureau_machines as machines
from taxagent.simulator.bureau_conditions import Conditions
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_state import BureauMemory

STATE_WORDS = {
    DeclarationState.NOT_DUE: "该属期无需申报",
    DeclarationState.MISSING: "未查询到该属期的增值税申报记录",
    DeclarationState.MISMATCH: "申报比对不符（一窗式比对不通过）",
    DeclarationState.ACCEPTED: "申报成功",
}


def status(scenario: BureauScenario, conditions: Conditions, now: int) -> m.StatusAnswer:
    """Return the bureau's state at `now`, ms UTC by its clock."""
    first = plus(period_of(local_time(now).date()), -1)
    months = [plus(first, step) for step in range(5)]
    pause = conditions.maintenance
    return m.StatusAnswer(
        clock_ms=now,
        maintenance=pause.message() if pause else None,
        minimum_agent_version=conditions.minimum_agent_version,
        filing_calendar=tuple(
            m.FilingRowMessage(month=month, deadline=scenario.filing_deadline(month)) for month in months
        ),
        notices=conditions.notices,
    )


def declared(
    scenario: BureauScenario, memory: BureauMemory, taxpayer_id: str, month: Period
) -> m.DeclarationAnswer:
    """Return the return of a month: as it was filed, or what a month without one is."""
    filed = memory.returns.get(f"{taxpayer_id}/{month}")
    if filed is not None and filed.state != DeclarationState.MISSING:
        return filed
    state = scenario.state_without_return(taxpayer_id, month)
    owing = state is DeclarationState.MISSING
    missing = machines.unreported(scenario, memory, taxpayer_id, month) if owing else ()
    return m.DeclarationAnswer(
        taxpayer_id=taxpayer_id,
        period=month,
        state=state,
        text=machines.unreported_words(month, missing) if missing else STATE_WORDS[state],
        unreported=missing,
    )


def must_be_reported(scenario: BureauScenario, memory: BureauMemory, taxpayer_id: str, month: Period) -> None:
    """Raise ValueError naming the machines where the taxpayer has several and not all have reported."""
    if len(machines.machines_of(scenario, memory, taxpayer_id)) < 2:
        return
    missing = machines.unreported(scenario, memory, taxpayer_id, month)
    if missing:
        raise ValueError(machines.unreported_words(month, missing))
