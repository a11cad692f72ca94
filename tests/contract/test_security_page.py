"""docs/security.md: every threat names a test that is there; the page's figures are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from taxagent.ipc import pairing, tcp
from taxclient.protocol import codes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
THREATS = PAGE.split("\n## Threats")[1].split("\n## ")[0]
WORDS = {3: "three", 5: "five"}


def test_every_threat_names_a_test_that_is_there() -> None:
    rows = [line for line in THREATS.splitlines() if line.startswith("| ")][1:]
    known = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= known, row


def test_its_figures_are_the_codes() -> None:
    assert f"{WORDS[pairing.MINUTES]} minutes, {WORDS[pairing.TRIES]} tries" in PAGE
    assert f"{tcp._ROWS} rows a start" in PAGE  # noqa: SLF001 - the figure itself
    assert f"{5 * len(codes.new_secret())} bits" in PAGE
