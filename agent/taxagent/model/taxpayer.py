"""Who a taxpayer and a device are: their numbers, checked. Knows no register of them."""

from __future__ import annotations

import re

# GB 32100-2015: the 31 characters of a unified social credit code; I, O, S, V and Z are not used.
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_LENGTHS = (15, 17, 18, 20)
_ID = re.compile(r"[0-9A-Z]+")
_DEVICE_NO = re.compile(r"[0-9]{12}")


def taxpayer_id(text: str) -> str:
    """Return `text` if it is a taxpayer id (纳税人识别号).

    15, 17, 18 or 20 of 0-9 and A-Z; one of 18 is a unified social credit code, whose alphabet and check
    character are those of GB 32100. Raises ValueError that says what is wrong with it.
    """
    if not _ID.fullmatch(text):
        msg = f"{text!r} is no taxpayer id: only the digits 0-9 and the capitals A-Z may stand in it"
        raise ValueError(msg)
    if len(text) not in _LENGTHS:
        msg = f"{text!r} has {len(text)} characters; a taxpayer id has 15, 17, 18 or 20: count them again"
        raise ValueError(msg)
    if len(text) == 18:
        _check_credit_code(text)
    return text


def device_no(text: str) -> str:
    """Return `text` if it is a device number (税控设备编号): 12 digits; else raise ValueError."""
    if not _DEVICE_NO.fullmatch(text):
        msg = f"{text!r} is no device number: it has 12 digits, as printed on the device's label"
        raise ValueError(msg)
    return text


def check_character(first_17: str) -> str:
    """Return the 18th character of a unified social credit code (GB 32100-2015, part 4.2).

    Raises ValueError where `first_17` has another length or a character outside `ALPHABET`.
    """
    wrong = sorted(set(first_17) - set(ALPHABET))
    if len(first_17) != 17 or wrong:
        named = f"; {', '.join(wrong)} cannot stand in it" if wrong else ""
        msg = f"{first_17!r} is not the first 17 characters of a unified social credit code{named}"
        raise ValueError(msg)
    total = sum(ALPHABET.index(c) * w for c, w in zip(first_17, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]


def _check_credit_code(text: str) -> None:
    wrong = sorted(set(text) - set(ALPHABET))
    if wrong:
        msg = (
            f"{text!r} holds {', '.join(wrong)}: a unified social credit code never has I, O, S, V or Z;"
            " look whether it is a 1, 0, 5, U or 2"
        )
        raise ValueError(msg)
    expected = check_character(text[:17])
    if text[17] != expected:
        msg = (
            f"the last character of {text!r} does not fit the others (it would be {expected}): typing error?"
        )
        raise ValueError(msg)
