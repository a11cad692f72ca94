"""docs/simulator.md names every order, point and act, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from taxagent.simulator import control_messages as m
from taxagent.simulator.faults import Act, Point

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


def rows(head: str) -> set[str]:
    """Return the names in the first column of the table with that heading."""
    table = PAGE.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    first = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {name for cell in first for name in re.findall(r"`(\w+)`", cell)}


def test_the_page_has_every_order() -> None:
    assert rows("order") == set(m.ORDERS)


def test_the_page_has_every_point_and_act() -> None:
    assert rows("point") == set(Point)
    assert rows("act") == set(Act)


def test_the_events_on_the_page_are_as_they_are_sent() -> None:
    block = PAGE.split("in order:\n\n```json\n", 1)[1].split("```", 1)[0]
    hello, removal, arrival, reached = block.strip().splitlines()
    assert msgspec.json.decode(hello, type=m.HelloEvent).devices == ("1-1",)
    assert json.loads(removal) == {"event": "removal", "busid": "1-1"}
    assert json.loads(arrival)["event"] == "arrival"
    assert msgspec.json.encode(msgspec.json.decode(reached, type=m.ReachedEvent)).decode() == reached
