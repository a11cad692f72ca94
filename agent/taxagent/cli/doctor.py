"""`taxagent doctor`: is everything there that the agent needs? Works without an agent, and beside one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang, print_json
from taxagent.host.here import config_file
from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.model.lines import CheckLine

CONFIG = config_file()


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help=COMMANDS["doctor"].help(default_lang()))
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print a line a finding, as `taxctl doctor` does; 1 where one is bad."""
    from taxagent.ipc.views import line_view
    from taxagent.model.lines import CheckState
    from taxclient.protocol.results import DoctorResult

    lines, contact = examined(args.config), _contact(args.config)
    bad = any(line.state is CheckState.FAIL for line in lines)
    if args.json:
        print_json(DoctorResult(lines=tuple(line_view(line, args.lang) for line in lines), contact=contact))
    else:
        show(lines, args.lang, contact if bad else "")
    return 1 if bad else 0


def examined(config: Path) -> tuple[CheckLine, ...]:
    """Look at everything; where the configuration cannot be read, at what does not need it."""
    from taxagent import examination
    from taxagent.config import load
    from taxagent.model.checks import made, of_error
    from taxagent.model.errors import Refusal

    if not _there(config):
        return examination.without_configuration(made("config", "CONFIG_NONE", path=str(config)))
    try:
        settings = load(config)
    except Refusal as error:
        return examination.without_configuration(of_error("config", error))
    return examination.examined(settings)


def show(lines: Iterable[CheckLine], lang: Lang, contact: str = "") -> None:
    """Print lines for people, how many there are to look at, and whom to ask, where that is not ""."""
    from taxagent.ipc.views import line_view
    from taxclient.cli import lines as words
    from taxclient.cli.words import Speech

    speech = Speech(lang)
    for text in words.listed([line_view(line, lang) for line in lines], speech):
        print(text)
    if contact:
        print(words.contact(contact, speech))


def _contact(config: Path) -> str:
    """Return whom to ask for help, "" where the configuration does not say or cannot be read."""
    from taxagent.config import load
    from taxagent.model.errors import Refusal

    try:
        return load(config).file.support.contact
    except (Refusal, OSError):
        return ""


def _there(path: Path) -> bool:
    """Whether the file exists; one that this user may not look for is there, and its reading says why not."""
    try:
        return path.exists()
    except PermissionError:
        return True
