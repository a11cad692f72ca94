"""The tables of docs/prompts.md, made of the cases that the test of the prompts brings about.

`python -m tools.prompts` renews them; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from taxagent.model.faults import Prompt, codes, fault
from taxagent.model.vendor_codes import vendor_codes
from taxagent.model.words import word
from tests.builders import prompts
from tests.builders.prompt_cases import CASES, LACKING

PAGE = Path(__file__).resolve().parent.parent / "docs/prompts.md"


def tables() -> dict[str, list[str]]:
    """Return the rows of each table, by the heading over it."""
    return {
        "What each prompt is": prompts.rows(CASES),
        "What the guide lacks": _lacking(),
        "What else is told under a prompt": _rest(),
        "The vendors' codes": _vendors(),
    }


def rows(page: str, heading: str) -> list[str]:
    """Return the rows of the table under a heading of the page, without its head."""
    part = page.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    return re.findall(r"^\|.*\|$", part, re.MULTILINE)[2:]


def renewed(page: str) -> str:
    """Return the page with every table as it is now."""
    for heading, fresh in tables().items():
        before, after = page.split(f"\n## {heading}\n")
        head = re.search(r"^\|.*\|\n\|[-|]+\|\n", after, re.MULTILINE)
        if head is None:
            msg = f"no table under {heading}"
            raise ValueError(msg)
        rest = re.sub(r"\A(?:\|.*\|\n)*", "", after[head.end() :])
        lines = "".join(f"{row}\n" for row in fresh)
        page = f"{before}\n## {heading}\n{after[: head.end()]}{lines}{rest}"
    return page


def _lacking() -> list[str]:
    return [f"| {trouble} | {_listed(names)} |" for trouble, names in LACKING.items()]


def _rest() -> list[str]:
    told = {case.code for case in CASES}
    rest = {
        prompt: [code for code in codes() if fault(code).prompt is prompt and code not in told]
        for prompt in Prompt
        if prompt
    }
    return [f"| {prompt} | {_listed(left)} |" for prompt, left in rest.items() if left]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _vendors() -> list[str]:
    return [
        f"| {', '.join(word('device_kind', kind, 'en') for kind in row.kinds)} | `{row.code}` |"
        f" {row.words('en')} | {row.words('zh')} | `{row.fault}` |"
        for row in vendor_codes()
    ]


def main() -> int:
    """Renew the page."""
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
