"""The words that taxctl and the agent's remedies use."""

from __future__ import annotations

from pathlib import Path

import pytest

import taxagent
import taxclient

_ROOMS = (Path(taxagent.__file__).parent, Path(taxclient.__file__).parent)
_WORDS = [
    path
    for room in _ROOMS
    for path in (*room.rglob("*words*"), *room.rglob("faults.toml"))
    if path.suffix in (".py", ".toml")
    and path.name != "service_words.py"  # of the command that ships the unit
]


@pytest.mark.parametrize("path", _WORDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_remedy_names_a_service_manager_for_only_some_hosts_have_its_unit(path: Path) -> None:
    assert "systemctl" not in path.read_text(encoding="utf-8")
