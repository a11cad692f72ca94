"""docs/drivers.md shows the second driver as it is, and the checks as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taxagent.device.contract import CHECKS
from taxagent.device.contract.command import main
from taxagent.device.contract.words import title
from taxagent.model import errors, faults
from taxagent.ports import Device, DeviceSource

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
DRIVER = (ROOT / "tests" / "builders" / "minimal_driver.py").read_text(encoding="utf-8")


def rows(first_line: str) -> list[list[str]]:
    """Return the cells of the table with that first line."""
    table = PAGE.split(f"{first_line}\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split(" | ")] for line in table.splitlines()[1:]]


def members(port: type) -> set[str]:
    return {name for name in vars(port) if not name.startswith("_")}


def test_the_example_is_the_second_driver() -> None:
    blocks = re.findall(r"```python\n(.*?)\n```", PAGE, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        assert block in DRIVER


def test_each_check_is_on_the_page_with_its_words() -> None:
    table = [(row[0].strip("| `"), row[1]) for row in rows("| check | what it shows | needs |")]
    assert table == [(check.name, title(check.name, "en")) for check in CHECKS]


def test_each_check_has_chinese_words() -> None:
    for check in CHECKS:
        assert re.search(r"[一-鿿]", title(check.name, "zh"))


@pytest.mark.parametrize("number, port", [(1, DeviceSource), (2, Device)])
def test_each_member_of_the_ports_is_on_the_page(number: int, port: type) -> None:
    table = PAGE.split("| member | promise |\n", number)[number].split("\n\n", 1)[0]
    first = [line.split(" | ")[0] for line in table.splitlines()[1:]]
    assert {name for cell in first for name in re.findall(r"`(\w+)", cell)} == members(port)


def test_the_errors_and_codes_on_the_page_exist() -> None:
    section = PAGE.split("## Errors", 1)[1].split("\n## ", 1)[0]
    for kind in re.findall(r"`([A-Z]\w+)\(", section):
        assert hasattr(errors, kind)
    for code in re.findall(r'"([A-Z][A-Z_]+)"|`([A-Z]+_[A-Z_]+)`', section):
        assert faults.fault("".join(code)).known, code


def test_the_options_on_the_page_are_the_command_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    section = PAGE.split("## The contract test kit", 1)[1]
    assert set(re.findall(r"--[a-z][a-z-]+", section)) == known - {"--help"}
