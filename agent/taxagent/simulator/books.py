"""The invoices and blanks on a simulated device: made or listed by the scenario, counted for statistics.

Pure: knows no state file, no clock of its own (callers say what day it is) and no commands.
"""

from __future__ import annotations

import datetime as dt
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from taxagent.model.device import Statistics, Stock, StockRange
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.simulator.scenario import Blanks, Generated, TypeScenario, days_of, invalid

_EPOCH = dt.date(1, 1, 1)
_BUYERS = ("泉城贸易有限公司", "历下文具店", "明湖餐饮有限公司", "个人", "千佛山建材有限公司")


class InvoiceBook:
    """All invoices of one type, in the order of issue, and the blanks that are left."""

    def __init__(self, scenario: TypeScenario, *, source: str = "scenario") -> None:
        """Raises AgentError SCENARIO_INVALID where the invoices do not fit the blanks."""
        self._scenario = scenario
        self._source = source
        listed = [_listed(scenario.invoice_type, index, scenario) for index in range(len(scenario.invoices))]
        made = list(_generated(scenario, {(i.code, i.number) for i in listed}, source))
        self._invoices: Sequence[Invoice] = sorted(listed + made, key=lambda i: (i.issued_at, i.number))
        self._times = [invoice.issued_at for invoice in self._invoices]
        self._by_number = {(invoice.code, invoice.number): invoice for invoice in self._invoices}
        self._check_numbers(listed)

    def issued(self, day_from: dt.date, day_to: dt.date, now: dt.datetime) -> Sequence[Invoice]:
        """Return the invoices issued in the closed interval and not after `now`, oldest first."""
        begin = bisect_left(self._times, dt.datetime.combine(day_from, dt.time.min))
        end = bisect_right(self._times, min(dt.datetime.combine(day_to, dt.time.max), now))
        return self._invoices[begin:end]

    def all_until(self, now: dt.datetime) -> Sequence[Invoice]:
        """Return every invoice issued until `now`, oldest first."""
        return self._invoices[: bisect_right(self._times, now)]

    def pending(self, now: dt.datetime) -> Sequence[Invoice]:
        """Return the invoices that are not uploaded, oldest first."""
        return [invoice for invoice in self.all_until(now) if not invoice.uploaded]

    def find(self, code: str, number: str, now: dt.datetime) -> Invoice | None:
        """Return the invoice with that code and number, if it was issued until `now`."""
        found = self._by_number.get((code, number))
        return found if found and found.issued_at <= now else None

    def statistics(self, day_from: dt.date, day_to: dt.date, now: dt.datetime) -> Statistics:
        """Return 发票统计 of the closed interval; the stock identity holds unless the scenario breaks it."""
        before = day_from - dt.timedelta(days=1) if day_from > _EPOCH else _EPOCH
        opening = self._blanks_on(before, now)
        chosen = self.issued(day_from, day_to, now)
        bought, returned = self._bought(day_from, day_to), self._returned(day_from, day_to)
        return Statistics(
            invoice_type=self._scenario.invoice_type,
            date_from=day_from,
            date_to=day_to,
            opening=opening,
            bought=bought,
            returned=returned,
            closing=opening + bought - returned - len(chosen) + self._scenario.closing_error,
            blank_voided=sum(1 for i in chosen if i.mark is InvoiceMark.BLANK_VOIDED),
            **_sums(chosen),
        )

    def stock(self, now: dt.datetime) -> Stock:
        """Return the blanks that are left: bought, not used, not returned (those go from the last end)."""
        today = now.date()
        used = {(invoice.code, invoice.number) for invoice in self.all_until(now)}
        free = [n for b in self._blanks(today) for n in _numbers(b) if n not in used]
        kept = free[: max(0, len(free) - self._returned(_EPOCH, today))]
        return Stock(invoice_type=self._scenario.invoice_type, ranges=tuple(_runs(kept)))

    def _blanks(self, day: dt.date) -> list[Blanks]:
        return [b for b in _in_order(self._scenario.stock) if (b.bought_on or _EPOCH) <= day]

    def _blanks_on(self, day: dt.date, now: dt.datetime) -> int:
        bought = sum(b.count for b in self._blanks(day))
        return bought - self._returned(_EPOCH, day) - len(self.issued(_EPOCH, day, now))

    def _bought(self, day_from: dt.date, day_to: dt.date) -> int:
        return sum(b.count for b in self._scenario.stock if b.bought_on and day_from <= b.bought_on <= day_to)

    def _returned(self, day_from: dt.date, day_to: dt.date) -> int:
        return sum(r.count for r in self._scenario.returned if day_from <= r.on <= day_to)

    def _check_numbers(self, listed: Sequence[Invoice]) -> None:
        if len(self._by_number) != len(self._invoices):
            raise invalid(
                self._source, f"types.{self._scenario.invoice_type}.invoices", "a number stands twice"
            )
        for index, invoice in enumerate(listed):
            if not any(_holds(blanks, invoice) for blanks in self._scenario.stock):
                key = f"types.{self._scenario.invoice_type}.invoices[{index}].number"
                raise invalid(self._source, key, "must lie in one of the type's stock ranges")


def _listed(invoice_type: str, index: int, scenario: TypeScenario) -> Invoice:
    listed = scenario.invoices[index]
    return Invoice(
        invoice_type=invoice_type,
        code=listed.code,
        number=listed.number,
        issued_at=listed.issued_at,
        mark=listed.mark,
        amount=listed.amount,
        tax=listed.tax,
        buyer=listed.buyer,
        uploaded=listed.uploaded,
    )


def _generated(scenario: TypeScenario, taken: set[tuple[str, str]], source: str) -> Iterator[Invoice]:
    plan = scenario.generate
    if plan is None:
        return
    chance = random.Random(plan.seed)
    moments = sorted(m for month in plan.months for m in _moments(chance, month, plan.per_month))
    blanks = (b for run in _in_order(scenario.stock) for b in _numbers(run) if b not in taken)
    for index, moment in enumerate(moments):
        blank = next(blanks, None)
        if blank is None:
            key = f"types.{scenario.invoice_type}.generate.per_month"
            raise invalid(source, key, f"{len(moments)} invoices need as many blanks in the type's stock")
        uploaded = index < len(moments) - plan.pending
        yield _made(chance, plan, scenario.invoice_type, blank, moment, uploaded=uploaded)


def _moments(chance: random.Random, month: str, count: int) -> Iterator[dt.datetime]:
    first, last = days_of(month)
    for _ in range(count):
        day = first + dt.timedelta(days=chance.randrange((last - first).days + 1))
        yield dt.datetime.combine(day, dt.time(9)) + dt.timedelta(seconds=chance.randrange(9 * 3600))


def _made(
    chance: random.Random,
    plan: Generated,
    invoice_type: str,
    blank: tuple[str, str],
    moment: dt.datetime,
    *,
    uploaded: bool,
) -> Invoice:
    mark = _mark(plan, chance.randrange(100))
    amount = chance.randint(plan.amount_min, plan.amount_max)
    buyer = chance.choice(_BUYERS)
    sign = {InvoiceMark.NEGATIVE: -1, InvoiceMark.BLANK_VOIDED: 0}.get(mark, 1)
    return Invoice(
        invoice_type=invoice_type,
        code=blank[0],
        number=blank[1],
        issued_at=moment,
        mark=mark,
        amount=sign * amount,
        tax=sign * (amount * plan.tax_percent // 100),
        buyer="" if mark is InvoiceMark.BLANK_VOIDED else buyer,
        uploaded=uploaded,
    )


def _mark(plan: Generated, drawn: int) -> InvoiceMark:
    shares = (
        (plan.voided_percent, InvoiceMark.POSITIVE_VOIDED),
        (plan.red_percent, InvoiceMark.NEGATIVE),
        (plan.blank_voided_percent, InvoiceMark.BLANK_VOIDED),
    )
    for percent, mark in shares:
        if drawn < percent:
            return mark
        drawn -= percent
    return InvoiceMark.POSITIVE


def _sums(invoices: Sequence[Invoice]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for mark in InvoiceMark:
        if mark is InvoiceMark.BLANK_VOIDED:
            continue
        chosen = [invoice for invoice in invoices if invoice.mark is mark]
        sums[mark.value] = len(chosen)
        sums[f"{mark.value}_amount"] = sum(invoice.amount for invoice in chosen)
        sums[f"{mark.value}_tax"] = sum(invoice.tax for invoice in chosen)
    return sums


def _in_order(stock: Sequence[Blanks]) -> list[Blanks]:
    return sorted(stock, key=lambda blanks: blanks.bought_on or _EPOCH)


def _numbers(blanks: Blanks) -> Iterator[tuple[str, str]]:
    begin = int(blanks.number_from)
    return ((blanks.code, f"{number:08d}") for number in range(begin, begin + blanks.count))


def _holds(blanks: Blanks, invoice: Invoice) -> bool:
    begin = int(blanks.number_from)
    return blanks.code == invoice.code and begin <= int(invoice.number) < begin + blanks.count


def _runs(numbers: Sequence[tuple[str, str]]) -> Iterator[StockRange]:
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or not _follows(numbers[index - 1], numbers[index]):
            if index > start:
                code, first = numbers[start]
                yield StockRange(code=code, number_from=first, count=index - start)
            start = index


def _follows(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] == other[0] and int(one[1]) + 1 == int(other[1])
