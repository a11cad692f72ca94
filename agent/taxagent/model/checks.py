"""The words for lines of a look: the lines of a check and the findings of the doctor (checks.toml). No rule.

A line whose code is a fault's has that fault's words.
"""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files

import msgspec

from taxagent.model import faults
from taxagent.model.errors import AgentError
from taxagent.model.faults import Lang, Who
from taxagent.model.job import Outcome, Problem
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.reasons import reason, spelled
from taxagent.model.templates import facts_in
from taxagent.model.value import Value
from taxagent.model.words import word

_NAMES = "_lines"
_LISTS = {"names", "years", "official", "addresses"}  # facts that are lists, with ", " between


class CheckText(Value, frozen=True, kw_only=True):
    """A line in words; `remedy` is "" where nothing is to be done."""

    fact: str
    remedy: str = ""


class _Case(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: CheckState
    who: Who = Who.HERE
    zh: CheckText
    en: CheckText


def made(line: str, code: str, subject: str = "", **facts: str) -> CheckLine:
    """Return a line of a case of checks.toml, which has its state; facts that are empty are left out."""
    known = {name: fact for name, fact in facts.items() if fact}
    return CheckLine(line=line, code=code, state=_cases()[code].state, subject=subject, facts=known)


def of_problem(
    line: str, problem: Problem, state: CheckState = CheckState.FAIL, subject: str = ""
) -> CheckLine:
    """Return a line whose words are those of a fault."""
    return CheckLine(
        line=line,
        code=problem.fault,
        state=state,
        subject=subject,
        facts=problem.detail,
        device_code=problem.device_code,
    )


def of_error(
    line: str, error: AgentError, state: CheckState = CheckState.FAIL, subject: str = ""
) -> CheckLine:
    """Return a line for what was raised instead of an answer."""
    return of_problem(line, error.problem(), state, subject)


def name(line: CheckLine, lang: Lang) -> str:
    """Return what people call the line: of a window its own name, else the line's with its subject."""
    if line.line == "window":
        return word("window", line.subject, lang)
    known = _names().get(line.line)
    text = known[0 if lang == "zh" else 1] if known else line.line
    subject = _subject(line, lang)
    return f"{text} {subject}" if subject else text


def text(line: CheckLine, lang: Lang) -> CheckText:
    """Return the words for a line. Never raises, not for a code of another version either."""
    case = _cases().get(line.code)
    if case is None:
        problem = Problem(
            fault=line.code, outcome=Outcome.NOT_EXECUTED, detail=line.facts, device_code=line.device_code
        )
        words = faults.text(problem, lang)
        joined = f"{words.title}。{words.cause}" if lang == "zh" else f"{words.title}. {words.cause}"
        return CheckText(fact=joined, remedy=words.remedy)
    template, facts = (case.zh if lang == "zh" else case.en), dict(line.facts)
    facts["what"] = reason(facts.get("what", ""), lang)
    if facts.get("seconds", "").isdecimal():
        facts["seconds"] = spelled(int(facts["seconds"]), lang)
    if "kind" in facts:
        facts["kind"] = word("device_kind", facts["kind"], lang)
    if lang == "zh":
        facts |= {name: facts[name].replace(", ", "、") for name in _LISTS & facts.keys()}
    if "role" in facts:
        facts["role"] = word("role", facts["role"], lang)
    if "because" in facts:
        facts["because"] = faults.text(Problem(fault=facts["because"], outcome=Outcome.UNKNOWN), lang).title
    return CheckText(fact=faults.filled(template.fact, facts), remedy=faults.filled(template.remedy, facts))


def who_mends(line: CheckLine) -> str:
    """Return who can mend it; "" where nothing is to be mended."""
    if line.state is CheckState.OK:
        return ""
    case = _cases().get(line.code)
    return case.who.value if case is not None else faults.fault(line.code).who.value


def codes() -> tuple[str, ...]:
    """Return the names of all cases."""
    return tuple(_cases())


def facts_of(code: str) -> frozenset[str]:
    """Return the names of the facts that the words of a case can show."""
    case = _cases()[code]
    templates = (case.zh.fact, case.zh.remedy, case.en.fact, case.en.remedy)
    return frozenset(fact for template in templates for fact in facts_in(template))


def line_names() -> tuple[str, ...]:
    """Return the names of all lines that have words."""
    return tuple(_names())


def _subject(line: CheckLine, lang: Lang) -> str:
    known = _names().get(line.subject)
    return (known[0 if lang == "zh" else 1] if known else line.subject) if line.subject else ""


def _tables() -> dict[str, object]:
    source = files("taxagent.model").joinpath("checks.toml").read_text(encoding="utf-8")
    return tomllib.loads(source)


@functools.cache
def _names() -> dict[str, tuple[str, str]]:
    return msgspec.convert(_tables()[_NAMES], dict[str, tuple[str, str]])


@functools.cache
def _cases() -> dict[str, _Case]:
    rows = {name: row for name, row in _tables().items() if name != _NAMES}
    return msgspec.convert(rows, dict[str, _Case])
