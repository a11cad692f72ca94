"""docs/simulator.md names every order, point and act, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from taxagent.simulator import (
    bureau_conditions,
    bureau_control,
    bureau_faults,
    bureau_register,
    scenario,
    sealing,
)
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


def shown() -> list[list[str]]:
    """Return the rows of the two tables of what can happen: what, key, order, what is made of it, test."""
    part = PAGE.split("## What can be made to happen, and the test that shows it", 1)[1].split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if "|" in line
    ]
    return [row for row in rows if row[0] not in {"device", "bureau"} and not row[0].startswith("---")]


def test_each_test_that_the_page_names_is_there() -> None:
    tests = Path(__file__).parents[2]
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(tests.rglob("test_*.py")))
    named = {name for row in shown() for name in re.findall(r"`(test_\w+)`", row[4])}
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in source} == set()
    assert all(row[4] for row in shown())


def test_every_order_act_and_key_has_a_row() -> None:
    orders = " ".join(row[2] for row in shown())
    wanted = {*m.ORDERS, *Act, *bureau_faults.Act}
    wanted |= {str(kind.__struct_config__.tag) for kind in bureau_control.AnyOrder.__args__}
    assert {name for name in wanted if f"`{name}`" not in orders} == set()
    keys = " ".join(row[1] for row in shown())
    sections = {
        "usb.": scenario.UsbScenario,
        "clock.": scenario.ClockScenario,
        "conditions.": bureau_conditions.Conditions,
        "": bureau_register.BureauScenario,
    }
    named = {f"{prefix}{name}" for prefix, kind in sections.items() for name in kind.__struct_fields__}
    assert {name for name in named - {"conditions"} if f"`{name}`" not in keys} == set()
