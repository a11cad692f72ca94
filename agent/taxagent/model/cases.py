"""The catalogue of cases: why a shop can issue no invoices, or soon will not. Data and words, no rule.

diagnosis.toml has them, in the order in which they are told; diagnosis.py finds which of them hold.
"""

from __future__ import annotations

import functools
import tomllib
from enum import StrEnum
from importlib.resources import files

import msgspec

from taxagent.model import faults
from taxagent.model.faults import Lang, Who
from taxagent.model.job import Problem
from taxagent.model.value import Value
from taxagent.model.words import word


class Blocks(StrEnum):
    """What a case means for invoicing."""

    YES = "yes"  # no invoice can be issued while it holds
    DOUBT = "doubt"  # whether one can is not known while it holds
    NO = "no"  # a warning: it will become a block, or may hinder


class CaseText(Value, frozen=True, kw_only=True):
    """Words for people, as templates: a short line, the fact, what to do now."""

    title: str
    fact: str = ""
    remedy: str


class Case(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the catalogue. `number` has two digits and is never re-used: it is read over the phone."""

    number: str
    blocks: Blocks
    who: Who
    of_fault: bool = False  # the words, and who, are those of the fault behind it, where it is known
    next: str = ""  # the next command to type, as a template
    zh: CaseText
    en: CaseText


class Cause(Value, frozen=True, kw_only=True):
    """A case that holds, with its facts; `problem` is the fault behind it, where there is one."""

    case: str
    facts: dict[str, str] = {}
    problem: Problem | None = None


class CauseText(Value, frozen=True, kw_only=True):
    """A cause in words; `next` is the command to type, "" where none helps."""

    title: str
    fact: str
    remedy: str
    next: str


def cases() -> dict[str, Case]:
    """Return the catalogue by name, in the order in which causes are told."""
    return _catalogue()


def case_by_number(number: str) -> str | None:
    """Return the name of the case with that number, or None."""
    return next((name for name, case in _catalogue().items() if case.number == number), None)


def who_mends(cause: Cause) -> Who:
    """Return who can mend it: the fault's own word where the case is about any fault."""
    case = _catalogue()[cause.case]
    if cause.problem is not None and case.of_fault:
        return faults.fault(cause.problem.fault).who
    return case.who


def text(cause: Cause, lang: Lang) -> CauseText:
    """Return the words for `cause`, its facts filled in as in the fault catalogue. Never raises."""
    case = _catalogue()[cause.case]
    words = case.zh if lang == "zh" else case.en
    facts = {**(cause.problem.detail if cause.problem else {}), **cause.facts}
    facts["holder"] = word("holder", facts.get("holder", ""), lang)
    following = faults.filled(case.next, facts)
    if cause.problem is not None and case.of_fault:
        of_fault = faults.text(cause.problem, lang)
        return CauseText(title=of_fault.title, fact=of_fault.cause, remedy=of_fault.remedy, next=following)
    return CauseText(
        title=faults.filled(words.title, facts),
        fact=faults.filled(words.fact, facts),
        remedy=faults.filled(words.remedy, facts),
        next=following,
    )


@functools.cache
def _catalogue() -> dict[str, Case]:
    source = files("taxagent.model").joinpath("diagnosis.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source), dict[str, Case])
