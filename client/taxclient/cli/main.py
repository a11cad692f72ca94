"""taxctl: options, one command, one exit code. Every error of the protocol ends here as words or JSON."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from taxclient.cli import console, exits
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech, language
from taxclient.protocol.errors import ClientError
from taxclient.sync import DEFAULT_ENDPOINT, Client

Run = Callable[[argparse.Namespace, Client, Screen], int]
_COMMANDS = {
    "status": "look:status",
    "window": "window:run",
    "why": "why:run",
    "explain": "explain:run",
    "invoice": "invoice:run",
    "job": "look:job",
    "record": "look:record",
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
    try:
        code = _run(parser().parse_args(argv))
    except SystemExit as usage:  # argparse has said how it is used
        code = usage.code if isinstance(usage.code, int) else exits.DONE
    finally:
        shown = console.end()
    return code if shown or code != exits.DONE else exits.OUTPUT


def _run(options: argparse.Namespace) -> int:
    speech = Speech(language(options.lang, dict(os.environ)))
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
        with Client(options.endpoint, timeout_ms=options.timeout * 1000, lang=speech.lang) as client:
            code = run(options, client, screen)
    except ClientError as error:
        screen.error(error)
        return exits.of_error(error)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    return exits.OUTPUT if screen.broken and code == exits.DONE else code


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    shared = _shared(argparse.SUPPRESS)
    top = argparse.ArgumentParser(
        prog="taxctl",
        description="Ask the tax-control device agent. 税控设备代理的命令行客户端。",
        parents=[_shared(None)],
        formatter_class=_lines_of_100,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", prog="taxctl")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return _command(commands, name, text, shared)

    command("status", "devices, what is due, live jobs")
    command("why", "can this shop issue invoices, and if not, why? (为什么不能开票)").add_argument(
        "device", nargs="?", default="", metavar="DEVICE_NO", help="default: all"
    )
    window = command("window", "filing deadlines of a year, and what stands in the way now")
    window.add_argument("--year", type=int, default=0, help="default: this year")
    window.add_argument("--device", default="", metavar="DEVICE_NO")
    window.add_argument("--at", default="", metavar="TIME", help="for example '2026-11-16 09:30'")
    command(
        "explain", "what a code or a prompt means, who can mend it and how (故障代码、提示语)"
    ).add_argument(
        "what",
        nargs="?",
        default="",
        metavar="CODE",
        help="a code, a vendor's code or a prompt; default: all",
    )
    _invoice_options(
        command("invoice", "find an invoice on its device, by code and number or by its QR code")
    )
    for name, text in (
        (
            "check",
            "see whether the device and the bureau are ready, name what is not (exit 0: it looked)",
        ),
        ("backup", "back up what is on the device"),
        ("report", "seal the past months and submit them (抄报)"),
        ("clear", "get the clear ticket and write it (清卡)"),
        ("settle", "report, wait for the return, clear: the month's whole work"),
    ):
        _work_options(command(name, text))
    _job_options(command("job", "list, show, follow or stop jobs"), shared)
    _record_options(command("record", "clearing records"), shared)
    return top


class _Version(argparse.Action):
    """Look the version up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"taxctl {version('taxclient')}\n")
        parser.exit()


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    shared: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=text, description=text, parents=[shared], formatter_class=_lines_of_100
    )


def _lines_of_100(prog: str) -> argparse.HelpFormatter:
    """Ask no terminal for its width: each option that is added would, and loads shutil for it (5 ms)."""
    return argparse.HelpFormatter(prog, width=100)


def _shared(default: str | None) -> argparse.ArgumentParser:
    """Options that may stand before or after the command; the second parser leaves unset ones alone."""

    def or_suppress(value: object) -> object:
        return value if default is None else default

    made = argparse.ArgumentParser(add_help=False, formatter_class=_lines_of_100)
    endpoint = os.environ.get("TAXAGENT_ENDPOINT") or DEFAULT_ENDPOINT
    made.add_argument("--endpoint", default=or_suppress(endpoint), help="default: $TAXAGENT_ENDPOINT")
    made.add_argument("--lang", choices=("zh", "en"), default=or_suppress(""), help="default: by $LANG")
    made.add_argument("--json", action="store_true", default=or_suppress(""), help="one JSON object")
    made.add_argument("--timeout", type=int, default=or_suppress(10), metavar="S", help="of each answer")
    return made


def _invoice_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("code", nargs="?", default="", metavar="CODE", help="发票代码: 10 or 12 digits")
    command.add_argument("number", nargs="?", default="", metavar="NUMBER", help="发票号码: 8 digits")
    command.add_argument("--qr", default="", metavar="TEXT", help="the text of the QR code, as scanned")
    command.add_argument("--device", default="", metavar="DEVICE_NO", help="default: all that are plugged")


def _work_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "device", nargs="?", default="", metavar="DEVICE_NO", help="may be left out where there is one device"
    )
    add(
        "--type",
        action="append",
        default=[],
        metavar="TYPE",
        help="invoice type, for example 007; repeatable",
    )
    add("--period", action="append", default=[], metavar="YYYY-MM", help="closed month; repeatable")
    add("--taxpayer", default="", metavar="ID", help="refuse unless the device is this taxpayer's")
    add("--ref", default="", help="your voucher number, stored with the job")
    add("--late", action="store_true", help="outside the filing window, on a technician's responsibility")
    add("--prepare", action="store_true", help="show what would be done and give a token; do nothing")
    add("--token", default="", help="the token of --prepare")
    add("--yes", action="store_true", help="do not ask: the agent's configuration holds a standing consent")
    add("--no-wait", action="store_true", help="return when the job is accepted")
    add("--patience", type=float, default=5.0, metavar="S", help="stay so long with a job that waits")
    add("--limit", type=float, default=None, metavar="S", help="follow the job for at most so long")


def _job_options(command: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION", prog="taxctl job")
    listing = _command(actions, "list", "newest first", shared)
    listing.add_argument("--live", action="store_true", help="only those that have not ended")
    _page_options(listing)
    for name, text in (("get", "show a job"), ("wait", "follow a job to its end")):
        action = _command(actions, name, text, shared)
        which = action.add_mutually_exclusive_group(required=True)
        which.add_argument("job_id", nargs="?", default="")
        which.add_argument("--key", default="", help="the key that the request was sent under")
        if name == "wait":
            action.add_argument("--limit", type=float, default=None, metavar="S")
    _command(actions, "cancel", "stop a job", shared).add_argument("job_id")
    _command(actions, "resume", "let a job that needs a person go on", shared).add_argument("job_id")
    closing = _command(actions, "close", "end a job that needs a person as it stands", shared)
    closing.add_argument("job_id")
    closing.add_argument("--reason", required=True, help="why; it stands in the job's record")


def _record_options(command: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION", prog="taxctl record")
    _page_options(_command(actions, "list", "newest first", shared))
    _command(actions, "get", "show a record", shared).add_argument("job_id")
    proof = "see whether a record, its journal rows and its back-ups are what they were (exit 1: not)"
    _command(actions, "verify", proof, shared).add_argument("job_id")


def _page_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="", metavar="DEVICE_NO")
    command.add_argument("--before", default="", metavar="JOB_ID", help="the page before this job")
    command.add_argument("--number", type=int, default=50, metavar="N", help="of lines, at most 500")


if __name__ == "__main__":
    sys.exit(main())
