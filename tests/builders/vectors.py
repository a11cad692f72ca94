"""Reads the vectors in tests/vectors: facts and what must follow, as data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent.parent / "vectors"


def rows(path: str, table: str) -> list[dict[str, Any]]:
    """Return the rows of `table` in a TOML file below tests/vectors; each has a `case`, its sentence."""
    found = tomllib.loads((VECTORS / path).read_text(encoding="utf-8"))[table]
    cases = [row["case"] for row in found]
    assert len(set(cases)) == len(cases), "two vectors have the same sentence"
    return list(found)


def case(row: dict[str, Any]) -> str:
    """Return the sentence that names a vector."""
    return str(row["case"])
