"""What a check finds out, as data: kept, not kept, not tried. Knows no driver and no words."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from taxagent.model.value import Value


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Value, frozen=True, kw_only=True):
    """The result of one check. `reason` is a code of words.toml, "" where all is well; `facts` fill it."""

    check: str
    verdict: Verdict
    reason: str = ""
    facts: dict[str, str] = {}


class _Ended(Exception):
    """A check that ended early."""

    def __init__(self, reason: str, **facts: object) -> None:
        super().__init__(reason, facts)
        self.reason = reason
        self.facts = as_texts(facts)


class NotKept(_Ended):
    """The driver does not keep its promise."""


class NotTried(_Ended):
    """The check could not be made, or was not asked for."""


def as_texts(facts: Mapping[str, object]) -> dict[str, str]:
    """Return facts as the words take them: short texts."""
    return {name: shortened(fact) for name, fact in facts.items()}


def shortened(fact: object, limit: int = 200) -> str:
    """Return a fact as one line of at most `limit` characters."""
    text = " ".join(str(fact).split())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def demand(kept: object, reason: str, **facts: object) -> None:
    """Raise NotKept unless `kept` is true."""
    if not kept:
        raise NotKept(reason, **facts)


def same(what: str, expected: object, found: object) -> None:
    """Raise NotKept("differs") unless both are equal."""
    demand(expected == found, "differs", what=what, expected=expected, found=found)


def ruled(what: str, found: object, rule: str, *, kept: object) -> None:
    """Raise NotKept("malformed") unless `found` keeps the `rule`, which is written as a formula."""
    demand(kept, "malformed", what=what, found=found, rule=rule)


def instance(what: str, found: object, kind: type) -> None:
    """Raise NotKept("malformed") unless `found` is a `kind`; a bool is no int, a datetime no date."""
    exact = type(found) is kind or (isinstance(found, kind) and not isinstance(found, bool))
    ruled(what, type(found).__name__, kind.__name__, kept=exact)
