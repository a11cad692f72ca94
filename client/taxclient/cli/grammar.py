"""What all of taxctl's commands share: their group, the options of each, and the language of their help."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from taxclient import places
from taxclient.cli.usage import lines_of_100

Pick = Callable[[str, str], str]  # of Chinese and English


class Group:
    """The commands below a command; each takes the shared options."""

    def __init__(self, above: argparse.ArgumentParser, dest: str, name: str, prog: str, say: Pick) -> None:
        self.say = say
        self._shared = shared(argparse.SUPPRESS, say)
        self._made = above.add_subparsers(
            dest=dest, required=True, metavar=name, prog=prog, title=say("命令", "commands")
        )

    def add(self, name: str, zh: str, en: str) -> argparse.ArgumentParser:
        """Declare a command by its one line."""
        text = self.say(zh, en)
        return self._made.add_parser(
            name, help=text, description=text, parents=[self._shared], formatter_class=lines_of_100
        )

    def below(self, command: argparse.ArgumentParser, dest: str, prog: str) -> Group:
        """Return the commands below one of these."""
        return Group(command, dest, self.say("操作", "ACTION"), prog, self.say)


def shared(default: str | None, say: Pick) -> argparse.ArgumentParser:
    """Options that may stand before or after the command; the second parser leaves unset ones alone."""

    def or_suppress(value: object) -> object:
        return value if default is None else default

    made = argparse.ArgumentParser(add_help=False, formatter_class=lines_of_100)
    endpoint = places.endpoint(os.environ)
    by = say("默认 $TAXAGENT_ENDPOINT", "default: $TAXAGENT_ENDPOINT")
    made.add_argument("--endpoint", default=or_suppress(endpoint), metavar=say("地址", "ENDPOINT"), help=by)
    made.add_argument(
        "--lang",
        choices=("zh", "en"),
        default=or_suppress(""),
        help=say("语言，默认按 $LANG", "default: by $LANG"),
    )
    made.add_argument(
        "--json",
        action="store_true",
        default=or_suppress(""),
        help=say("输出一个 JSON 对象", "one JSON object"),
    )
    made.add_argument(
        "--timeout",
        type=int,
        default=or_suppress(10),
        metavar=say("秒", "S"),
        help=say("每次应答的时限，默认 10 秒", "of each answer, 10 s unless given"),
    )
    return made
