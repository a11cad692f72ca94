"""`taxctl pair`: redeem a one-time code. It is typed, or read from standard input; never an argument."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from taxclient import pairing, places
from taxclient.cli import exits
from taxclient.cli.screen import Screen
from taxclient.cli.words import Words
from taxclient.protocol.codes import BadCode

_TCP = "tcp://"

LINES: Words = {
    "ask": ("配对码：", "code: "),
    "paired": ("已配对，客户端名称 {0}", "paired as {0}"),
    "file": ("密钥文件：{0}", "key file: {0}"),
    "try": ("现在可以用：taxctl --endpoint {0} status", "now this works: taxctl --endpoint {0} status"),
}


def run(options: argparse.Namespace, screen: Screen) -> int:
    """Redeem the code and store the key."""
    endpoint, server_key = _where(options)
    word = screen.speech.word
    code = screen.ask(word(LINES, "ask")) if screen.terminal else sys.stdin.readline()
    try:
        key, path = pairing.pair(
            code,
            endpoint=endpoint,
            server_key=server_key,
            key_file=Path(options.key_file) if options.key_file else None,
            lang=screen.speech.lang,
        )
    except BadCode as error:
        raise exits.NotSent("BAD_REQUEST", f"pair_{error.reason}", "pair_again") from error
    except OSError as error:
        raise exits.NotSent("STATE_DIR_UNWRITABLE", "pair_not_stored", "state_how", str(error)) from error
    screen.line(word(LINES, "paired").format(key.name))
    screen.line(word(LINES, "file").format(path))
    screen.line(word(LINES, "try").format(endpoint))
    screen.result({"name": key.name, "endpoint": key.endpoint, "key_file": str(path)})
    return exits.DONE


def _where(options: argparse.Namespace) -> tuple[str, str]:
    endpoint = options.endpoint if options.endpoint.startswith(_TCP) else ""
    if endpoint and options.server_key:
        return endpoint, options.server_key
    found = places.published(os.environ)
    if found is None:
        where = str(places.file_of(os.environ))
        raise exits.NotSent("BAD_REQUEST", "pair_no_agent", "pair_where", where)
    return endpoint or found.endpoint, options.server_key or found.server_key
