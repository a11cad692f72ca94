"""`taxagent window`: a year's filing deadlines, and what the calendar opens at a moment. Needs no agent."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from taxagent.cli.screen import default_lang, print_json, print_table
from taxagent.model.errors import Refusal
from taxagent.model.faults import Lang
from taxagent.model.filing import FilingDeadline, filing_deadline
from taxagent.model.period import Period, period
from taxagent.model.windows import Rules
from taxagent.model.words import word

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers

_SAY = {
    "zh": {
        "head": ("月份", "截止日", "星期", "依据", ""),
        "days": "一二三四五六日",
        "provisional": "暂定：当月节假日尚未公布",
        "at": "某一时刻的征期和高峰时段，例如 '2026-11-16 09:30'（北京时间）",
    },
    "en": {
        "head": ("Month", "Deadline", "Day", "Source", ""),
        "days": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        "provisional": "provisional: that month's holidays are not published yet",
        "at": "filing window and peak hours at a moment of China, for example '2026-11-16 09:30'",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    zh = default_lang() == "zh"
    parser = subparsers.add_parser(
        "window", help="显示一年的征期截止日" if zh else "show a year's filing deadlines"
    )
    parser.add_argument(
        "--year", type=_year, help="2004..2100" if zh else "2004..2100; this year if left out"
    )
    parser.add_argument(
        "--override",
        type=_override,
        action="append",
        default=[],
        metavar="YYYY-MM=YYYY-MM-DD",
        help="地方延期后的截止日" if zh else "a month's deadline as the region postponed it",
    )
    parser.add_argument(
        "--at", default="", metavar="时间" if zh else "TIME", help=str(_SAY[default_lang()]["at"])
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="[windows.overrides]")
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print the deadlines of the year's months, and where no year is named which windows are open."""
    rules = _rules(args.config, dict(args.override))
    if args.at or not (args.year or args.json):
        code = _windows(args, rules)
        if args.at:
            return code
    year: int = args.year or _this_year()
    rows = [_deadline(period(f"{year}-{number:02d}"), rules.overrides) for number in range(1, 13)]
    if args.json:
        print_json([_as_json(row) for row in rows])
    else:
        _print(rows, args.lang)
    return 0


def _windows(args: argparse.Namespace, rules: Rules) -> int:
    """Print what the calendar says of a moment: the same lines as taxctl window without a device."""
    from taxagent.host.clock import HostClock
    from taxagent.ipc.windows import Explainer
    from taxclient.protocol.messages import WindowArgs

    explain = Explainer(rules, HostClock())
    result = explain.answer(WindowArgs(at=args.at, year=args.year or 0), (), args.lang)
    if args.json:
        print_json(result)
        return 0
    from taxclient.cli.columns import plain
    from taxclient.cli.window import lines
    from taxclient.cli.words import Speech

    for line in plain(lines(result, Speech(args.lang))):
        print(line)
    if not args.at:
        print()
    return 0


def _deadline(month: Period, overrides: Mapping[Period, dt.date]) -> FilingDeadline:
    try:
        return filing_deadline(month, overrides=overrides)
    except ValueError as error:
        raise Refusal("CONFIG_INVALID", key=f"windows.overrides.{month}", error=str(error)) from None


def _as_json(row: FilingDeadline) -> dict[str, object]:
    return {
        "month": int(row.month[5:]),
        "deadline": row.deadline,
        "source": row.source,
        "provisional": row.provisional,
    }


def _print(rows: list[FilingDeadline], lang: Lang) -> None:
    say = _SAY[lang]
    lines = [
        (
            row.month,
            row.deadline.isoformat(),
            say["days"][row.deadline.weekday()],
            word("source", row.source, lang),
            str(say["provisional"]) if row.provisional else "",
        )
        for row in rows
    ]
    print_table([say["head"], *lines])


def _rules(path: Path | None, given: dict[Period, dt.date]) -> Rules:
    """The configuration's rules, with the overrides of the command line on top."""
    if path is None:
        return Rules(overrides=given)
    from taxagent.config import load
    from taxagent.configured import rules_of

    configured = rules_of(load(path).file.windows)
    return msgspec.structs.replace(configured, overrides={**configured.overrides, **given})


def _this_year() -> int:
    from taxagent.host.clock import HostClock

    return HostClock().local().year


def _year(text: str) -> int:
    year = int(text) if text.isascii() and text.isdigit() else 0
    if not 2004 <= year <= 2100:
        msg = f"{text!r} is no year from 2004 to 2100"
        raise argparse.ArgumentTypeError(msg)
    return year


def _override(text: str) -> tuple[Period, dt.date]:
    month, _, day = text.partition("=")
    try:
        return period(month), dt.date.fromisoformat(day)
    except ValueError:
        msg = f"{text!r} is no override: write YYYY-MM=YYYY-MM-DD, for example 2026-11=2026-11-18"
        raise argparse.ArgumentTypeError(msg) from None
