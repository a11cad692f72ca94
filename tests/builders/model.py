"""Values of the model for tests: each call gives a sensible whole, `changes` says what matters."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from taxagent.model.device import MonitorData, Statistics
from taxagent.model.taxpayer import ALPHABET, check_character


def synthetic_taxpayer_id(seed: int) -> str:
    """Return a unified social credit code with a right check character, belonging to nobody we know."""
    first = "91" + "".join(random.Random(seed).choices(ALPHABET, k=15))
    return first + check_character(first)


def monitor(**changes: Any) -> MonitorData:
    """Return the monitor data of a control_disk's 007 at work in November 2026: October is REPORT_DUE."""
    values: dict[str, Any] = {
        "invoice_type": "007",
        "group": "007",
        "invoicing_deadline": dt.date(2026, 11, 16),
        "report_from": dt.date(2026, 10, 1),
        "report_to": dt.date(2026, 10, 31),
        "last_report": dt.date(2026, 9, 30),
        "single_limit": 9_999_999,
        "month_limit": 99_999_999_999,
        "month_limit_left": 99_999_999_999,
        "offline_hours": 72,
        "offline_hours_left": 72,
        "offline_amount": 100_000_000,
        "offline_amount_left": 100_000_000,
        "upload_deadline": None,
        "pending_uploads": 0,
        "capacity_left": 30_000,
    }
    return MonitorData(**{**values, **changes})


def statistics(**changes: Any) -> Statistics:
    """Return October 2026 of 007: 3 positive, one of them voided too; stock and sums agree."""
    values: dict[str, Any] = {
        "invoice_type": "007",
        "date_from": dt.date(2026, 10, 1),
        "date_to": dt.date(2026, 10, 31),
        "opening": 100,
        "bought": 50,
        "returned": 10,
        "positive": 3,
        "positive_voided": 1,
        "negative": 1,
        "negative_voided": 0,
        "blank_voided": 1,
        "closing": 134,
        "positive_amount": 30_000,
        "positive_tax": 3_900,
        "positive_voided_amount": 10_000,
        "positive_voided_tax": 1_300,
        "negative_amount": -5_000,
        "negative_tax": -650,
        "negative_voided_amount": 0,
        "negative_voided_tax": 0,
    }
    return Statistics(**{**values, **changes})
