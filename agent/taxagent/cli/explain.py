"""`taxagent explain`: what a code of ours or a vendor's, or a line of the guide, means and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from taxagent.cli.screen import default_lang, print_json, print_table
from taxagent.model.errors import Refusal
from taxagent.model.faults import Fault, FaultText, Lang, Prompt, codes, fault, text
from taxagent.model.job import Outcome, Problem
from taxagent.model.vendor_codes import VendorCode, met, of_fault
from taxagent.model.words import word

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers

_SAY: dict[Lang, dict[str, str]] = {
    "zh": {"who": "由谁处理", "retry": "重试", "prompt": "对应提示", "vendor": "厂商代码"},
    "en": {
        "who": "who can mend it",
        "retry": "retry",
        "prompt": "the guide's line",
        "vendor": "the vendor's code",
    },
}
_SHORTEST = 2  # a single letter is part of everything


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    zh = default_lang() == "zh"
    parser = subparsers.add_parser("explain", help="说明一个故障代码" if zh else "explain a fault code")
    parser.add_argument(
        "what",
        nargs="?",
        metavar="CODE",
        help="故障代码、厂商代码（如 09d118、195），或提示语的一部分；不填则列出全部"
        if zh
        else "a fault code, a vendor's (09d118, 195), or part of a prompt such as 清卡失败; else all codes",
    )
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print one fault in full, or a list of those that were asked for."""
    lang: Lang = args.lang
    what = (args.what or "").strip()
    found, vendors = _found(what), met(what)
    if args.json:
        print_json([_as_json(each, _beside(each, vendors), lang) for each in found])
    elif len(found) == 1:
        _print(found[0], _beside(found[0], vendors), lang)
    else:
        print_table([(each.code, _words(each, lang).title) for each in found])
    return 0


def _found(what: str) -> list[Fault]:
    """Return the faults that are meant: by our code, a vendor's, the guide's prompt, or words of the text."""
    entries = [fault(code) for code in codes()]
    if not what:
        return entries
    named = {what.upper().replace("-", "_")} & set(codes()) or {row.fault for row in met(what)}
    if named:
        return [entry for entry in entries if entry.code in named]
    if len(what) >= _SHORTEST:
        for meant in (_by_prompt, _by_title, _by_text):
            found = [entry for entry in entries if meant(entry, what.casefold())]
            if found:
                return found
    prompts = ", ".join(prompt for prompt in Prompt if prompt)
    problem = f"{what} is neither a fault code, nor a vendor's, nor a part of a fault's words or of {prompts}"
    raise Refusal("BAD_REQUEST", key="CODE", what=problem)


def _by_prompt(entry: Fault, what: str) -> bool:
    """Part of a prompt, or a message that has a prompt in it."""
    return bool(entry.prompt) and (what in entry.prompt or entry.prompt in what)


def _by_title(entry: Fault, what: str) -> bool:
    said = [_words(entry, lang).title for lang in _SAY] + [
        row.words(lang) for row in of_fault(entry.code) for lang in _SAY
    ]
    return any(what in each.casefold() for each in said)


def _by_text(entry: Fault, what: str) -> bool:
    said = (_words(entry, lang) for lang in _SAY)
    return any(what in f"{each.cause}\n{each.remedy}".casefold() for each in said)


def _beside(entry: Fault, asked: Iterable[VendorCode]) -> tuple[VendorCode, ...]:
    """Return the vendors' codes to show with a fault: the one that was asked for, else all that mean it."""
    return tuple(row for row in asked if row.fault == entry.code) or of_fault(entry.code)


def _words(entry: Fault, lang: Lang) -> FaultText:
    return text(Problem(fault=entry.code, outcome=Outcome.NOT_EXECUTED), lang)


def _as_json(entry: Fault, vendors: Iterable[VendorCode], lang: Lang) -> dict[str, object]:
    words = _words(entry, lang)
    return {
        "code": entry.code,
        "who": entry.who,
        "retry": entry.retry,
        "prompt": entry.prompt,
        "title": words.title,
        "cause": words.cause,
        "remedy": words.remedy,
        "vendor_codes": [
            {"code": row.code, "kinds": row.kinds, "words": row.words(lang), "tries_left": row.tries_left}
            for row in vendors
        ],
    }


def _print(entry: Fault, vendors: Iterable[VendorCode], lang: Lang) -> None:
    words, say = _words(entry, lang), _SAY[lang]
    print(f"{entry.code}: {words.title}\n  {words.cause}\n  {words.remedy}\n")
    print_table(
        [
            (say["who"], word("who", entry.who, lang)),
            (say["retry"], word("retry", entry.retry, lang)),
            *([(say["prompt"], entry.prompt.value)] if entry.prompt else []),
            *((say["vendor"], _shown(row, lang)) for row in vendors),
        ]
    )


def _shown(row: VendorCode, lang: Lang) -> str:
    kinds = ", ".join(word("device_kind", kind, lang) for kind in row.kinds)
    return f"{row.code} ({kinds}): {row.words(lang)}"
