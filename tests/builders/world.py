"""What the world does while a job runs: other programs at the device, people at the bureau."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec

from taxagent.model.bureau import DeclarationState
from taxagent.model.job import Step, StepId
from taxagent.model.period import Period, first_day
from taxagent.simulator.scenario import Blanks, Generated, TypeScenario
from tests.builders.scenario import CODE, OCTOBER, TAXPAYER_ID, seal_of, sent, type_007
from tests.builders.work import SEPTEMBER, Bench

Act = Callable[[], None]


def seal_by_another_program(bench: Bench, month: Period = OCTOBER, group: str = "007") -> None:
    """Another program seals a month; the device has no session afterwards."""
    bench.device.hello()
    bench.device.open(bench.device.memory.password)
    bench.device.seal(seal_of(month, group=group), sent())
    bench.device.close()


def remember(bench: Bench, **changes: Any) -> Act:
    """Return an act after which the device's memory has these fields."""

    def act() -> None:
        bench.device.kept.keep(msgspec.structs.replace(bench.device.memory, **changes))

    return act


def moved(bench: Bench, group: str = "007", **changes: Any) -> Act:
    """Return an act after which that group of the device stands elsewhere."""

    def act() -> None:
        memory = bench.device.memory
        standing = memory.group(group)
        assert standing is not None
        bench.device.kept.keep(memory.with_group(msgspec.structs.replace(standing, **changes)))

    return act


def turned(bench: Bench, now: dt.datetime) -> Act:
    """Return an act after which it is `now`, for host, device and bureau."""
    return lambda: setattr(bench.clock, "now", now)


def returned(bench: Bench, state: DeclarationState) -> Act:
    """Return an act after which October's return is in that state."""

    def act() -> None:
        bench.bureau.file_return(TAXPAYER_ID, OCTOBER, state)

    return act


def tickets_issued(bench: Bench) -> int:
    """Return how many tickets the bureau issued."""
    return sum(len(tickets) for tickets in bench.bureau.memory.tickets.values())


def due(name: str = "007", *periods: Period, **changes: Any) -> TypeScenario:
    """Return an invoice type of which `periods` (October; or September and October) are to be reported."""
    months = periods or (OCTOBER,)
    fields: dict[str, Any] = {
        "invoice_type": name,
        "last_report": first_day(months[0]) - dt.timedelta(days=1),
        "invoicing_deadline": dt.date(2026, 10, 26) if months[0] == SEPTEMBER else dt.date(2026, 11, 16),
        "stock": (Blanks(code=CODE, number_from="00000001", count=50),),
        "generate": Generated(seed=1, months=months, per_month=2),
    }
    return type_007(**(fields | changes))


def step(what: Step, group: str = "007", month: Period = OCTOBER) -> StepId:
    """Return the id of a step about a group and a month."""
    return StepId(step=what, group=group, period=month)
