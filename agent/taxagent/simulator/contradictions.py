"""What must not stand together in a simulated device's scenario. Pure; knows no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from taxagent.device.commands import Command
from taxagent.model.device import QUIRKS, Quirks
from taxagent.model.invoice import INVOICE_TYPES, InvoiceMark
from taxagent.simulator.kinds import first_unreported

if TYPE_CHECKING:
    from taxagent.simulator.scenario import Generated, Scenario, TypeScenario

COMMANDS = tuple(command.name.lower() for command in Command)
"""The commands of the device, by the names that latencies and fault scripts use."""


def contradictions(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, or is allowed to nobody: (the key's path, what is wrong)."""
    if len(scenario.taxpayer_id) not in {15, 17, 18, 20}:
        yield "taxpayer_id", "allowed: 15, 17, 18 or 20 characters of 0-9 and A-Z"
    if scenario.certificate_to < scenario.certificate_from:
        yield "certificate_to", "must not lie before certificate_from"
    quirks = QUIRKS[scenario.kind]
    if scenario.settles_ms > quirks.settles_within_s * 1000:
        allowed = f"0 to {quirks.settles_within_s * 1000:.0f}" if quirks.seal_by_reading else "0"
        yield "settles_ms", f"allowed for a {scenario.kind.value}: {allowed}"
    yield from _foreign_commands(scenario)
    names = [kind.invoice_type for kind in scenario.types]
    for index, kind in enumerate(scenario.types):
        where = f"types[{index}]"
        if names.index(kind.invoice_type) != index:
            yield f"{where}.invoice_type", f"{kind.invoice_type} stands twice"
        yield from ((f"{where}.{key}", problem) for key, problem in _type_contradictions(kind, quirks))
    for group in scenario.groups():
        yield from _apart(scenario, group)


def _foreign_commands(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for name in scenario.unknown_commands:
        if name not in COMMANDS or name == "hello":
            yield "unknown_commands", f"{name}: allowed: {', '.join(COMMANDS[1:])}"
    for name in scenario.latency_ms:
        if name not in (*COMMANDS, "default"):
            yield f"latency_ms.{name}", f"allowed: default, {', '.join(COMMANDS)}"


def _apart(scenario: Scenario, group: str) -> Iterator[tuple[str, str]]:
    """Yield where the types of a group do not stand alike: they are reported and cleared together."""
    members = [index for index, kind in enumerate(scenario.types) if kind.invoice_type in group.split("+")]
    first = scenario.types[members[0]]
    for index in members[1:]:
        kind = scenario.types[index]
        for key in ("last_report", "invoicing_deadline"):
            if getattr(kind, key) != getattr(first, key):
                yield f"types[{index}].{key}", f"must be that of {first.invoice_type}: {group} is one group"


def _type_contradictions(kind: TypeScenario, quirks: Quirks) -> Iterator[tuple[str, str]]:
    if kind.invoice_type not in INVOICE_TYPES:
        yield "invoice_type", f"allowed: {', '.join(INVOICE_TYPES)}"
    if first_unreported(kind.last_report, quirks).day != 1:
        which = "last" if quirks.last_report_inclusive else "first"
        yield "last_report", f"must be the {which} day of a month: so this kind stores it"
    if kind.invoicing_deadline <= kind.last_report:
        yield "invoicing_deadline", "must lie after last_report"
    for index, listed in enumerate(kind.invoices):
        if listed.mark is InvoiceMark.BLANK_VOIDED and (listed.amount or listed.tax):
            yield f"invoices[{index}].amount", "must be 0: a voided blank has no sums"
        if listed.mark in _RED and (listed.amount > 0 or listed.tax > 0):
            yield f"invoices[{index}].amount", "must be <= 0 for a red invoice"
        if listed.mark in _BLUE and (listed.amount < 0 or listed.tax < 0):
            yield f"invoices[{index}].amount", "must be >= 0 for an invoice that is not red"
    if kind.generate and kind.generate.amount_max < kind.generate.amount_min:
        yield "generate.amount_max", "must not be less than generate.amount_min"
    if kind.generate and _share(kind.generate) > 100:
        yield "generate.voided_percent", "voided, red and blank_voided percents must not exceed 100 together"


_RED = frozenset({InvoiceMark.NEGATIVE, InvoiceMark.NEGATIVE_VOIDED})
_BLUE = frozenset({InvoiceMark.POSITIVE, InvoiceMark.POSITIVE_VOIDED})


def _share(generate: Generated) -> int:
    return generate.voided_percent + generate.red_percent + generate.blank_voided_percent
