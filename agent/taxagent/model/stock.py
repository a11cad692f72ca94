"""Do a period's figures agree: the stock of blank invoices, and the sums against the list of invoices?

Works on streams: a tally's size does not grow with the number of invoices. Knows no device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from taxagent.model.device import Statistics
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.money import yuan
from taxagent.model.value import Value

_WITH_SUMS = tuple(mark for mark in InvoiceMark if mark is not InvoiceMark.BLANK_VOIDED)


class Difference(Value, frozen=True, kw_only=True):
    """Two figures that should be one. Counts are numbers of invoices, sums are fen."""

    invoice_type: str
    what: str  # the field of Statistics, "blank_voided_amount" or "type"
    expected: int
    found: int  # what the statistics say

    def __str__(self) -> str:
        money = self.what.endswith(("_amount", "_tax"))
        expected, found = (yuan(n) if money else str(n) for n in (self.expected, self.found))
        return f"{self.what} {expected} != {found}"


@dataclass
class Tally:
    """Counts and sums of the invoices that were added, by mark."""

    counts: dict[InvoiceMark, int] = field(default_factory=lambda: dict.fromkeys(InvoiceMark, 0))
    amounts: dict[InvoiceMark, int] = field(default_factory=lambda: dict.fromkeys(InvoiceMark, 0))
    taxes: dict[InvoiceMark, int] = field(default_factory=lambda: dict.fromkeys(InvoiceMark, 0))

    def add(self, invoice: Invoice) -> None:
        """Count one invoice."""
        self.counts[invoice.mark] += 1
        self.amounts[invoice.mark] += invoice.amount
        self.taxes[invoice.mark] += invoice.tax


def tallied(invoices: Iterable[Invoice]) -> Tally:
    """Return the tally of a stream of invoices."""
    tally = Tally()
    for invoice in invoices:
        tally.add(invoice)
    return tally


def expected_closing(statistics: Statistics) -> int:
    """Return the blank invoices that must be left: opening + bought - returned - all that were used."""
    s = statistics
    used = s.positive + s.positive_voided + s.negative + s.negative_voided + s.blank_voided
    return s.opening + s.bought - s.returned - used


def stock_difference(statistics: Statistics) -> tuple[Difference, ...]:
    """Return the difference between the stated closing stock and the one that follows; empty if none."""
    expected = expected_closing(statistics)
    return _differences(statistics.invoice_type, [("closing", expected, statistics.closing)])


def sums_difference(statistics: Statistics, invoices: Tally) -> tuple[Difference, ...]:
    """Return where the statistics differ from the tally of the period's invoices of this type."""
    rows = [(mark.value, invoices.counts[mark], getattr(statistics, mark.value)) for mark in InvoiceMark]
    for mark in _WITH_SUMS:
        amount, tax = f"{mark.value}_amount", f"{mark.value}_tax"
        rows.append((amount, invoices.amounts[mark], getattr(statistics, amount)))
        rows.append((tax, invoices.taxes[mark], getattr(statistics, tax)))
    blank = InvoiceMark.BLANK_VOIDED
    rows.append(("blank_voided_amount", 0, invoices.amounts[blank]))
    rows.append(("blank_voided_tax", 0, invoices.taxes[blank]))
    return _differences(statistics.invoice_type, rows)


def totals_sha256(statistics: tuple[Statistics, ...]) -> str:
    """Return the SHA-256 (hex) by which a confirmation binds these totals; their order does not matter."""
    ordered = sorted(statistics, key=lambda s: (s.invoice_type, s.date_from, s.date_to))
    return hashlib.sha256(msgspec.json.encode(ordered, order="deterministic")).hexdigest()


def _differences(invoice_type: str, rows: Iterable[tuple[str, int, int]]) -> tuple[Difference, ...]:
    return tuple(
        Difference(invoice_type=invoice_type, what=what, expected=expected, found=found)
        for what, expected, found in rows
        if expected != found
    )
