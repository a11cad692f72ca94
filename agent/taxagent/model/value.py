"""The base of every value: frozen, compared by content, readable as JSON. Knows no field of the domain."""

from __future__ import annotations

from typing import TypeVar

import msgspec

V = TypeVar("V", bound="Value")


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable value. Dates are ISO 8601 in JSON, money is integer fen, times are integer ms UTC."""


def to_json(value: object) -> bytes:
    """Return the canonical JSON of a value: UTF-8, fields in declaration order, no white space."""
    return msgspec.json.encode(value, order="deterministic")


def from_json(data: bytes | str, kind: type[V]) -> V:
    """Return the value of `kind` that `data` holds; unknown fields are ignored.

    Raises msgspec.ValidationError (with the path of the offending field) or msgspec.DecodeError.
    """
    return msgspec.json.decode(data, type=kind)
