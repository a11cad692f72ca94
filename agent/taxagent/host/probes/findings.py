"""A finding: what was looked at, how it is, the fact, and what to do. Words are data (words.toml)."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib.resources import files

import msgspec

from taxagent.model import faults
from taxagent.model.errors import AgentError
from taxagent.model.faults import Lang
from taxagent.model.job import Problem
from taxagent.model.value import Value


class Level(StrEnum):
    """How it is."""

    OK = "ok"
    WARN = "warn"  # works, and should be looked at
    BAD = "bad"  # the agent cannot do its work like this


class Finding(Value, frozen=True, kw_only=True):
    """One fact of a probe. `case` names an entry of words.toml; `problem` is the fault behind it, if any."""

    probe: str
    case: str
    level: Level
    facts: dict[str, str] = {}
    problem: Problem | None = None


class FindingText(Value, frozen=True, kw_only=True):
    """A finding in words; `remedy` is "" where nothing is to be done."""

    fact: str
    remedy: str = ""


class _Entry(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Level
    zh: FindingText
    en: FindingText


Probe = Callable[[], Iterable[Finding]]


def found(probe: str, case: str, **facts: str) -> Finding:
    """Return a finding of a case of words.toml; facts that are empty are left out."""
    known = {name: fact for name, fact in facts.items() if fact}
    return Finding(probe=probe, case=case, level=_entries()[case].level, facts=known)


def of_fault(probe: str, problem: Problem, level: Level = Level.BAD) -> Finding:
    """Return a finding whose words are those of the fault catalogue."""
    return Finding(probe=probe, case=problem.fault, level=level, facts=problem.detail, problem=problem)


def looked(name: str, probe: Probe) -> tuple[Finding, ...]:
    """Run a probe; what it raises is a finding, after those that it made before."""
    made: list[Finding] = []
    try:
        for finding in probe():
            made.append(finding)  # noqa: PERF402 - what came before an exception is kept
    except AgentError as error:
        made.append(of_fault(name, error.problem()))
    except PermissionError as error:
        made.append(found(name, "MAY_NOT_LOOK", path=str(error.filename or "")))
    except Exception as error:  # noqa: BLE001 - a probe that fails is itself a finding
        made.append(found(name, "PROBE_FAILED", what=f"{type(error).__name__}: {error}"))
    return tuple(made)


def text(finding: Finding, lang: Lang) -> FindingText:
    """Return the words for a finding. Never raises for one that `found` or `of_fault` made."""
    if finding.problem is not None:
        words = faults.text(finding.problem, lang)
        return FindingText(
            fact=f"{words.title}。{words.cause}" if lang == "zh" else f"{words.title}. {words.cause}",
            remedy=words.remedy,
        )
    entry = _entries()[finding.case]
    template = entry.zh if lang == "zh" else entry.en
    return FindingText(
        fact=faults.filled(template.fact, finding.facts), remedy=faults.filled(template.remedy, finding.facts)
    )


def cases() -> tuple[str, ...]:
    """Return the names of all cases."""
    return tuple(_entries())


@functools.cache
def _entries() -> dict[str, _Entry]:
    source = files("taxagent.host.probes").joinpath("words.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source), dict[str, _Entry])
