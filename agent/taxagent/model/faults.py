"""The fault catalogue: what a code means, who can mend it, and the words for people. Knows no error class."""

from __future__ import annotations

import functools
import re
import tomllib
from enum import StrEnum
from importlib.resources import files

import msgspec

from taxagent.model import words
from taxagent.model.job import Problem
from taxagent.model.reasons import reason
from taxagent.model.templates import facts_in, filled
from taxagent.model.value import Value
from taxagent.model.vendor_codes import met

__all__ = [
    "UNKNOWN",
    "Fault",
    "FaultText",
    "Lang",
    "Prompt",
    "Retry",
    "Who",
    "codes",
    "facts_of",
    "fault",
    "filled",
    "text",
]

Lang = words.Lang


class Who(StrEnum):
    """Who can mend a fault."""

    HERE = "here"  # the people at this computer
    BUREAU = "bureau"
    VENDOR = "vendor"
    TAX_HALL = "tax_hall"  # in person, with the device


class Retry(StrEnum):
    """What a caller may do with a request that met the fault."""

    NEVER = "never"  # it would meet it again, or there is nothing to do
    SAME_KEY = "same_key"  # at once, under the same key
    AFTER_MS = "after_ms"  # later, by itself
    AFTER_FIX = "after_fix"  # once someone has mended the cause
    ASK_HUMAN = "ask_human"  # a person decides first


class Prompt(StrEnum):
    """The nine lines of the vendors' user guide by which people know their trouble."""

    NOT_PLUGGED = "未插税控设备"
    NOT_REGISTERED = "税控设备未注册"
    CLEAR_FAILED = "清卡失败"
    TIME_NOT_ALLOWED = "当前时间不在允许范围内"
    TRANSFER_FAILED = "数据传输失败"
    NOT_REPORTED = "未完成抄报"
    NOT_DECLARED = "未完成报税"
    NO_LOGIN = "无法登录"
    INVOICES_DIFFER = "发票信息不一致"
    NONE = ""


class FaultText(Value, frozen=True, kw_only=True):
    """Words for people: a short line, what happened, what to do now."""

    title: str
    cause: str
    remedy: str


class Fault(Value, frozen=True, kw_only=True):
    """An entry of the catalogue. `zh` and `en` are templates; `text` fills them."""

    code: str
    who: Who
    retry: Retry
    prompt: Prompt
    zh: FaultText
    en: FaultText

    @property
    def known(self) -> bool:
        """False for the entry that stands in for a code of another version."""
        return self.code in _catalogue()


_FIGURE = re.compile(r"[a-z]+(?:_[a-z]+)*")
UNKNOWN = "UNKNOWN_FAULT"
_SAME_AS = {  # facts that stand in for another one where that is missing
    "what": ("error", "reason", "cause", "problem", "device_text"),
    "path": ("file",),
    "field": ("key",),
}


def codes() -> tuple[str, ...]:
    """Return every code of the catalogue, in its order."""
    return tuple(_catalogue())


def fault(code: str) -> Fault:
    """Return the entry of `code`; for an unknown code the generic one, under that code. Never raises."""
    entries = _catalogue()
    return entries.get(code) or msgspec.structs.replace(entries[UNKNOWN], code=code)


def text(problem: Problem, lang: Lang) -> FaultText:
    """Return the words for `problem`, its facts filled in; a fact that is missing leaves its piece out.

    Besides the problem's detail the templates may use {fault} and {device_code}; a cause that was given under
    another name (error, reason, ...) stands in for {what}. A `what` that is one of our codes is put into
    words, and so are a vendor's code and what the system says; any other is shown as it is. Never raises.
    """
    entry = fault(problem.fault)
    said = entry.zh if lang == "zh" else entry.en
    facts = {"fault": problem.fault, "device_code": problem.device_code, **problem.detail}
    for name, others in _SAME_AS.items():
        facts.setdefault(name, next((facts[other] for other in others if other in facts), ""))
    vendors = met(problem.device_code)
    if "differences" in facts:
        facts["differences"] = _figures(facts["differences"], lang)
    if "expected" in facts:
        facts["expected"] = words.word("expected", facts["expected"], lang)
    facts["what"] = vendors[0].words(lang) if vendors else reason(facts["what"], lang)
    if problem.fault == "EXPIRED" and facts.get("limit", "").isdecimal():
        facts["limit"] = reason(f"{facts['limit']} ms", lang)
    facts["holder"] = words.word("holder", facts.get("holder", ""), lang)
    return FaultText(
        title=filled(said.title, facts),
        cause=filled(said.cause, facts),
        remedy=filled(said.remedy, facts),
    )


def _figures(differences: str, lang: Lang) -> str:
    """Put the names of the statistics in a line of differences into words."""
    return _FIGURE.sub(lambda name: words.word("figure", name[0], lang), differences)


def facts_of(code: str) -> frozenset[str]:
    """Return the names of the facts that the words of `code` can show."""
    entry = fault(code)
    words = (entry.zh, entry.en)
    return frozenset(name for w in words for part in (w.title, w.cause, w.remedy) for name in facts_in(part))


@functools.cache
def _catalogue() -> dict[str, Fault]:
    source = files("taxagent.model").joinpath("faults.toml").read_text(encoding="utf-8")
    entries = {code: {"code": code, **entry} for code, entry in tomllib.loads(source).items()}
    return msgspec.convert(entries, dict[str, Fault])
