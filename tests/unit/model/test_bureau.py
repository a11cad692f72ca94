"""Versions are compared by their numbers."""

from __future__ import annotations

import pytest

from taxagent.model.bureau import Machine, is_older


@pytest.mark.parametrize(
    ("version", "least", "older"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1", False),
        ("0.1", "0.1.0", False),
        ("0.9.0", "0.10.0", True),
        ("0.10.0", "0.9.9", False),
        ("0.1.0", "1", True),
        ("0.1.0.dev3", "0.1.1", True),
        ("0.1.0", "", False),
        ("unknown", "9", False),
    ],
)
def test_a_version_is_older_by_its_first_smaller_number(version: str, least: str, older: bool) -> None:
    assert is_older(version, least) is older


def test_a_machine_is_named_by_both_its_numbers() -> None:
    assert str(Machine(device_no="661700000012", terminal_no=1)) == "#1 661700000012"
