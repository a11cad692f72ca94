"""docs/prompts.md has the tables that the prompts' test is made of, and says what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.model.faults import Prompt
from tests.builders.prompt_cases import CASES, LACKING
from tools import prompts

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "prompts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("heading", prompts.tables())
def test_each_table_is_that_of_the_test(heading: str) -> None:
    assert prompts.rows(PAGE, heading) == prompts.tables()[heading], "python -m tools.prompts renews it"


def test_each_prompt_of_the_guide_has_a_case() -> None:
    assert {case.prompt for case in CASES} == set(Prompt)


def test_each_trouble_that_the_guide_lacks_has_a_test() -> None:
    known = {case.name for case in CASES} | {"test_what_was_done_before_is_a_success_with_a_note"}
    assert {name for names in LACKING.values() for name in names} <= known


def test_the_page_is_linked() -> None:
    assert "](prompts.md)" in (DOCS / "operations.md").read_text(encoding="utf-8")
