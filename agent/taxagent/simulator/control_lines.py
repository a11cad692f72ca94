"""A line of a control connection as an order, or what is wrong with it; and an order as it is typed.

Knows no order: both simulators have their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, get_args

import msgspec


class BadLine(ValueError):
    """The line is no order; the text says what is wrong and what is allowed."""


def read_order(line: bytes, kinds: object) -> Any:  # noqa: ANN401 - one of `kinds`, a union of tagged structs
    """Return the order in `line`. Numbers and flags may come as texts. Raises BadLine."""
    try:
        return msgspec.json.decode(line, type=kinds, strict=False)
    except msgspec.DecodeError as error:
        raise BadLine(f"{error}{_allowed(line, str(error), kinds)}") from error


def typed_order(words: Iterable[str]) -> bytes:
    """Return the line for an order as it is typed: JSON alone, or its name and KEY=VALUE words.

    A value that begins with [ or { is JSON, any other one a text. Raises BadLine.
    """
    first, *rest = [*words]
    if first.lstrip().startswith("{"):
        if rest:
            raise BadLine("an order in JSON is one word: put it in quotes")
        return first.replace("\n", " ").encode()
    order: dict[str, object] = {"do": first}
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadLine(f"{word!r}: write KEY=VALUE, for example device=1-1")
        order[key] = _value(key, value)
    return json.dumps(order, ensure_ascii=False).encode()


def _value(key: str, text: str) -> object:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadLine(f"{key}: {text} is no JSON: {error}") from error


def _allowed(line: bytes, error: str, kinds: object) -> str:
    """Return the orders that there are, or the fields of the one that was meant."""
    orders = {str(kind.__struct_config__.tag): kind for kind in get_args(kinds)}
    try:
        meant = json.loads(line).get("do")
    except (ValueError, AttributeError):
        return '; write {"do": ORDER, ...}'
    if meant not in orders:
        return f"; allowed: {', '.join(orders)}"
    if "field" not in error:
        return ""
    fields = [field.encode_name for field in msgspec.structs.fields(orders[meant])]
    return f"; fields of {meant}: {', '.join(fields)}"
