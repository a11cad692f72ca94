"""Texts with facts in them: {fact}, and [pieces] that are left out where a fact is missing. Pure."""

from __future__ import annotations

import re

_OPTIONAL = re.compile(r"\[\[|\]\]|\[((?:[^\[\]]|\[\[|\]\])*)\]")
_FACT = re.compile(r"\{(\w+)\}")


def facts_in(template: str) -> list[str]:
    """Return the names of the facts that a template can show."""
    return _FACT.findall(template)


def filled(template: str, facts: dict[str, str]) -> str:
    """Return the template with its facts; a [piece] without all of its facts is left out."""

    def piece(match: re.Match[str]) -> str:
        inner = match[1]
        if inner is None:
            return match[0][0]
        if not all(facts.get(name) for name in _FACT.findall(inner)):
            return ""
        plain = inner.replace("[[", "[").replace("]]", "]")
        return _FACT.sub(lambda fact: facts[fact[1]], plain)

    return _OPTIONAL.sub(piece, template)
