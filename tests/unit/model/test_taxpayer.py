"""Taxpayer ids and device numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.taxpayer import ALPHABET, check_character, device_no, taxpayer_id
from tests.builders.model import synthetic_taxpayer_id


@pytest.mark.parametrize(
    "text",
    [
        "91350100M000100Y43",  # the worked example of GB 32100-2015
        "110105720195800",  # 15: the old numbers
        "11010572019580012",  # 17
        "11010519491231002X00",  # 20: a person's identity number and two more
    ],
)
def test_ids_of_15_17_18_and_20_characters_are_taken(text: str) -> None:
    assert taxpayer_id(text) == text


@pytest.mark.parametrize("length", [0, 1, 14, 16, 19, 21])
def test_other_lengths_are_refused_and_the_length_is_named(length: int) -> None:
    with pytest.raises(ValueError, match=str(length) if length else "digits"):
        taxpayer_id("1" * length)


@pytest.mark.parametrize("text", ["91350100m000100y43", "9135 0100M000100Y43", "\uff1991350100M000100Y4"])
def test_small_letters_spaces_and_full_width_digits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="only the digits"):
        taxpayer_id(text)


@pytest.mark.parametrize("letter", list("IOSVZ"))
def test_letters_that_gb_32100_leaves_out_are_refused_by_name(letter: str) -> None:
    with pytest.raises(ValueError, match=f"holds {letter}"):
        taxpayer_id(f"9135010{letter}M000100Y43")


@given(st.integers(0, 10**9), st.integers(0, 16), st.sampled_from(ALPHABET))
def test_one_changed_character_never_passes_the_check(seed: int, place: int, other: str) -> None:
    good = synthetic_taxpayer_id(seed)
    assert taxpayer_id(good) == good
    if other != good[place]:
        with pytest.raises(ValueError, match="does not fit"):
            taxpayer_id(good[:place] + other + good[place + 1 :])


def test_the_check_character_wants_17_of_the_alphabet() -> None:
    assert check_character("91350100M000100Y4") == "3"
    with pytest.raises(ValueError, match="first 17"):
        check_character("9135")
    with pytest.raises(ValueError, match="I cannot"):
        check_character("9135010IM000100Y4")


@pytest.mark.parametrize(
    "text", ["", "12345678901", "1234567890123", "12345678901X", "\uff1123456789012"[:12]]
)
def test_a_device_number_has_twelve_ascii_digits(text: str) -> None:
    assert device_no("123456789012") == "123456789012"
    with pytest.raises(ValueError, match="12 digits"):
        device_no(text)
