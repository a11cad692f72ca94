"""`taxagent service install|uninstall|status`: the agent as a service; of Windows in service_windows.py."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli import service_windows
from taxagent.cli.screen import default_lang, print_json
from taxagent.cli.service_words import say
from taxagent.host.here import WINDOWS
from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.host.installing import Installation, Step


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    lang = default_lang()
    parser = subparsers.add_parser("service", help=say("about", lang))
    if WINDOWS:
        service_windows.add(parser)
        return
    actions = parser.add_subparsers(dest="action", required=True, metavar="install|uninstall|status")
    for action in ("install", "uninstall", "status"):
        command = actions.add_parser(action, help=say(action, lang))
        command.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help=say("root", lang))
        command.add_argument("--program", type=Path, metavar="FILE", help=say("program", lang))
        command.add_argument("--json", action="store_true", help="JSON")
        if action != "status":
            command.add_argument("--dry-run", action="store_true", help=say("dry_run", lang))
        if action == "uninstall":
            command.add_argument("--purge", action="store_true", help=say("purge", lang))
            command.add_argument("--yes", action="store_true", help=say("yes", lang))


def run(args: argparse.Namespace) -> int:
    """Do it; 0 done, 1 a step failed or a status is not well, 2 it cannot be so, 77 only root may."""
    if WINDOWS:
        return service_windows.run(args)
    from taxagent.host.installing import Installation, program_of
    from taxagent.model.errors import Refusal

    if sys.platform != "linux":
        raise Refusal("COMMAND_UNAVAILABLE", op="service", what=say("no_systemd", args.lang))
    program = args.program or program_of(sys.argv[0], sys.prefix)
    dry_run = bool(getattr(args, "dry_run", False))
    installation = Installation(args.root.resolve(), program=program.absolute(), dry_run=dry_run)
    if args.action == "status":
        return _status(installation, args.lang, json=args.json)
    refused = _by_package(installation, args) or _refused(args, program, dry_run=dry_run)
    if refused is not None:
        return refused
    if args.action == "install":
        code = _told(installation.install(), args, dry_run=dry_run)
        if code == 0 and not args.json:
            print(say("next", args.lang))
        return code
    if args.purge and not (args.yes or dry_run or _sure(args.lang)):
        print(say("left", args.lang), file=sys.stderr)
        return 2
    return _told(installation.uninstall(purge=args.purge), args, dry_run=dry_run)


def _by_package(installation: Installation, args: argparse.Namespace) -> int | None:
    """Leave a packaged service to its package's tools; what was installed by hand beside it may go."""
    if not installation.packaged:
        return None
    if args.action == "uninstall" and installation.by_hand and not args.purge:
        return None
    return _no(say(f"packaged_{args.action}", args.lang), 2)


def _refused(args: argparse.Namespace, program: Path, *, dry_run: bool) -> int | None:
    """Say why it cannot be done, and return the exit code; None where it can."""
    from taxagent.host.installing import hidden

    live = args.root.resolve() == Path("/")
    if args.action == "install" and live and not program.exists():
        return _no(say("no_program", args.lang, path=program), 2)
    if args.action == "install" and live and hidden(program.absolute()):
        return _no(say("hidden", args.lang, path=program), 2)
    if live and not dry_run and os.geteuid() != 0:
        return _no(say("not_root", args.lang), 77)
    return None


def _no(why: str, code: int) -> int:
    print(why, file=sys.stderr)
    return code


def _sure(lang: Lang) -> bool:
    if not sys.stdin.isatty():
        return False
    print(say("sure", lang), end=" ", flush=True)
    return sys.stdin.readline().strip().lower() in ("yes", "是")


def _told(steps: Iterator[Step], args: argparse.Namespace, *, dry_run: bool) -> int:
    """Print each step as it is done; 1 where one failed."""
    done = []
    if dry_run and not args.json:
        print(say("would", args.lang))
    for step in steps:
        done.append(step)
        if not args.json:
            print(say(step.did, args.lang, what=step.what, why=step.why), flush=True)
    if args.json:
        print_json({"dry_run": dry_run, "steps": done})
    return 1 if any(step.failed for step in done) else 0


def _status(installation: Installation, lang: Lang, *, json: bool) -> int:
    files, unit = list(installation.files()), installation.unit()
    socket = installation.socket()
    if json:
        told = [{"path": path, "is": state} for path, state in files]
        print_json({"packaged": installation.packaged, "files": told, "unit": unit, "socket": socket})
    else:
        if installation.packaged:
            print(say("packaged", lang))
        for path, state in files:
            print(say(state, lang, what=path))
        _tell(unit, socket, lang)
    well = all(state == "same" for _, state in files) and unit.get("ActiveState") == "active"
    return 0 if well else 1


def _tell(unit: dict[str, str], socket: dict[str, str], lang: Lang) -> None:
    if not unit:
        print(say("unasked", lang))
        return
    print(
        say(
            "unit",
            lang,
            **_standing(unit, lang),
            restarts=unit.get("NRestarts", "?"),
            result=unit.get("Result", "?"),
            code=unit.get("ExecMainStatus", "?"),
        )
    )
    if unit.get("StatusText"):
        print(say("says", lang, text=unit["StatusText"]))
    if socket.get("LoadState", "not-found") != "not-found":
        print(say("socket", lang, **_standing(socket, lang)))


def _standing(unit: dict[str, str], lang: Lang) -> dict[str, str]:
    enabled = unit.get("UnitFileState") or "-"
    return {
        "active": unit.get("ActiveState", "?"),
        "sub": unit.get("SubState", "?"),
        "enabled": say(enabled, lang) if enabled in ("enabled", "disabled") else enabled,
    }
