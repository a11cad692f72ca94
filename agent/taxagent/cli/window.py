"""`taxagent window`: a year's filing deadlines. Needs no running agent."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.screen import default_lang, print_json, print_table
from taxagent.model.errors import Refusal
from taxagent.model.faults import Lang
from taxagent.model.filing import FilingDeadline, filing_deadline
from taxagent.model.period import Period, period
from taxagent.model.words import word

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers

_SAY = {
    "zh": {
        "head": ("月份", "截止日", "星期", "依据", ""),
        "days": "一二三四五六日",
        "provisional": "暂定：当月节假日尚未公布",
    },
    "en": {
        "head": ("Month", "Deadline", "Day", "Source", ""),
        "days": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        "provisional": "provisional: that month's holidays are not published yet",
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
    parser.add_argument("--config", type=Path, metavar="FILE", help="[windows.overrides]")
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print the deadlines of the year's months, by the official rows, the overrides or the rule."""
    year: int = args.year or _this_year()
    overrides = {**_configured(args.config), **dict(args.override)}
    rows = [_deadline(period(f"{year}-{number:02d}"), overrides) for number in range(1, 13)]
    if args.json:
        print_json([_as_json(row) for row in rows])
    else:
        _print(rows, args.lang)
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


def _configured(path: Path | None) -> dict[Period, dt.date]:
    if path is None:
        return {}
    from taxagent.config import load

    return {period(month): day for month, day in load(path).file.windows.overrides.items()}


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
