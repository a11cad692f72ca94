"""`taxctl doctor`: what the running agent finds of itself and of its computer."""

from __future__ import annotations

import argparse

from taxclient.cli import exits
from taxclient.cli.lines import contact, listed
from taxclient.cli.screen import Screen
from taxclient.sync import Client


def run(_: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Ask, and show a line a finding; 1 where one is bad."""
    result = client.doctor()
    screen.result(result)
    for line in listed(result.lines, screen.speech):
        screen.line(line)
    bad = any(line.state == "fail" for line in result.lines)
    if result.contact and bad:
        screen.line(contact(result.contact, screen.speech))
    return exits.DIFFERS if bad else exits.DONE
