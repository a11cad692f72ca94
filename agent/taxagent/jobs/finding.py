"""An invoice, found on its device by code and number or by its QR code. Only reads; knows no jobs."""

from __future__ import annotations

from taxagent.jobs.asks import FoundInvoice, InvoiceAsk
from taxagent.model.device import QUIRKS, DeviceState
from taxagent.model.errors import Refusal
from taxagent.model.invoice import Invoice
from taxagent.model.period import Period, period_of
from taxagent.model.period_state import period_state
from taxagent.model.qr import ScannedInvoice, scanned
from taxagent.model.value import Value
from taxagent.ports import Device

_DIGITAL_DIGITS = 20


class Wanted(Value, frozen=True, kw_only=True):
    """The invoice that is looked for, and what its QR code says of it."""

    code: str
    number: str
    scan: ScannedInvoice | None = None


def wanted(ask: InvoiceAsk) -> Wanted:
    """Return what is looked for.

    Raises Refusal with BAD_REQUEST unless there is either code and number or a QR code, and what
    model.qr.scanned raises; a number of 20 digits is a fully digital invoice's.
    """
    if len(ask.number) == _DIGITAL_DIGITS and not ask.qr:
        raise Refusal("QR_DIGITAL", number=ask.number)
    by_number = bool(ask.code) and bool(ask.number)
    if by_number == bool(ask.qr) or bool(ask.code) != bool(ask.number):
        raise Refusal("BAD_REQUEST", what="form_invoice", field="code, number, qr")
    if by_number:
        return Wanted(code=ask.code, number=ask.number)
    scan = scanned(ask.qr)
    return Wanted(code=scan.code, number=scan.number, scan=scan)


def find(device: Device, state: DeviceState, looked_for: Wanted) -> FoundInvoice:
    """Return the invoice as the opened device has it, with its period and that period's state.

    Raises Refusal("INVOICE_UNKNOWN") where the device does not have it, and what the device raises.
    """
    device_no = state.hello.device_no
    invoice = device.find_invoice(looked_for.code, looked_for.number)
    if invoice is None:
        raise Refusal("INVOICE_UNKNOWN", device_no=device_no, code=looked_for.code, number=looked_for.number)
    month = period_of(invoice.issued_at)
    return FoundInvoice(
        device_no=device_no,
        taxpayer_id=state.info.taxpayer_id,
        clock=state.clock,
        invoice=invoice,
        period=month,
        period_state=_state_of(state, invoice, month),
        differs=_differences(invoice, looked_for.scan),
        pending=_pending(state, invoice),
    )


def _state_of(state: DeviceState, invoice: Invoice, month: Period) -> str:
    """Return the PeriodState's value; "" where the device has no monitor data of the type."""
    quirks = QUIRKS.get(state.hello.kind)
    row = next((row for row in state.monitor if row.invoice_type == invoice.invoice_type), None)
    if quirks is None or row is None:
        return ""
    return period_state(month, state.clock, row, quirks).value


def _differences(invoice: Invoice, scan: ScannedInvoice | None) -> tuple[str, ...]:
    """Return where the QR code and the device disagree. Its amount is with or without tax: not compared."""
    if scan is None:
        return ()
    same = {
        "invoice_type": scan.invoice_type == invoice.invoice_type,
        "issued_at": scan.issued_on == invoice.issued_at.date(),
    }
    return tuple(name for name, equal in same.items() if not equal)


def _pending(state: DeviceState, invoice: Invoice) -> tuple[tuple[str, int], ...]:
    """Return how many other invoices of each type are not uploaded; types without any are left out."""
    counts = {row.invoice_type: row.pending_uploads for row in state.monitor}
    if not invoice.uploaded and counts.get(invoice.invoice_type, 0) > 0:
        counts[invoice.invoice_type] -= 1
    return tuple((invoice_type, count) for invoice_type, count in counts.items() if count > 0)
