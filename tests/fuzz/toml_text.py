"""Plain values as TOML, so that a file can be written for what a reader of ours reads. Test code only."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any


def toml(plain: Mapping[str, Any]) -> str:
    """Return `plain` as TOML, tables inline; None stands for a key that is left out."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in plain.items() if value is not None)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case dt.datetime() | dt.date():
            return value.isoformat()
        case Mapping():
            inside = ", ".join(f"{_text(k)} = {_value(v)}" for k, v in value.items() if v is not None)
            return f"{{{inside}}}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return repr(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=True) if text.isascii() else _unicode(text)


def _unicode(text: str) -> str:
    """JSON would write a character beyond the basic plane as two halves, which TOML refuses."""
    escaped = "".join(json.dumps(c)[1:-1] if c < " " or c in '"\\\x7f' else c for c in text)
    return f'"{escaped}"'
