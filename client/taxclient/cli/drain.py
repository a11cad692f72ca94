"""`taxctl drain`: have the agent stop, and say what still runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from taxclient.cli import exits
from taxclient.cli.screen import Screen
from taxclient.cli.show import job_line
from taxclient.cli.words import Speech, Words
from taxclient.protocol import messages as m
from taxclient.sync import Client

LINES: Words = {
    "stops": ("代理正在停止，不再接受新的办理。", "The agent stops; it takes no new work."),
    "running": (
        "正在办理，走到下一个安全点为止（最多等 150 秒）：",
        "Being worked on, up to the next safe point (it waits up to 150 s):",
    ),
    "idle": ("没有正在办理的任务。", "No job is being worked on."),
    "left": (
        "另有 {0} 个任务没有结束，下次启动后继续。",
        "{0} other jobs have not ended; they go on after the next start.",
    ),
    "start": ("再次启动：taxagent run", "To start it again: taxagent run"),
}


def run(_: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Stop the agent as it runs now; one that was started meanwhile is left alone."""
    found = client.drain(_boot(client))
    screen.result(found)
    for line in lines(found, screen.speech):
        screen.line(line)
    return exits.DONE


def _boot(client: Client) -> str:
    client.hello()
    return client.boot


def lines(found: m.DrainResult, speech: Speech) -> Iterator[str]:
    """What stops, and what goes on later."""
    yield speech.word(LINES, "stops")
    yield speech.word(LINES, "running" if found.running else "idle")
    yield from (f"  {job_line(job, speech)}" for job in found.running)
    if found.left:
        yield speech.word(LINES, "left").format(found.left)
    yield speech.word(LINES, "start")
