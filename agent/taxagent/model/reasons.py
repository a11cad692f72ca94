"""A phrase of a fault in words: our own codes, a time in ms, what the system says. Knows no fault."""

from __future__ import annotations

import re

from taxagent.model.words import Lang, word, words_of

_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_MS = re.compile(r"\d+ ms")
_UNITS = ((86_400, ("天", "d")), (3_600, ("小时", "h")), (60, ("分钟", "min")), (1, ("秒", "s")))


def reason(text: str, lang: Lang) -> str:
    """Return the phrase in words: a code's; a time spelled; system errors in the language. Never raises."""
    known = word("what", text, lang)
    if known != text:
        return known
    if _MS.fullmatch(text):
        return spelled(int(text.removesuffix(" ms")) // 1000, lang)
    said = _ERRNO.sub("", text)
    for phrase in words_of("system"):
        said = said.replace(phrase, word("system", phrase, lang))
    return said


def spelled(seconds: int, lang: Lang) -> str:
    """Return a time that passes, in the two largest units that count: 3 天 2 小时, 40 秒."""
    column, left = (0 if lang == "zh" else 1), max(seconds, 0)
    parts: list[str] = []
    for size, names in _UNITS:
        count, left = divmod(left, size)
        if parts or count:
            parts.append(f"{count} {names[column]}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or f"0 {_UNITS[-1][1][column]}"
