"""taxctl invoice: the invoice, whether it is uploaded, its month; and which device was asked."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from taxagent.jobs.asks import FoundInvoice
from taxagent.model.period import period
from taxclient.cli import exits, invoice
from taxclient.cli.main import main
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m
from tests.builders.ipc import DEVICE, House, device_view, house
from tests.unit.jobs.test_finding import INVOICE, SCAN

SETTLE = f"taxctl settle {DEVICE} --type 007 --period 2026-10"
OTHER = "661234567899"
FOUND = FoundInvoice(
    device_no=DEVICE,
    taxpayer_id="91440300123456789A",
    clock=INVOICE.issued_at,
    invoice=INVOICE,
    period=period("2026-10"),
    period_state="report_due",
    differs=(),
    pending=(("007", 2),),
)
RESULT = m.InvoiceResult(
    device_no=DEVICE,
    taxpayer_id="91440300123456789A",
    clock="2026-11-03T09:30:00",
    invoice=m.InvoiceView(
        invoice_type="007",
        code="3700221320",
        number="04310401",
        issued_at="2026-10-12T10:15:00",
        mark="positive",
        amount=128_000,
        tax=16_640,
        buyer="某某公司",
        uploaded=False,
    ),
    period="2026-10",
    period_state="report_due",
    record_job_id="",
    differs=("issued_at",),
    pending=(m.PendingView(invoice_type="004", count=2),),
)


def ran(h: House, capsysbinary: pytest.CaptureFixture[bytes], *argv: str) -> tuple[int, dict[str, object]]:
    code = main(["--endpoint", h.endpoint, "--lang", "en", "--json", "invoice", *argv])
    found: dict[str, object] = json.loads(capsysbinary.readouterr().out.splitlines()[-1])
    return code, found


def test_it_is_told_with_its_month_and_what_blocks() -> None:
    assert list(invoice.lines(RESULT, Speech("en"))) == [
        "3700221320 04310401  007 general VAT invoice  positive",
        f"  on device {DEVICE}, taxpayer 91440300123456789A",
        "  issued 2026-10-12 10:15:00, buyer 某某公司",
        "  amount 1,280.00 yuan, tax 166.40 yuan",
        "  ! NOT uploaded: until it is, no report and no clear",
        "  period 2026-10: to be reported",
        "  no record of a report or clear",
        "  ! the QR code says otherwise: the date",
        "  ! others not uploaded: 2 of type 004",
        f"  cleared are a type and its month, never one invoice: {SETTLE}",
    ]


def test_a_settled_month_names_its_record() -> None:
    settled = msgspec.structs.replace(RESULT, period_state="settled", record_job_id="01KA")
    shown = list(invoice.lines(settled, Speech("zh")))
    assert "  所属期 2026-10：已完成" in shown
    assert "  记录：taxctl record get 01KA" in shown
    assert not any("taxctl settle" in line for line in shown)


def test_without_a_device_the_plugged_ones_are_asked(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        h.desk.devices = (
            device_view(device_no="661234567000", location=""),
            device_view(device_no=OTHER),
            device_view(),
        )
        h.desk.invoices = {DEVICE: FOUND}
        code, found = ran(h, capsysbinary, "--qr", SCAN)
        assert (code, found["device_no"], found["record_job_id"]) == (exits.DONE, DEVICE, "")
        assert found["pending"] == [{"invoice_type": "007", "count": 2}]
        code, found = ran(h, capsysbinary, INVOICE.code, INVOICE.number, "--device", OTHER)
        assert code == exits.NOT_EXECUTED
        assert found["error"]["code"] == "INVOICE_UNKNOWN"  # type: ignore[index]


def test_no_plugged_device_and_a_malformed_number_are_usage(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        assert ran(h, capsysbinary, "37", "1")[0] == exits.USAGE
        h.desk.devices = ()
        assert ran(h, capsysbinary, INVOICE.code, INVOICE.number)[0] == exits.USAGE
