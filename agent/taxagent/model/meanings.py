"""Which faults people mean by what they read out: a code, a vendor's, a prompt, a part of the words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import get_args

from taxagent.model.errors import Refusal
from taxagent.model.faults import Fault, FaultText, Lang, codes, fault, text
from taxagent.model.job import Outcome, Problem
from taxagent.model.value import Value
from taxagent.model.vendor_codes import VendorCode, met, of_fault

_SHORTEST = 2  # a single letter is part of everything
_LANGS: tuple[Lang, ...] = get_args(Lang)
# What the step that meets a fault has changed, where that is not "nothing".
_OUTCOMES: dict[str, Outcome] = {
    **dict.fromkeys(("ALREADY_SEALED", "CLOCK_TICKET_ALREADY", "ALREADY_CLEARED"), Outcome.EXECUTED),
    "NOT_CONFIRMED": Outcome.EXECUTED,
    **dict.fromkeys(
        (
            *(
                "ANSWER_LOST",
                "DEVICE_GARBLED",
                "DEVICE_HUNG",
                "BUREAU_GARBLED",
                "JOURNAL_UNKNOWN",
                "INTERNAL",
            ),
            *("STATE_DISAGREES", "DEVICE_CHANGED", "VERIFY_FAILED", "KEY_UNKNOWN", "KIND_UNKNOWN"),
        ),
        Outcome.UNKNOWN,
    ),
}


class Meaning(Value, frozen=True, kw_only=True):
    """A fault that may be meant, with the vendors' codes to show beside it."""

    fault: Fault
    outcome: Outcome  # of the step that meets it
    vendors: tuple[VendorCode, ...]  # the one that was asked for, else all that mean it

    def words(self, lang: Lang) -> FaultText:
        """Return the catalogue's words, without facts."""
        return _words(self.fault, lang)


def meanings(said: str) -> tuple[Meaning, ...]:
    """Return the faults that are meant, in the catalogue's order: all of them where nothing was said.

    Small letters and dashes will do for a code; a part of a prompt, or a message that has one in it, for a
    prompt. Raises Refusal (MEANING_UNKNOWN) where nothing is meant.
    """
    what = said.strip()
    vendors = met(what)
    found = _found(what, vendors)
    if not found:
        raise Refusal("MEANING_UNKNOWN", what=what)
    return tuple(_meaning(entry, vendors) for entry in found)


def _meaning(entry: Fault, asked: Iterable[VendorCode]) -> Meaning:
    beside = tuple(row for row in asked if row.fault == entry.code) or of_fault(entry.code)
    return Meaning(fault=entry, outcome=_OUTCOMES.get(entry.code, Outcome.NOT_EXECUTED), vendors=beside)


def _found(what: str, vendors: tuple[VendorCode, ...]) -> list[Fault]:
    entries = [fault(code) for code in codes()]
    if not what:
        return entries
    named = {what.upper().replace("-", "_")} & set(codes()) or {row.fault for row in vendors}
    if named:
        return [entry for entry in entries if entry.code in named]
    readings: tuple[Callable[[Fault, str], bool], ...] = (_by_prompt, _by_title, _by_text)
    for meant in readings if len(what) >= _SHORTEST else ():
        found = [entry for entry in entries if meant(entry, what.casefold())]
        if found:
            return found
    return []


def _by_prompt(entry: Fault, what: str) -> bool:
    """Part of a prompt, or a message that has a prompt in it."""
    return bool(entry.prompt) and (what in entry.prompt or entry.prompt in what)


def _by_title(entry: Fault, what: str) -> bool:
    said = [_words(entry, lang).title for lang in _LANGS]
    said += [row.words(lang) for row in of_fault(entry.code) for lang in _LANGS]
    return any(what in each.casefold() for each in said)


def _by_text(entry: Fault, what: str) -> bool:
    said = (_words(entry, lang) for lang in _LANGS)
    return any(what in f"{each.cause}\n{each.remedy}".casefold() for each in said)


def _words(entry: Fault, lang: Lang) -> FaultText:
    return text(Problem(fault=entry.code, outcome=Outcome.NOT_EXECUTED), lang)
