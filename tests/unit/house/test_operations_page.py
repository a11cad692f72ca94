"""docs/operations.md shows the screens, cases and answers that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taxagent.cli.setup_choices import Choices, from_file
from tests.builders import screens
from tools.screens import shown

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", screens.SCREENS)
def test_each_screen_is_what_people_see(command: str) -> None:
    assert shown(PAGE)[command] == "\n".join(screens.SCREENS[command]()), "python -m tools.screens renews it"


def test_each_case_has_its_row() -> None:
    rows = re.findall(r"^\| \d\d \|.*$", PAGE.split("\n## Why can")[1].split("\n## ")[0], re.MULTILINE)
    assert rows == screens.case_rows("en")


def test_the_answers_are_a_file_that_is_taken_and_name_every_key(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(url = .*?)```", PAGE, re.DOTALL)
    (tmp_path / "answers.toml").write_text(example, encoding="utf-8")
    from_file(tmp_path / "answers.toml")
    keys = set(re.findall(r"^\[?(\w+)[\] ]", example, re.MULTILINE)) - {"shop", "taxagent", "123456789012"}
    assert keys == set(Choices.__struct_fields__)
