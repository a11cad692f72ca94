"""Money: fen inside, yuan for people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.money import MAX_FEN, MIN_FEN, fen, yuan


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (100, "1.00"), (123456, "1234.56"), (-10, "-0.10")],
)
def test_fen_are_shown_as_yuan_with_two_decimals(amount: int, shown: str) -> None:
    assert yuan(amount) == shown


@given(st.integers(MIN_FEN, MAX_FEN))
def test_what_is_shown_is_the_same_sum(amount: int) -> None:
    assert Decimal(yuan(amount)) * 100 == amount


@pytest.mark.parametrize("amount", [MAX_FEN + 1, MIN_FEN - 1])
def test_sums_beyond_64_bits_are_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        fen(amount)


@pytest.mark.parametrize("amount", [1.0, True, "1", None])
def test_fractions_and_other_things_are_no_money(amount: Any) -> None:
    with pytest.raises(ValueError, match="whole number of fen"):
        fen(amount)
