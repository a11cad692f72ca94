"""An invoice as the device stores it, and the invoice types. Knows no wire format."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from taxagent.model.value import Value

INVOICE_TYPES: dict[str, str] = {
    "004": "增值税专用发票",
    "005": "机动车销售统一发票",
    "006": "二手车销售统一发票",
    "007": "增值税普通发票",
    "025": "增值税普通发票(卷票)",
    "026": "增值税电子普通发票",
    "028": "增值税电子专用发票",
}


class InvoiceMark(StrEnum):
    """What an invoice counts as in the statistics."""

    POSITIVE = "positive"  # 正数
    POSITIVE_VOIDED = "positive_voided"  # 正废
    NEGATIVE = "negative"  # 负数 (red)
    NEGATIVE_VOIDED = "negative_voided"  # 负废
    BLANK_VOIDED = "blank_voided"  # 空废


class Invoice(Value, frozen=True, kw_only=True):
    """One invoice on the device. Sums in fen; a red invoice has negative sums."""

    invoice_type: str
    code: str  # 10 or 12 digits
    number: str  # 8 digits
    issued_at: dt.datetime  # the device's wall clock, naive
    mark: InvoiceMark
    amount: int
    tax: int
    buyer: str
    uploaded: bool
