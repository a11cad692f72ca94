"""The vendors' codes in our terms: which fault each is, in words, with the tries left. Knows no device."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import msgspec

from taxagent.model.device import DeviceKind
from taxagent.model.templates import filled
from taxagent.model.value import Value
from taxagent.model.words import Lang

_TRIES = "x"  # at the end of a code: one hex digit, the tries left


class VendorCode(Value, frozen=True, kw_only=True):
    """A code of a vendor. `zh` and `en` are templates that may show {tries_left}."""

    kinds: tuple[DeviceKind, ...]
    code: str  # hex, small letters; decimal for golden_disk; an x at its end stands for the tries left
    fault: str  # of the fault catalogue
    zh: str
    en: str
    tries_left: int | None = None  # where the code was met with a digit in place of its x

    def words(self, lang: Lang) -> str:
        """Return what the vendor means by the code."""
        tries = "" if self.tries_left is None else str(self.tries_left)
        return filled(self.zh if lang == "zh" else self.en, {"tries_left": tries})


def vendor_codes() -> tuple[VendorCode, ...]:
    """Return every code that is known, in the catalogue's order."""
    return _catalogue()


def met(code: str, kind: DeviceKind | None = None) -> tuple[VendorCode, ...]:
    """Return what `code` means on a device of `kind` (None: on any), as met: its tries left read out of it.

    Large letters, blanks and a 0x in front will do. Empty for a code that is not known. Never raises.
    """
    plain = "".join(code.split()).lower().removeprefix("0x")
    return tuple(_met(plain, kind))


def of_fault(fault: str) -> tuple[VendorCode, ...]:
    """Return the vendors' codes that are this fault of ours."""
    return tuple(row for row in _catalogue() if row.fault == fault)


def _met(code: str, kind: DeviceKind | None) -> Iterator[VendorCode]:
    for row in _catalogue():
        if kind is not None and kind not in row.kinds:
            continue
        if row.code == code:
            yield row
        elif row.code[-1] == _TRIES and row.code[:-1] == code[:-1] and code[-1] in "0123456789abcdef":
            yield msgspec.structs.replace(row, code=code, tries_left=int(code[-1], 16))


@functools.cache
def _catalogue() -> tuple[VendorCode, ...]:
    source = files("taxagent.model").joinpath("vendor_codes.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source)["codes"], tuple[VendorCode, ...])
