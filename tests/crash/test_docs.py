"""docs/trust.md names every rule of the judge and every fault of the campaign, and none besides."""

from __future__ import annotations

import re
from pathlib import Path

from tests.builders.bulk import BULK_FAULTS
from tests.crash.faults import FAULTS
from tests.judge import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_the_page_names_every_rule_of_the_judge() -> None:
    named = re.findall(r"^\| `(\w+)` \|", section("The judge"), re.MULTILINE)
    assert sorted(named) == sorted(RULES)


def test_the_page_names_every_fault_that_strikes() -> None:
    named = set(re.findall(r"`(\w+)`", section("The faults")))
    assert named == {*FAULTS, *BULK_FAULTS, "restored", "removed"}
