"""`taxagent secret set|status`: passwords go in by the terminal or standard input, never as an argument."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang
from taxagent.host.here import config_file

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers

_HELP = {
    "zh": {
        "set": "保存密码（在终端输入，或从标准输入读取）",
        "status": "查看是否已保存密码（没有为 10）",
        "config": "配置文件",
    },
    "en": {
        "set": "store a password, typed at the terminal or read from standard input",
        "status": "say whether a password is stored (10 where none is)",
        "config": "the configuration",
    },
}
_NAME = re.compile(r"device-\d{12}")


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    words = _HELP[default_lang()]
    parser = subparsers.add_parser("secret", help=COMMANDS["secret"].help(default_lang()))
    actions = parser.add_subparsers(dest="action", required=True)
    for action in ("set", "status"):
        command = actions.add_parser(action, help=words[action])
        command.add_argument("name", metavar="device-NUMBER")
        command.add_argument(
            "--config",
            type=Path,
            default=config_file(),
            metavar="FILE",
            help=words["config"],
        )


def run(args: argparse.Namespace) -> int:
    """Store a secret, or say whether there is one; 10 where there is none."""
    from taxagent import config
    from taxagent.host.secret_files import SecretFiles
    from taxagent.model.errors import Refusal

    if not _NAME.fullmatch(args.name):
        raise Refusal("BAD_REQUEST", field="name", what="device_name_wanted")
    files = SecretFiles(config.load(args.config).secrets_dir)
    if args.action == "status":
        there = files.get(args.name) is not None
        print(f"{args.name}: {'set' if there else 'not set'}")
        return 0 if there else 10
    value = _asked(args.name) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not value:
        raise Refusal("BAD_REQUEST", field="value", what="secret_empty")
    print(files.set(args.name, value))
    return 0


def _asked(name: str) -> str:
    """Ask for a secret twice: a mistyped password costs one of the device's few tries."""
    from taxagent.model.errors import Refusal

    value = getpass.getpass(f"{name}: ")
    if getpass.getpass(f"{name} (2): ") != value:
        raise Refusal("BAD_REQUEST", field="value", what="secrets_differ")
    return value
