"""`taxagent explain`: what a code of ours or a vendor's, or a line of the guide, means. Needs no agent."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang, print_json
from taxagent.model.errors import Refusal
from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxclient.protocol.messages import ExplainResult


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    zh = default_lang() == "zh"
    parser = subparsers.add_parser("explain", help=COMMANDS["explain"].help(default_lang()))
    parser.add_argument(
        "what",
        nargs="?",
        default="",
        metavar="代码或提示语" if zh else "CODE",
        help="故障代码、厂商代码（如 09d118、195），或提示语的一部分；不填则列出全部"
        if zh
        else "a fault code, a vendor's (09d118, 195), or part of a prompt such as 清卡失败; else all codes",
    )
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print one fault in full, or a list of those that were asked for: the same as taxctl explain."""
    result = _meant(args.what, args.lang)
    if args.json:
        print_json(result)
        return 0
    from taxclient.cli.columns import plain
    from taxclient.cli.explain import lines
    from taxclient.cli.words import Speech

    for line in plain(lines(result, Speech(args.lang))):
        print(line)
    return 0


def _meant(what: str, lang: Lang) -> ExplainResult:
    """The agent's faults and the client's own. Raises Refusal (MEANING_UNKNOWN)."""
    from taxagent.ipc.explain import explained
    from taxclient.cli.explain import own_faults
    from taxclient.cli.words import Speech
    from taxclient.protocol.messages import ExplainArgs, ExplainResult

    own = own_faults(what, Speech(lang))
    try:
        ours = explained(ExplainArgs(what=what), lang).faults
    except Refusal:
        if not own:
            raise
        ours = ()
    return ExplainResult(faults=(*ours, *own))
