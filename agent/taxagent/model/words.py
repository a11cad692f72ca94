"""The agent's words for its own values, in Chinese and English. Knows no catalogue of faults."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Literal

import msgspec

Lang = Literal["zh", "en"]


def word(kind: str, code: str, lang: Lang) -> str:
    """Return what people call `code` of `kind` ("step", "outcome", ...; see words.toml).

    A code or kind without words is returned as it is: a newer version's value survives. Never raises.
    """
    words = _words().get(kind, {}).get(code)
    return words[lang] if words else code


def kinds() -> dict[str, tuple[str, ...]]:
    """Return the codes that have words, by kind."""
    return {kind: tuple(codes) for kind, codes in _words().items()}


def words_of(kind: str) -> tuple[str, ...]:
    """Return the codes of a kind."""
    return tuple(_words().get(kind, {}))


@functools.cache
def _words() -> dict[str, dict[str, dict[Lang, str]]]:
    source = files("taxagent.model").joinpath("words.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source), dict[str, dict[str, dict[Lang, str]]])
