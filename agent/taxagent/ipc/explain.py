"""explain: what a code, a vendor's code or a prompt of the guide means. From the catalogue alone."""

from __future__ import annotations

import functools

from taxagent.model.faults import Lang
from taxagent.model.meanings import Meaning, meanings
from taxagent.model.vendor_codes import VendorCode
from taxclient.protocol import messages as m


def explained(args: m.ExplainArgs, lang: Lang) -> m.ExplainResult:
    """Return the faults that are meant, in words. Raises Refusal (MEANING_UNKNOWN) where none is."""
    return _said(args.what, lang) if args.what else _all(lang)


def _said(what: str, lang: Lang) -> m.ExplainResult:
    return m.ExplainResult(faults=tuple(_view(meaning, lang) for meaning in meanings(what)))


@functools.cache
def _all(lang: Lang) -> m.ExplainResult:
    return _said("", lang)  # the whole catalogue takes 1.3 ms of everyone's interpreter, and never changes


def _view(meaning: Meaning, lang: Lang) -> m.FaultView:
    words, entry = meaning.words(lang), meaning.fault
    return m.FaultView(
        code=entry.code,
        title=words.title,
        message=words.cause,
        remedy=words.remedy,
        who=entry.who,
        outcome=meaning.outcome,
        retry=entry.retry,
        prompt=entry.prompt,
        vendor_codes=tuple(_vendor(row, lang) for row in meaning.vendors),
    )


def _vendor(row: VendorCode, lang: Lang) -> m.VendorCodeView:
    return m.VendorCodeView(
        code=row.code, kinds=tuple(row.kinds), words=row.words(lang), tries_left=row.tries_left
    )
