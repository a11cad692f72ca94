"""Which vendor's tax-control device a USB identity belongs to. Knows the list, and no USB."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

import msgspec

from taxagent.model.value import Value


class Identity(Value, frozen=True, kw_only=True):
    """A row of identities.toml. `kind` is a DeviceKind's value, or "query_key"."""

    vendor_id: int
    product_id: int
    kind: str
    zh: str
    en: str
    maker: str = ""
    product: str = ""  # fits only where the product string is this one

    @property
    def name(self) -> str:
        """The device's name in both languages."""
        return f"{self.zh} / {self.en}"


class _File(Value, frozen=True, kw_only=True):
    identity: tuple[Identity, ...]


@functools.cache
def identities() -> tuple[Identity, ...]:
    """Return the list, rows with a product string before those without."""
    text = resources.files("taxagent.device").joinpath("identities.toml").read_text("utf-8")
    rows = msgspec.convert(tomllib.loads(text), _File).identity
    return tuple(sorted(rows, key=lambda row: not row.product))


def identity_of(vendor_id: int, product_id: int, product: str = "") -> Identity | None:
    """Return whose device this is, or None. `product` is the product string, "" where it is not known."""
    for row in identities():
        if (row.vendor_id, row.product_id) == (vendor_id, product_id) and row.product in {"", product}:
            return row
    return None
