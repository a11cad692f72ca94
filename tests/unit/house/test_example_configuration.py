"""The example configuration is accepted as it stands, names every key, and shows the true defaults."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from taxagent import config

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "agent" / "taxagent" / "taxagent.example.toml"


def with_every_key(text: str) -> str:
    """Return the example with its commented keys and tables taken in."""
    return re.sub(r'^# (?=\[+\w|[\w"-]+ = )', "", text, flags=re.MULTILINE)


def written(folder: Path, text: str) -> Path:
    path = folder / "taxagent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def keys(table: msgspec.Struct) -> set[str]:
    return {field.name for field in msgspec.structs.fields(table)}


def test_the_example_is_accepted_as_it_stands(tmp_path: Path) -> None:
    settings = config.load(written(tmp_path, EXAMPLE.read_text(encoding="utf-8")))
    assert settings.state_dir == Path("/var/lib/taxagent")
    assert settings.simulation is None


def test_the_example_names_every_key_and_no_other(tmp_path: Path) -> None:
    text = with_every_key(EXAMPLE.read_text(encoding="utf-8"))
    file = config.load(written(tmp_path, text)).file
    tables = {name: _only(table) for name, table in tomllib.loads(text).items()}
    named = {name: set(table) for name, table in tables.items()}
    assert named == {name: keys(_only(getattr(file, name))) for name in keys(file)}


def _only(table: Any) -> Any:
    """Return the table, of a list of tables the one that stands there."""
    if isinstance(table, list | tuple):
        (table,) = table
    return table


def test_what_is_commented_out_is_the_default(tmp_path: Path) -> None:
    plain = config.load(written(tmp_path, EXAMPLE.read_text(encoding="utf-8"))).file
    text = with_every_key(EXAMPLE.read_text(encoding="utf-8"))
    text = re.sub(r'^("2026-11" = |shop = |taxagent = |\[windows\.regional).*$', "", text, flags=re.MULTILINE)
    whole = config.load(written(tmp_path, text)).file
    assert msgspec.structs.replace(whole, simulation=None, devices=()) == plain
