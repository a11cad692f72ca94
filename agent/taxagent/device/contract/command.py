"""`python -m taxagent.device.contract`: the command line, the warnings, the lines that are printed."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec

from taxagent.device import drivers
from taxagent.device.contract.bench import Bench, Plan
from taxagent.device.contract.checks import CHECKS
from taxagent.device.contract.examining import LIMIT_S, examine
from taxagent.device.contract.verdict import Finding, Verdict
from taxagent.device.contract.words import reason, say, title
from taxagent.model.errors import AgentError
from taxagent.model.faults import Lang
from taxagent.model.period import Period, period

_NAMED = max(len(check.name) for check in CHECKS)


def main(argv: Sequence[str] | None = None) -> int:
    """Make the checks; return 0 where none failed, 1 where one did, 2 for a wrong command line."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(_lang(words))
    args = parser.parse_args(words)
    lang: Lang = args.lang
    plan = _plan(parser, args)
    factory = _factory(parser, args.driver, lang)
    bench = Bench(factory, plan, tell=lambda what: _wait_for(say(what, lang)))
    found = []
    for finding in examine(bench, limit_s=args.limit):
        found.append(finding)
        if not args.json:
            _print(_line(finding, lang))
    failed = sum(one.verdict is Verdict.FAILED for one in found)
    if args.json:
        _print(_as_json(args, bench, found, lang))
    else:
        counts = {verdict.value: sum(one.verdict is verdict for one in found) for verdict in Verdict}
        _print(say("not_kept" if failed else "all_kept", lang, **counts))
    return 1 if failed else 0


def _parser(lang: Lang) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m taxagent.device.contract", description=say("about", lang)
    )
    parser.add_argument("--driver", default="tcdp", metavar="NAME", help=say("help_driver", lang))
    parser.add_argument("--backend", default="libusb", metavar="TEXT", help=say("help_backend", lang))
    parser.add_argument("--device", default="", metavar="NUMBER", help=say("help_device", lang))
    parser.add_argument("--password-file", type=Path, metavar="FILE", help=say("help_password", lang))
    parser.add_argument("--interactive", action="store_true", help=say("help_interactive", lang))
    parser.add_argument("--spend-a-try", action="store_true", help=say("help_try", lang))
    parser.add_argument(
        "--destructive", nargs="?", const="", metavar="NUMBER", help=say("help_destructive", lang)
    )
    parser.add_argument("--seal", default="", metavar="YYYY-MM", help=say("help_seal", lang))
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, metavar="SECONDS", help=say("help_limit", lang)
    )
    parser.add_argument("--lang", choices=("zh", "en"), default=lang, help=say("help_lang", lang))
    parser.add_argument("--json", action="store_true", help=say("help_json", lang))
    return parser


def _plan(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Plan:
    lang: Lang = args.lang
    destructive = args.destructive is not None
    if (destructive or args.spend_a_try) and not args.device:
        parser.error(say("need_device", lang))
    if args.seal and not destructive:
        parser.error(say("need_destructive", lang))
    if args.spend_a_try:
        _shout(say("shout_try", lang, device_no=args.device))
    if destructive:
        _meant(parser, args)
    return Plan(
        backend=args.backend,
        device_no=args.device,
        password=_password(parser, args.password_file, lang),
        interactive=args.interactive,
        spend_a_try=args.spend_a_try,
        destructive=destructive,
        seal=_month(parser, args.seal),
    )


def _meant(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Shout, then go on only where the number was given twice, or is typed now."""
    lang: Lang = args.lang
    _shout(say("shout", lang, device_no=args.device))
    if args.seal:
        _shout(say("shout_seal", lang, period=args.seal))
    number = args.destructive
    if not number:
        if not sys.stdin.isatty():
            parser.error(say("need_number", lang))
        number = _asked(say("type_number", lang))
    if number != args.device:
        parser.error(say("not_meant", lang))


def _password(parser: argparse.ArgumentParser, path: Path | None, lang: Lang) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        parser.error(say("no_password_file", lang, error=error))


def _month(parser: argparse.ArgumentParser, text: str) -> Period | None:
    try:
        return period(text) if text else None
    except ValueError as error:
        parser.error(str(error))


def _factory(parser: argparse.ArgumentParser, driver: str, lang: Lang) -> drivers.Factory:
    """Return the factory: an entry point's name, or "module:function" of what is not installed."""
    module, colon, function = driver.partition(":")
    try:
        if not colon:
            return drivers.factory(driver)
        return cast("drivers.Factory", getattr(importlib.import_module(module), function))
    except (ImportError, AttributeError, AgentError) as error:
        parser.error(
            reason(
                Finding(
                    check="", verdict=Verdict.FAILED, reason="driver_missing", facts={"error": str(error)}
                ),
                lang,
            )
        )


def _lang(words: Sequence[str]) -> Lang:
    """Return the language of --lang, else of the environment: help and complaints speak it as well."""
    given = [after for word, after in pairwise(words) if word == "--lang"]
    given += [word.removeprefix("--lang=") for word in words if word.startswith("--lang=")]
    if given:
        return "zh" if given[-1] == "zh" else "en"
    set_ = next((v for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := os.environ.get(name))), "")
    return "zh" if set_.lower().startswith("zh") else "en"


def _line(finding: Finding, lang: Lang) -> str:
    verdict = say(finding.verdict.value, lang)
    why = reason(finding, lang)
    colon = "：" if lang == "zh" else ": "
    shown = title(finding.check, lang)
    if why:
        shown += f" ({why})" if finding.verdict is Verdict.OK else f"{colon}{why}"
    pad = " " * (9 - sum(2 if ord(letter) > 0x2E80 else 1 for letter in verdict))
    return f"{verdict}{pad}{finding.check:<{_NAMED + 2}}{shown}"


def _as_json(args: argparse.Namespace, bench: Bench, found: Sequence[Finding], lang: Lang) -> str:
    rows: list[dict[str, Any]] = [
        {
            "check": one.check,
            "verdict": one.verdict,
            "title": title(one.check, lang),
            "reason": one.reason,
            "text": reason(one, lang),
            "facts": one.facts,
        }
        for one in found
    ]
    whole = {
        "driver": args.driver,
        "backend": args.backend,
        "device": bench.known(),
        "ok": all(one.verdict is not Verdict.FAILED for one in found),
        "checks": rows,
    }
    return msgspec.json.encode(whole).decode()


def _asked(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _wait_for(question: str) -> None:
    _asked(question)


def _shout(text: str) -> None:
    sys.stderr.write(text + "\n")


def _print(text: str) -> None:
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()
