"""docs/trust.md names every rule of the judge and every fault of the campaign, and none besides.

What its tables name as shown is there: a fault, a happening, a rule, a file, or a test in it.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.builders.bulk import BULK_FAULTS
from tests.crash.faults import FAULTS
from tests.crash.town_events import Happenings
from tests.judge import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
STRIKING = {*FAULTS, *BULK_FAULTS, "restored", "removed"}


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_the_page_names_every_rule_of_the_judge() -> None:
    named = re.findall(r"^\| `(\w+)` \|", section("The judge"), re.MULTILINE)
    assert sorted(named) == sorted(RULES)


def test_the_page_names_every_fault_that_strikes() -> None:
    named = set(re.findall(r"`(\w+)`", section("The faults")))
    assert named == STRIKING


def shown_by() -> list[str]:
    """Return what the last cells of the tables name."""
    cells = re.findall(r"\| ([^|]*) \|$", section("Line by line"), re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_what_shows_each_demand_is_there() -> None:
    known = {*STRIKING, *RULES, *vars(Happenings)}
    for name in shown_by():
        path, _, test = name.partition("::")
        if "/" in name:
            assert (ROOT / path).is_file(), name
            assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), name
        else:
            assert name in known, name


def test_every_fault_stands_beside_the_demand_that_it_answers() -> None:
    assert set(shown_by()) >= STRIKING
