"""docs/simulator.md names every order, point and act, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from taxagent.simulator import bureau_control, bureau_faults, sealing
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


def test_the_page_has_every_order_and_act_of_the_bureau() -> None:
    orders = [kind.__struct_config__.tag for kind in bureau_control.AnyOrder.__args__]
    assert rows("bureau's order") == set(orders)
    assert rows("bureau's act") == set(bureau_faults.Act)


def test_the_sealed_vector_is_what_the_bureau_seals() -> None:
    head, body, signature = PAGE.rsplit("```text\n", 1)[1].split("```", 1)[0].splitlines()
    data = bytes.fromhex(head) + body.encode() + bytes.fromhex(signature)
    assert sealing.sealed(sealing.unsealed(data, sealing.ClearTicket)) == data


def test_the_fields_of_what_is_sealed_stand_in_the_order_of_the_page() -> None:
    for name, kind in (
        ("summary", sealing.Summary),
        ("clear ticket", sealing.ClearTicket),
        ("clock ticket", sealing.ClockTicket),
    ):
        begin = f"| {name} | "
        row = next(line.removeprefix(begin) for line in PAGE.splitlines() if line.startswith(begin))
        places = [re.search(rf"\b{field}\b", row) for field in kind.__struct_fields__]
        starts = [place.start() for place in places if place]
        assert len(starts) == len(places), name
        assert starts == sorted(starts), name


def test_the_events_on_the_page_are_as_they_are_sent() -> None:
    block = PAGE.split("in order:\n\n```json\n", 1)[1].split("```", 1)[0]
    hello, removal, arrival, reached = block.strip().splitlines()
    assert msgspec.json.decode(hello, type=m.HelloEvent).devices == ("1-1",)
    assert json.loads(removal) == {"event": "removal", "busid": "1-1"}
    assert json.loads(arrival)["event"] == "arrival"
    assert msgspec.json.encode(msgspec.json.decode(reached, type=m.ReachedEvent)).decode() == reached
