"""Lines of a check for the figures: the stock's balance, and the totals against the list of invoices."""

from __future__ import annotations

from collections.abc import Iterator

from taxagent.model.checks import made, of_error
from taxagent.model.device import Statistics
from taxagent.model.errors import DeviceRefused, Refusal
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.money import yuan
from taxagent.model.period import Period, first_day, last_day
from taxagent.model.stock import Difference, expected_closing, stock_difference, sums_difference, tallied
from taxagent.model.value import Value
from taxagent.procedures.work import Work

MOST_INVOICES = 5_000  # of a type and month: their list is read within some seconds; a back-up reads any


class Figures(Value, frozen=True, kw_only=True):
    """What was read, and the lines about it."""

    totals: tuple[Statistics, ...]
    lines: tuple[CheckLine, ...]


def read(work: Work) -> Figures:
    """Read the totals of each type and month in scope, and hold each against stock and invoices."""
    totals: list[Statistics] = []
    lines: list[CheckLine] = []
    for kind in work.job.scope.types:
        for month in work.job.scope.periods:
            try:
                row = work.device.statistics(kind, first_day(month), last_day(month))
            except DeviceRefused as refused:
                lines.append(of_error("stock", refused, CheckState.UNKNOWN, kind))
                lines.append(made("sums", "NOT_ASKED", kind, because=refused.fault))
                continue
            totals.append(row)
            lines += [_stock(row, month), *_sums(work, row, month)]
    return Figures(totals=tuple(totals), lines=tuple(lines))


def _stock(row: Statistics, month: Period) -> CheckLine:
    wrong = stock_difference(row)
    if wrong:
        return _differ("stock", row, wrong)
    figures = {name: str(getattr(row, name)) for name in ("opening", "bought", "returned", "closing")}
    used = row.opening + row.bought - row.returned - expected_closing(row)
    return made("stock", "STOCK_OK", row.invoice_type, period=month, used=str(used), **figures)


def _sums(work: Work, row: Statistics, month: Period) -> Iterator[CheckLine]:
    """Yield how the totals stand against the invoices, which are read one by one, page by page."""
    kind = row.invoice_type
    count = str(_count(row))
    if _count(row) > MOST_INVOICES:
        yield made("sums", "SUMS_LATER", kind, period=month, count=count)
        return
    try:
        tally = tallied(work.device.invoices(kind, row.date_from, row.date_to))
    except DeviceRefused as refused:
        yield of_error("sums", refused, CheckState.UNKNOWN, kind)
        return
    wrong = sums_difference(row, tally)
    if wrong:
        yield _differ("sums", row, wrong)
        return
    amount = yuan(row.positive_amount + row.negative_amount)
    tax = yuan(row.positive_tax + row.negative_tax)
    yield made("sums", "SUMS_OK", kind, period=month, count=count, amount=amount, tax=tax)


def _count(row: Statistics) -> int:
    return row.positive + row.positive_voided + row.negative + row.negative_voided + row.blank_voided


def _differ(line: str, row: Statistics, wrong: tuple[Difference, ...]) -> CheckLine:
    facts = {"invoice_type": row.invoice_type, "differences": "; ".join(map(str, wrong))}
    return of_error(line, Refusal("STOCK_MISMATCH", **facts), subject=row.invoice_type)
