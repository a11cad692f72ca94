"""The lines of a check, and of the doctor, for people: under what is not well stands what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from taxclient.cli import words as w
from taxclient.cli.words import Speech, Words
from taxclient.protocol import messages as m

STATE: Words = {
    "ok": ("正常", "ok"),
    "warn": ("注意", "note"),
    "not_asked": ("未检查", "not looked at"),
    "unknown": ("不清楚", "not known"),
    "fail": ("有问题", "BAD"),
}
_MARK = {"ok": "✓", "warn": "!", "not_asked": "-", "unknown": "?", "fail": "✗"}
_SUM: Words = {
    "sum": (
        "共 {0} 项：{1} 项有问题，{2} 项不清楚，{3} 项需注意",
        "{0} lines: {1} bad, {2} not known, {3} to note",
    ),
    "contact": ("需要帮助请联系：{0}", "for help: {0}"),
    "opens": ("{0} 起可以办理", "opens {0}"),
}


def listed(lines: Sequence[m.CheckLineView], speech: Speech) -> Iterator[str]:
    """Yield each line with its state, and under what is not well who can mend it and how; then the counts."""
    for line in lines:
        state = speech.word(STATE, line.state)
        yield f"{_MARK.get(line.state, '?')} {state}  {line.name}{speech.colon}{line.fact}"
        if line.state in ("ok", "not_asked"):
            continue
        if line.opens:
            yield "    " + speech.word(_SUM, "opens").format(line.opens.replace("T", " "))
        if line.who:
            yield "    " + speech.say("who_mends", speech.word(w.WHO, line.who))
        if line.remedy:
            yield "    " + speech.say("remedy", line.remedy)
    states = [line.state for line in lines]
    counts = (len(lines), *(states.count(each) for each in ("fail", "unknown", "warn")))
    yield speech.word(_SUM, "sum").format(*counts)


def contact(text: str, speech: Speech) -> str:
    """Return whom to ask for help."""
    return speech.word(_SUM, "contact").format(text)
