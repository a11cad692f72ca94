"""All invoices on a simulated device, of all its types. Pure; callers say what time it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from taxagent.model.invoice import Invoice
from taxagent.simulator.books import InvoiceBook
from taxagent.simulator.scenario import Scenario


class Bookcase:
    """The books of a device. `uploaded_until`: invoices issued until then count as uploaded."""

    def __init__(self, scenario: Scenario) -> None:
        """Raises AgentError SCENARIO_INVALID where invoices and blanks do not fit."""
        self._capacity = scenario.capacity
        self._books = {kind.invoice_type: InvoiceBook(kind) for kind in scenario.types}

    def of(self, invoice_type: str) -> InvoiceBook:
        """Return the book of a type. Raises KeyError."""
        return self._books[invoice_type]

    def pending(
        self, types: Iterable[str], now: dt.datetime, uploaded_until: dt.datetime | None
    ) -> Sequence[Invoice]:
        """Return the invoices of these types that are not uploaded, oldest first; unknown types have none."""
        books = [self._books[name] for name in types if name in self._books]
        waiting = [
            invoice
            for book in books
            for invoice in book.pending(now)
            if not as_it_stands(invoice, uploaded_until).uploaded
        ]
        return sorted(waiting, key=lambda invoice: invoice.issued_at)

    def find(self, code: str, number: str, now: dt.datetime) -> Invoice | None:
        """Return the invoice of any type, or None."""
        found = (book.find(code, number, now) for book in self._books.values())
        return next((invoice for invoice in found if invoice), None)

    def room(self, now: dt.datetime) -> int:
        """Return how many invoices still fit."""
        return max(0, self._capacity - sum(len(book.all_until(now)) for book in self._books.values()))


def as_it_stands(invoice: Invoice, uploaded_until: dt.datetime | None) -> Invoice:
    """Return the invoice, uploaded where it was issued until `uploaded_until`."""
    if invoice.uploaded or uploaded_until is None or invoice.issued_at > uploaded_until:
        return invoice
    return msgspec.structs.replace(invoice, uploaded=True)
