"""The kit's words, in Chinese and English. Knows no check and no driver."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files

import msgspec

from taxagent.device.contract.verdict import Finding
from taxagent.model.faults import Lang

Words = dict[str, dict[Lang, str]]


def title(check: str, lang: Lang) -> str:
    """Return what a check shows."""
    return _words()["check"][check][lang]


def reason(finding: Finding, lang: Lang) -> str:
    """Return why a check failed or was skipped, with its facts; for one that is well, what it saw."""
    if not finding.reason:
        return finding.facts.get("saw", "")
    return _words()["reason"][finding.reason][lang].format_map(_Facts(finding.facts))


def say(what: str, lang: Lang, **facts: object) -> str:
    """Return a line of the command itself."""
    return _words()["say"][what][lang].format_map(_Facts(facts))


class _Facts(dict[str, object]):
    """Facts of which one that is missing shows as "?", so that no word can raise."""

    def __missing__(self, name: str) -> str:
        return "?"


@functools.cache
def _words() -> dict[str, Words]:
    source = files("taxagent.device.contract").joinpath("words.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source), dict[str, Words])
