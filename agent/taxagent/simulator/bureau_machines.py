"""Which machines a taxpayer has, by register and reports, and which have not reported a month. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from taxagent.bureau.messages import MachineMessage
from taxagent.model.period import Period
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_state import BureauMemory


def machines_of(
    scenario: BureauScenario, memory: BureauMemory, taxpayer_id: str
) -> tuple[MachineMessage, ...]:
    """Return the taxpayer's machines, main machine first: those issued to it and those that reported."""
    found: dict[str, MachineMessage] = {}
    for device_no, owner in memory.owners.items():
        if owner == taxpayer_id:
            known = memory.machines.get(device_no)
            found[device_no] = MachineMessage(
                device_no=device_no,
                terminal_no=known.terminal_no if known else 0,
                device_kind=known.device_kind if known else "",
            )
    for one in scenario.devices:
        if one.taxpayer_id == taxpayer_id:
            kind = one.kind.value if one.kind else ""
            found[one.device_no] = MachineMessage(
                device_no=one.device_no, terminal_no=one.terminal_no, device_kind=kind
            )
    return tuple(sorted(found.values(), key=lambda one: (one.terminal_no, one.device_no)))


def unreported(
    scenario: BureauScenario, memory: BureauMemory, taxpayer_id: str, month: Period, *, besides: str = ""
) -> tuple[MachineMessage, ...]:
    """Return the machines that have to report the month and have not; `besides`: one that is left out."""
    return tuple(
        machine
        for machine in machines_of(scenario, memory, taxpayer_id)
        if machine.device_no != besides and _owes(scenario, memory, machine.device_no, month)
    )


def unreported_words(month: Period, machines: tuple[MachineMessage, ...]) -> str:
    """Return the bureau's words about machines that have not reported."""
    named = "、".join(f"{one.terminal_no}号开票机（{one.device_no}）" for one in machines)
    return f"所属期 {month} 尚未抄报：{named}"


def _owes(scenario: BureauScenario, memory: BureauMemory, device_no: str, month: Period) -> bool:
    """Whether a group that reported an earlier month lacks this one, or an issued device has none at all."""
    reported = dict(_months_by_group(memory, device_no))
    if any(min(months) <= month and month not in months for months in reported.values()):
        return True
    registration = scenario.registration(device_no)
    if registration is None or any(month in months for months in reported.values()):
        return False
    return registration.first_period is None or registration.first_period <= month


def _months_by_group(memory: BureauMemory, device_no: str) -> Iterator[tuple[str, set[str]]]:
    groups: dict[str, set[str]] = {}
    for about in memory.reports:
        reporter, group, month = about.split("/")
        if reporter == device_no:
            groups.setdefault(group, set()).add(month)
    yield from groups.items()
