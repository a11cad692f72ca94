"""Can this shop issue invoices? The answer per invoice type, from one reading of its device. Pure."""

from __future__ import annotations

from enum import StrEnum

from taxagent.model.cases import Blocks, Cause, cases
from taxagent.model.obstacles import Situation, cause, hours_left, of_device, of_type
from taxagent.model.value import Value

MOST_CAUSES = 3
CLOCKS = frozenset({"CLOCK_WENT_BACK", "CLOCK_WRONG"})


class Verdict(StrEnum):
    """Whether invoices can be issued."""

    CAN = "can"  # 可以开票
    CANNOT = "cannot"  # 不能开票
    UNKNOWN = "unknown"  # the agent cannot tell: it says why


class Answer(Value, frozen=True, kw_only=True):
    """The answer for one invoice type; `invoice_type` is "" where the device's types are not known."""

    invoice_type: str
    verdict: Verdict
    hours_left: int | None  # whole hours until it locks, in the last days before that; 0 once it is locked
    causes: tuple[Cause, ...]  # a wrong clock, what blocks, what is in doubt, warnings; at most three

    @property
    def case_code(self) -> str:
        """The answer as digits to be read over the phone: the type, then the causes' numbers or "00"."""
        numbers = [cases()[one.case].number for one in self.causes] or ["00"]
        return "-".join([self.invoice_type or "000", *numbers])


def diagnosed(at: Situation) -> tuple[Answer, ...]:
    """Return an answer for each invoice type, or one for the whole device where its types are not known."""
    shared = tuple(of_device(at))
    if at.state is None or at.device_now is None:
        told = any(cases()[one.case].blocks is not Blocks.NO for one in shared)
        return (_answer("", shared if told else (*shared, cause(at, "NOT_READ_YET")), None),)
    if not at.state.monitor:
        return (_answer("", (*shared, cause(at, "NO_TYPES")), None),)
    now = at.device_now
    return tuple(
        _answer(row.invoice_type, (*of_type(at, row, now), *shared), hours_left(row, now))
        for row in at.state.monitor
    )


def _answer(invoice_type: str, found: tuple[Cause, ...], hours_left: int | None) -> Answer:
    order, weight = list(cases()), list(Blocks)
    worst = min((cases()[one.case].blocks for one in found), key=weight.index, default=Blocks.NO)
    ranked = sorted(found, key=lambda one: (weight.index(cases()[one.case].blocks), order.index(one.case)))
    ranked.sort(key=lambda one: one.case not in CLOCKS)  # what is judged by a wrong clock is told after it
    verdict = {Blocks.YES: Verdict.CANNOT, Blocks.DOUBT: Verdict.UNKNOWN, Blocks.NO: Verdict.CAN}[worst]
    return Answer(
        invoice_type=invoice_type,
        verdict=verdict,
        hours_left=hours_left,
        causes=tuple(ranked[:MOST_CAUSES]),
    )
