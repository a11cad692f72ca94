"""`taxagent explain`: what a fault code, or a line of the vendors' user guide, means and what to do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from taxagent.cli.screen import default_lang, print_json, print_table
from taxagent.model.errors import Refusal
from taxagent.model.faults import Fault, FaultText, Lang, Prompt, codes, fault, text
from taxagent.model.job import Outcome, Problem
from taxagent.model.words import word

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers

_SAY = {
    "zh": {"who": "由谁处理", "retry": "重试", "prompt": "对应提示"},
    "en": {"who": "who can mend it", "retry": "retry", "prompt": "the guide's line"},
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    zh = default_lang() == "zh"
    parser = subparsers.add_parser("explain", help="说明一个故障代码" if zh else "explain a fault code")
    parser.add_argument(
        "what",
        nargs="?",
        metavar="CODE",
        help="故障代码，或说明书中的提示语；不填则列出全部"
        if zh
        else "a fault code, or a line of the guide such as 清卡失败; all codes if left out",
    )
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print one fault in full, or a list of those that were asked for."""
    lang: Lang = args.lang
    found = _found(args.what or "")
    if args.json:
        print_json([_as_json(each, lang) for each in found])
    elif len(found) == 1:
        _print(found[0], lang)
    else:
        print_table([(each.code, _words(each, lang).title) for each in found])
    return 0


def _found(what: str) -> list[Fault]:
    entries = [fault(code) for code in codes()]
    if not what:
        return entries
    by_prompt = [entry for entry in entries if entry.prompt == what]
    by_code = [entry for entry in entries if entry.code == what.upper().replace("-", "_")]
    if not by_prompt and not by_code:
        prompts = ", ".join(prompt for prompt in Prompt if prompt)
        raise Refusal("BAD_REQUEST", key="CODE", what=f"{what} is neither a fault code nor one of {prompts}")
    return by_code or by_prompt


def _words(entry: Fault, lang: Lang) -> FaultText:
    return text(Problem(fault=entry.code, outcome=Outcome.NOT_EXECUTED), lang)


def _as_json(entry: Fault, lang: Lang) -> dict[str, str]:
    words = _words(entry, lang)
    return {
        "code": entry.code,
        "who": entry.who,
        "retry": entry.retry,
        "prompt": entry.prompt,
        "title": words.title,
        "cause": words.cause,
        "remedy": words.remedy,
    }


def _print(entry: Fault, lang: Lang) -> None:
    words, say = _words(entry, lang), _SAY[lang]
    print(f"{entry.code}: {words.title}\n  {words.cause}\n  {words.remedy}\n")
    print_table(
        [
            (say["who"], word("who", entry.who, lang)),
            (say["retry"], word("retry", entry.retry, lang)),
            *([(say["prompt"], entry.prompt.value)] if entry.prompt else []),
        ]
    )
