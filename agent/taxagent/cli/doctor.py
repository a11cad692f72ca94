"""`taxagent doctor`: is everything there that the agent needs? Works without an agent, and beside one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang, print_json
from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.model.lines import CheckLine

CONFIG = Path("/etc/taxagent/taxagent.toml")
_SAY = {
    "zh": {
        "ok": "正常",
        "warn": "注意",
        "fail": "有问题",
        "unknown": "不清楚",
        "not_asked": "没有检查",
        "do": "怎么办：",
        "sum": "{fail} 项有问题，{warn} 项需注意",
    },
    "en": {
        "ok": "ok",
        "warn": "note",
        "fail": "BAD",
        "unknown": "not known",
        "not_asked": "not looked at",
        "do": "what to do: ",
        "sum": "{fail} bad, {warn} to note",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help=COMMANDS["doctor"].help(default_lang()))
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print a line a finding; 1 where one is bad."""
    from taxagent.model.lines import CheckState

    lines = examined(args.config)
    if args.json:
        print_json({"lines": [_as_object(line, args.lang) for line in lines]})
    else:
        show(lines, args.lang)
    return 1 if any(line.state is CheckState.FAIL for line in lines) else 0


def examined(config: Path) -> tuple[CheckLine, ...]:
    """Look at everything; where the configuration cannot be read, at what does not need it."""
    from taxagent import examination
    from taxagent.config import load
    from taxagent.model.checks import made, of_error
    from taxagent.model.errors import Refusal

    if not _there(config):
        return (made("config", "CONFIG_NONE", path=str(config)), *examination.without_configuration())
    try:
        settings = load(config)
    except Refusal as error:
        return (of_error("config", error), *examination.without_configuration())
    return examination.examined(settings)


def show(lines: Iterable[CheckLine], lang: Lang) -> None:
    """Print lines for people, and how many there are to look at."""
    from taxagent.model.checks import name, text
    from taxagent.model.lines import CheckState

    say, counts = _SAY[lang], dict.fromkeys(CheckState, 0)
    for line in lines:
        words = text(line, lang)
        counts[line.state] += 1
        print(f"{say[line.state]}  {name(line, lang)}: {words.fact}")
        if words.remedy and line.state is not CheckState.OK:
            print(f"    {say['do']}{words.remedy}")
    print(say["sum"].format(**counts))


def _there(path: Path) -> bool:
    """Whether the file exists; one that this user may not look for is there, and its reading says why not."""
    try:
        return path.exists()
    except PermissionError:
        return True


def _as_object(line: CheckLine, lang: Lang) -> dict[str, object]:
    from taxagent.model.checks import name, text, who_mends

    words = text(line, lang)
    return {
        "line": line.line,
        "subject": line.subject,
        "name": name(line, lang),
        "state": line.state,
        "code": line.code,
        "fact": words.fact,
        "who": who_mends(line),
        "remedy": words.remedy,
        "detail": line.facts,
    }
