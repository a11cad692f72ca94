"""`taxctl record verify`: is the record what it was, with its row, its chain and its back-ups?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from taxclient.cli import exits
from taxclient.cli.columns import Shown, Table
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech, Words
from taxclient.protocol import messages as m
from taxclient.sync import Client

WHAT: Words = {
    "record": ("记录", "record"),
    "row": ("日志行", "row of the journal"),
    "chain": ("哈希链", "hash chain"),
    "backup": ("备份", "back-up"),
}
VERDICT: Words = {
    "holds": ("相符", "holds"),
    "differs": ("! 不相符", "! DIFFERS"),
    "missing": ("! 不在了", "! MISSING"),
    "unreadable": ("! 无法读取", "! CANNOT BE READ"),
}
LINES: Words = {
    "holds": ("记录完好：{0}", "the record holds: {0}"),
    "broken": (
        "! 记录不能作为凭据：上面标 ! 的与办理时不同。请保留现状，不要改动状态目录，并联系服务人员。",
        "! It is no evidence as it is: what has a ! is not what it was. Touch nothing, call your support.",
    ),
    "was": ("应为 {0}，现为 {1}", "was {0}, is {1}"),
}


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Have it looked at; 0 where all holds, 1 where something does not."""
    found = client.verify_record(options.job_id)
    screen.result(found)
    screen.show(lines(found, screen.speech))
    return exits.DONE if found.holds else exits.DIFFERS


def lines(found: m.RecordVerifyResult, speech: Speech) -> Iterator[Shown]:
    """A line a thing that was looked at, and what follows from all of them."""
    yield Table(
        [
            (speech.word(WHAT, each.what), speech.word(VERDICT, each.verdict), _fact(each, speech))
            for each in found.checks
        ]
    )
    yield (speech.word(LINES, "holds").format(found.sha256) if found.holds else speech.word(LINES, "broken"))


def _fact(check: m.CheckView, speech: Speech) -> str:
    parts = [check.subject]
    if check.verdict == "differs" and check.expected:
        parts.append(speech.word(LINES, "was").format(check.expected, check.found))
    elif check.verdict != "holds" and check.found:
        parts.append(check.found)
    return "  ".join(part for part in parts if part)
