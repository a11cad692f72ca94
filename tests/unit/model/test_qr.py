"""The QR code of an invoice: which invoice it names, or why none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.errors import Refusal
from taxagent.model.faults import text
from taxagent.model.invoice import INVOICE_TYPES
from taxagent.model.qr import LONGEST, QR_TYPES, ScannedInvoice, scanned
from tests.builders.vectors import case, rows

FILE = "model/qr.toml"
FAULTS = {"QR_DIGITAL", "QR_URL", "QR_UNREADABLE"}
FIELD = st.one_of(
    st.sampled_from(["01", "04", "32", "3700221320", "04310401", "12.5", "20261012", "0A1F", ""]), st.text()
)


@pytest.mark.parametrize("row", rows(FILE, "invoice"), ids=case)
def test_it_names_an_invoice(row: dict[str, Any]) -> None:
    expected = msgspec.convert({"amount": None, **row["invoice"]}, ScannedInvoice)
    assert scanned(row["text"]) == expected


@pytest.mark.parametrize("row", rows(FILE, "refused"), ids=case)
def test_it_names_none_on_a_device(row: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        scanned(row["text"])
    assert refused.value.fault == row["fault"]
    assert refused.value.detail.get("what", "") == row.get("what", "")


def test_a_refusal_says_in_words_what_does_not_fit() -> None:
    with pytest.raises(Refusal) as refused:
        scanned("01,04,3700221320,04310401,1280.00,20260230,,0A1F")
    assert "the date (20260230)" in text(refused.value.problem(), "en").cause
    assert "开票日期" in text(refused.value.problem(), "zh").cause


def test_each_type_of_the_table_is_a_type_of_a_device() -> None:
    assert set(QR_TYPES.values()) == set(INVOICE_TYPES)


def test_what_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(Refusal) as refused:
        scanned("1" * (LONGEST + 1))
    assert refused.value.detail["what"] == "qr_length"


@given(st.one_of(st.text(), st.lists(FIELD, min_size=7, max_size=9).map(",".join)))
def test_whatever_is_scanned_is_an_invoice_or_a_refusal(anything: str) -> None:
    assert outcome(anything) in FAULTS | set(INVOICE_TYPES)


def outcome(anything: str) -> str:
    """Return the fault code, or the type of the invoice."""
    try:
        return scanned(anything).invoice_type
    except Refusal as refusal:
        return refusal.fault
