"""taxctl: options, one command, one exit code. Every error of the protocol ends here as words or JSON."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from taxclient.cli import console, exits, forms, usage
from taxclient.cli.options import parser
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech, language
from taxclient.protocol.errors import AuthError, ClientError, SocketShut
from taxclient.sync import Client

Run = Callable[[argparse.Namespace, Client, Screen], int]
_COMMANDS = {
    "status": "look:status",
    "window": "window:run",
    "doctor": "doctor:run",
    "why": "why:run",
    "explain": "explain:run",
    "help": "terms:run",
    "invoice": "invoice:run",
    "device": "device:run",
    "job": "look:job",
    "record": "look:record",
    "drain": "drain:run",
    "pair": "pair:run",
    "check": "ask:run",
    "backup": "ask:run",
    "report": "ask:run",
    "clear": "ask:run",
    "settle": "ask:run",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run taxctl and return its exit code. Streams may be closed, break meanwhile, or lack our letters."""
    gc.freeze()  # no collection walks what was imported, the one at the end neither: 7 of 65 ms
    console.begin()
    words = list(sys.argv[1:] if argv is None else argv)
    lang = language(usage.asked_for(words), dict(os.environ))
    try:
        with usage.spoken(lang):
            options = parser(lang).parse_args(words)
        code = _run(options, Speech(lang))
    except SystemExit as end:  # argparse has said how it is used
        code = end.code if isinstance(end.code, int) else exits.DONE
    finally:
        shown = console.end()
    return code if shown or code != exits.DONE else exits.OUTPUT


def _run(options: argparse.Namespace, speech: Speech) -> int:
    screen = Screen(
        speech,
        json=bool(options.json),
        out=console.output(sys.stdout),
        err=console.output(sys.stderr),
        terminal=console.is_terminal(),
    )
    module, _, name = _COMMANDS[options.command].partition(":")
    run = cast("Run", getattr(importlib.import_module(f"taxclient.cli.{module}"), name))
    try:
        forms.check(options)
        if options.command == "pair":  # it comes by a key of its own
            return int(cast("Callable[..., int]", run)(options, screen))
        with Client(options.endpoint, timeout_ms=options.timeout * 1000, lang=speech.lang) as client:
            code = run(options, client, screen)
    except ClientError as error:
        told = _told(error)
        screen.error(told)
        return exits.of_error(told)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    return exits.OUTPUT if screen.broken and code == exits.DONE else code


def _told(error: ClientError) -> ClientError:
    """A door that the system keeps shut is told as such, not as an agent that is not there."""
    if isinstance(error, SocketShut):
        remedy = "barred_group" if error.group else "barred_how"
        return exits.NotSent("NOT_ALLOWED", "barred", remedy, error.path, error.group)
    if isinstance(error, AuthError):
        about = error.detail or error.path if error.reason == "key_file" else error.endpoint
        return exits.NotSent("NOT_ALLOWED", f"auth_{error.reason}", "pair_first", about)
    return error


if __name__ == "__main__":
    sys.exit(main())
