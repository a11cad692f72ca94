"""docs/prompts.md has the table that the prompts' test is made of, and says what is left out."""

from __future__ import annotations

import re
from pathlib import Path

from taxagent.model.faults import Prompt, codes, fault
from taxagent.model.vendor_codes import vendor_codes
from taxagent.model.words import word
from tests.builders.prompt_cases import CASES
from tests.builders.prompts import rows

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "prompts.md").read_text(encoding="utf-8")


def table(heading: str) -> list[str]:
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\|.*\|$", part, re.MULTILINE)[2:]


def test_each_case_of_the_test_has_its_row() -> None:
    assert table("What each prompt is") == rows(CASES)


def test_what_else_stands_behind_a_prompt_is_listed() -> None:
    provoked = {case.code for case in CASES}
    rest = {
        prompt: [code for code in codes() if fault(code).prompt is prompt and code not in provoked]
        for prompt in Prompt
        if prompt
    }
    expected = [
        f"| {prompt} | {', '.join(f'`{code}`' for code in found)} |"
        for prompt, found in rest.items()
        if found
    ]
    assert table("What else is told under a prompt") == expected


def test_each_vendors_code_has_its_row() -> None:
    assert table("The vendors' codes") == [
        f"| {', '.join(word('device_kind', kind, 'en') for kind in row.kinds)} | `{row.code}` |"
        f" {row.words('en')} | {row.words('zh')} | `{row.fault}` |"
        for row in vendor_codes()
    ]


def test_the_page_is_linked() -> None:
    assert "](prompts.md)" in (DOCS / "operations.md").read_text(encoding="utf-8")
