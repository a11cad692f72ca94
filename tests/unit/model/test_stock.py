"""The stock identity, and the statistics against the list of invoices."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.stock import (
    Tally,
    expected_closing,
    stock_difference,
    sums_difference,
    tallied,
    totals_sha256,
)
from tests.builders.model import statistics

COUNTS = st.integers(0, 10**9)
FIELDS = ["opening", "bought", "returned", *InvoiceMark]


def invoice(mark: InvoiceMark, amount: int = 0, tax: int = 0) -> Invoice:
    return Invoice(
        invoice_type="007",
        code="044031900104",
        number="00000001",
        issued_at=dt.datetime(2026, 10, 5, 10, 0),
        mark=mark,
        amount=amount,
        tax=tax,
        buyer="某某公司",
        uploaded=True,
    )


def october() -> Iterator[Invoice]:
    """The invoices that the builder's statistics are of."""
    yield invoice(InvoiceMark.POSITIVE, 10_000, 1_300)
    yield invoice(InvoiceMark.POSITIVE, 5_000, 650)
    yield invoice(InvoiceMark.POSITIVE, 15_000, 1_950)
    yield invoice(InvoiceMark.POSITIVE_VOIDED, 10_000, 1_300)
    yield invoice(InvoiceMark.NEGATIVE, -5_000, -650)
    yield invoice(InvoiceMark.BLANK_VOIDED)


def test_closing_is_opening_and_bought_less_returned_and_all_that_was_used() -> None:
    assert expected_closing(statistics()) == 100 + 50 - 10 - (3 + 1 + 1 + 0 + 1) == 134
    assert stock_difference(statistics()) == ()


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, COUNTS)))
def test_whatever_the_counts_the_closing_that_follows_from_them_agrees(counts: dict[str, int]) -> None:
    row = statistics(**counts)
    assert stock_difference(statistics(**counts, closing=expected_closing(row))) == ()


@pytest.mark.parametrize("field", FIELDS)
def test_one_invoice_more_or_less_anywhere_is_a_difference(field: str) -> None:
    wrong = statistics(**{field: getattr(statistics(), field) + 1})
    (difference,) = stock_difference(wrong)
    assert difference.what == "closing"
    assert abs(difference.expected - difference.found) == 1


def test_sums_that_agree_with_the_list() -> None:
    assert sums_difference(statistics(), tallied(october())) == ()


AMOUNTS = [f"{mark}_{sum_}" for mark in InvoiceMark if mark != "blank_voided" for sum_ in ("amount", "tax")]


@pytest.mark.parametrize("field", [*InvoiceMark, *AMOUNTS])
def test_each_figure_is_compared(field: str) -> None:
    wrong = statistics(**{field: getattr(statistics(), field) + 7})
    (difference,) = sums_difference(wrong, tallied(october()))
    assert (difference.what, difference.found - difference.expected) == (field, 7)


def test_a_blank_voided_invoice_has_no_sum() -> None:
    odd = itertools.chain(list(october())[:-1], [invoice(InvoiceMark.BLANK_VOIDED, 100, 13)])
    assert [d.what for d in sums_difference(statistics(), tallied(odd))] == [
        "blank_voided_amount",
        "blank_voided_tax",
    ]


def test_counts_are_shown_as_numbers_and_sums_as_yuan() -> None:
    found = sums_difference(statistics(positive=4, positive_amount=40_000), tallied(october()))
    assert [str(difference) for difference in found] == [
        "positive 3 != 4",
        "positive_amount 300.00 != 400.00",
    ]


def test_a_tally_of_many_invoices_stays_small() -> None:
    tally = Tally()
    one = invoice(InvoiceMark.POSITIVE, 1, 1)
    for _ in range(20_000):
        tally.add(one)
    assert tally.counts[InvoiceMark.POSITIVE] == 20_000
    assert len(tally.counts) == len(tally.amounts) == len(tally.taxes) == len(InvoiceMark)


def test_the_hash_of_totals_does_not_depend_on_their_order() -> None:
    first, second = statistics(), statistics(invoice_type="004")
    assert totals_sha256((first, second)) == totals_sha256((second, first))
    assert len(totals_sha256(())) == 64


@pytest.mark.parametrize("field", [f for f in statistics().__struct_fields__ if f != "invoice_type"])
def test_the_hash_of_totals_changes_with_every_figure(field: str) -> None:
    row = statistics()
    changed: Any = getattr(row, field)
    changed = changed + (dt.timedelta(days=1) if isinstance(changed, dt.date) else 1)
    other = msgspec.structs.replace(row, **{field: changed})
    assert totals_sha256((row,)) != totals_sha256((other,))
