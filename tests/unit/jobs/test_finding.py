"""An invoice is found on its device, with its month's state; what is on no device is never asked of one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from taxagent.jobs.asks import FoundInvoice, InvoiceAsk
from taxagent.jobs.finding import wanted
from taxagent.model.errors import AgentError, AnswerLost, Refusal, Unavailable
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.job import Outcome
from tests.builders.jobs import DEVICE_NO, TAXPAYER, FakeDevice, House
from tests.builders.model import monitor

INVOICE = Invoice(
    invoice_type="007",
    code="3700221320",
    number="04310401",
    issued_at=dt.datetime(2026, 10, 12, 10, 15),
    mark=InvoiceMark.POSITIVE,
    amount=128_000,
    tax=16_640,
    buyer="某某公司",
    uploaded=True,
)
SCAN = "01,04,3700221320,04310401,1280.00,20261012,66061234567890123456,0A1F,"


class Holder(FakeDevice):
    """A device with one invoice."""

    invoice = INVOICE

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        return self.invoice if (code, number) == (self.invoice.code, self.invoice.number) else None


class Silent(Holder):
    """A device that does not answer when it is asked for an invoice."""

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        raise AnswerLost("DEVICE_SILENT")


def asked(device: Holder | None = None, **changes: Any) -> FoundInvoice | AgentError:
    house = House()
    plugged = house.plug("1-1", device or Holder())
    fields: dict[str, Any] = {"device_no": DEVICE_NO, "sent_at_ms": house.clock.now_ms, "ttl_ms": 10_000}
    answers: list[FoundInvoice | AgentError] = []
    house.desk.invoice(InvoiceAsk(**{**fields, **changes}), answers.append)
    house.settle()
    (answer,) = answers
    assert not plugged.session_open or isinstance(answer, Unavailable)
    return answer


def found(device: Holder | None = None, **changes: Any) -> FoundInvoice:
    answer = asked(device, **(changes or {"qr": SCAN}))
    assert isinstance(answer, FoundInvoice), answer
    return answer


def fault(answer: FoundInvoice | AgentError) -> str:
    assert isinstance(answer, AgentError), answer
    assert answer.outcome is Outcome.NOT_EXECUTED
    return answer.fault


@pytest.mark.parametrize("by", [{"qr": SCAN}, {"code": "3700221320", "number": "04310401"}])
def test_by_number_and_by_scan_the_same_invoice_is_found(by: dict[str, Any]) -> None:
    answer = found(**by)
    assert (answer.device_no, answer.taxpayer_id, answer.invoice) == (DEVICE_NO, TAXPAYER, INVOICE)
    assert (answer.period, answer.period_state) == ("2026-10", "report_due")
    assert (answer.differs, answer.pending) == ((), ())


def test_a_type_without_monitor_data_has_no_state() -> None:
    assert found(Holder(monitors=(monitor(invoice_type="004", group="004"),))).period_state == ""


def test_what_the_scan_says_otherwise_than_the_device_is_named() -> None:
    assert found(qr=SCAN.replace("01,04", "01,01").replace("20261012", "20261013")).differs == (
        "invoice_type",
        "issued_at",
    )


def test_other_invoices_that_are_not_uploaded_are_counted_by_type() -> None:
    types = (monitor(pending_uploads=3), monitor(invoice_type="004", group="004", pending_uploads=2))
    assert found(Holder(monitors=types)).pending == (("007", 3), ("004", 2))
    waits = msgspec.structs.replace(INVOICE, uploaded=False)
    assert found(Holder(monitors=types, invoice=waits)).pending == (("007", 2), ("004", 2))
    alone = (monitor(pending_uploads=1),)
    assert found(Holder(monitors=alone, invoice=waits)).pending == ()


def test_an_invoice_that_the_device_does_not_have_is_unknown_there() -> None:
    answer = asked(code="3700221320", number="99999999")
    assert fault(answer) == "INVOICE_UNKNOWN"
    assert isinstance(answer, AgentError)
    assert answer.detail == {"device_no": DEVICE_NO, "code": "3700221320", "number": "99999999"}


@pytest.mark.parametrize(
    ("asking", "code"),
    [
        ({"qr": "01,32,,26372000000012345678,1280.00,20261012,,5C8A,"}, "QR_DIGITAL"),
        ({"number": "26372000000012345678"}, "QR_DIGITAL"),
        ({"qr": "https://example.invalid/v?id=1"}, "QR_URL"),
        ({"qr": "hello"}, "QR_UNREADABLE"),
        ({}, "BAD_REQUEST"),
        ({"code": "3700221320"}, "BAD_REQUEST"),
        ({"number": "04310401"}, "BAD_REQUEST"),
        ({"code": "3700221320", "number": "04310401", "qr": SCAN}, "BAD_REQUEST"),
        ({"code": "3700221320", "qr": SCAN}, "BAD_REQUEST"),
    ],
)
def test_what_names_no_invoice_of_a_device_is_refused(asking: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        wanted(InvoiceAsk(device_no=DEVICE_NO, **asking))
    assert refused.value.fault == code
    assert fault(asked(**asking)) == code


def test_a_device_that_is_away_or_fails_has_executed_nothing() -> None:
    assert fault(asked(device_no="000000000000", qr=SCAN)) == "DEVICE_UNKNOWN"
    assert fault(asked(qr=SCAN, ttl_ms=-1)) == "EXPIRED"
    assert fault(asked(Silent(), qr=SCAN)) == "DEVICE_SILENT"
