"""device.invoices: the found invoice as the wire shows it, and the record that covers it."""

from __future__ import annotations

from taxagent.jobs.asks import FoundInvoice
from taxagent.ports import JournalReader
from taxclient.protocol import messages as m

_PAGE = 500
_PAGES = 10  # a device with more jobs than 5,000 since then: the record is found by record.list


def newest_record(reader: JournalReader, found: FoundInvoice) -> str:
    """Return the job whose record is the newest of report, clear or settle for the invoice's type and month.

    "" where there is none.
    """
    before = ""
    for _ in range(_PAGES):
        jobs = reader.jobs(device_no=found.device_no, before=before, limit=_PAGE)
        for job in jobs:
            covers = found.period in job.scope.periods and found.invoice.invoice_type in job.scope.types
            if job.kind.irreversible and job.record_sha256 and covers:
                return job.job_id
        if len(jobs) < _PAGE:
            break
        before = jobs[-1].job_id
    return ""


def invoice_result(found: FoundInvoice, record_job_id: str) -> m.InvoiceResult:
    """Return what the device told, and where its month's record is."""
    one = found.invoice
    return m.InvoiceResult(
        device_no=found.device_no,
        taxpayer_id=found.taxpayer_id,
        clock=found.clock.isoformat(),
        invoice=m.InvoiceView(
            invoice_type=one.invoice_type,
            code=one.code,
            number=one.number,
            issued_at=one.issued_at.isoformat(),
            mark=one.mark,
            amount=one.amount,
            tax=one.tax,
            buyer=one.buyer,
            uploaded=one.uploaded,
        ),
        period=found.period,
        period_state=found.period_state,
        record_job_id=record_job_id,
        differs=found.differs,
        pending=tuple(m.PendingView(invoice_type=kind, count=count) for kind, count in found.pending),
    )
