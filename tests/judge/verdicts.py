"""What the judge says: a violation is a value, a rule is a function from the evidence to violations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from tests.judge.evidence import Evidence


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that does not hold, and the facts that show it."""

    rule: str
    facts: dict[str, str]

    def __str__(self) -> str:
        return f"{self.rule}: " + ", ".join(f"{name}={fact}" for name, fact in self.facts.items())


Facts = dict[str, str]
Rule = Callable[[Evidence], Iterator[Facts]]
RULES: dict[str, Rule] = {}


def rule(found: Rule) -> Rule:
    """Enter a rule under its function's name."""
    RULES[found.__name__] = found
    return found


def facts(**values: object) -> Facts:
    """Return the facts of a violation as text."""
    return {name: str(value) for name, value in values.items()}


def violations(evidence: Evidence) -> tuple[Violation, ...]:
    """Return every violation of every rule."""
    return tuple(
        Violation(rule=name, facts=found) for name, check in RULES.items() for found in check(evidence)
    )
