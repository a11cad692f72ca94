"""The invoices on a simulated device add up, and the same seed makes the same ones for ever."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxagent.model.errors import AgentError
from taxagent.model.invoice import InvoiceMark
from taxagent.model.value import to_json
from taxagent.simulator.books import InvoiceBook
from taxagent.simulator.scenario import Blanks, Generated, Returned
from tests.builders.scenario import CODE, NOON, listed, type_007

OCT = (dt.date(2026, 10, 1), dt.date(2026, 10, 31))
EVER = (dt.date(2020, 1, 1), dt.date(2026, 12, 31))


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 10, number, 10)


def test_the_same_seed_makes_the_same_invoices_on_every_machine() -> None:
    issued = InvoiceBook(type_007()).issued(*EVER, NOON)
    assert len(issued) == 40
    digest = hashlib.sha256(b"".join(map(to_json, issued))).hexdigest()
    assert digest[:16] == "27b568c741d8c52f"


def test_another_seed_makes_others() -> None:
    other = type_007(generate=Generated(seed=2, months=("2026-09", "2026-10"), per_month=20))
    assert InvoiceBook(other).issued(*EVER, NOON) != InvoiceBook(type_007()).issued(*EVER, NOON)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    per_month=st.integers(1, 30),
    bought_day=st.integers(1, 31),
    returned=st.integers(1, 9),
    first=st.integers(1, 28),
    days=st.integers(0, 40),
)
def test_the_stock_identity_holds_in_any_interval(
    seed: int, per_month: int, bought_day: int, returned: int, first: int, days: int
) -> None:
    kind = type_007(
        stock=(
            Blanks(code=CODE, number_from="00000001", count=100),
            Blanks(code=CODE, number_from="00001001", count=50, bought_on=dt.date(2026, 10, bought_day)),
        ),
        returned=(Returned(on=dt.date(2026, 10, 20), count=returned),),
        generate=Generated(seed=seed, months=("2026-09", "2026-10"), per_month=per_month),
    )
    day_from = dt.date(2026, 9, first)
    s = InvoiceBook(kind).statistics(day_from, day_from + dt.timedelta(days=days), NOON)
    used = s.positive + s.positive_voided + s.negative + s.negative_voided + s.blank_voided
    assert s.closing == s.opening + s.bought - s.returned - used


def test_what_closes_one_month_opens_the_next() -> None:
    book = InvoiceBook(type_007())
    september = book.statistics(dt.date(2026, 9, 1), dt.date(2026, 9, 30), NOON)
    assert september.closing == book.statistics(*OCT, NOON).opening


def test_the_stock_left_is_what_the_statistics_close_with() -> None:
    kind = type_007(returned=(Returned(on=dt.date(2026, 10, 26), count=5),))
    book = InvoiceBook(kind)
    ranges = book.stock(NOON).ranges
    assert sum(r.count for r in ranges) == book.statistics(*OCT, NOON).closing
    assert [(r.number_from, r.count) for r in ranges] == [("00000041", 155)]


def test_statistics_sum_the_invoices_by_mark() -> None:
    kind = type_007(
        generate=None,
        invoices=(
            listed(1, day(1)),
            listed(2, day(2)),
            listed(3, day(3), mark=InvoiceMark.POSITIVE_VOIDED),
            listed(4, day(4), mark=InvoiceMark.NEGATIVE, amount=-50_00, tax=-6_50),
            listed(5, day(5), mark=InvoiceMark.BLANK_VOIDED, amount=0, tax=0),
        ),
    )
    s = InvoiceBook(kind).statistics(*OCT, NOON)
    assert (s.positive, s.positive_amount, s.positive_tax) == (2, 200_00, 26_00)
    assert (s.positive_voided, s.positive_voided_amount) == (1, 100_00)
    assert (s.negative, s.negative_amount, s.negative_tax) == (1, -50_00, -6_50)
    assert (s.blank_voided, s.closing) == (1, 195)


def test_an_invoice_does_not_exist_before_it_was_issued() -> None:
    book = InvoiceBook(type_007(generate=None, invoices=(listed(1, day(20)),)))
    assert book.find(CODE, "00000001", day(19)) is None
    assert book.find(CODE, "00000001", day(20)) is not None
    assert book.statistics(*OCT, day(19)).closing == 200


def test_the_newest_generated_invoices_are_the_pending_ones() -> None:
    kind = type_007(generate=Generated(seed=1, months=("2026-10",), per_month=10, pending=3))
    book = InvoiceBook(kind)
    assert list(book.pending(NOON)) == list(book.issued(*EVER, NOON)[-3:])


def test_a_faulty_device_closes_wrong_by_what_the_scenario_says() -> None:
    right, wrong = InvoiceBook(type_007()), InvoiceBook(type_007(closing_error=2))
    assert wrong.statistics(*OCT, NOON).closing == right.statistics(*OCT, NOON).closing + 2


@pytest.mark.parametrize(
    "changes",
    [
        {"stock": (Blanks(code=CODE, number_from="00000001", count=39),)},  # 40 invoices
        {"invoices": (listed(500, day(1)),)},  # no such blank
        {"invoices": (listed(7, day(1)), listed(7, day(2)))},
    ],
)
def test_invoices_that_do_not_fit_the_blanks_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(AgentError, match="SCENARIO_INVALID"):
        InvoiceBook(type_007(**changes))
