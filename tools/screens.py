"""The screens that docs/operations.md shows, put there by the code that shows them to people.

`python -m tools.screens` renews them; a test compares.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.builders import screens

PAGE = Path(__file__).resolve().parent.parent / "docs/operations.md"
_BLOCK = re.compile(r"```console\n\$ ((?:taxctl|taxagent) [a-z]+(?: [^\n]*)?)\n(.*?)```", re.DOTALL)


def shown(page: str) -> dict[str, str]:
    """Return what a page shows, by the command."""
    return {
        command: text.rstrip("\n") for command, text in _BLOCK.findall(page) if command in screens.SCREENS
    }


def renewed(page: str) -> str:
    """Return the page with every screen as it is now."""

    def fresh(match: re.Match[str]) -> str:
        make = screens.SCREENS.get(match[1])
        return f"```console\n$ {match[1]}\n{chr(10).join(make())}\n```" if make else match[0]

    return _BLOCK.sub(fresh, page)


def main() -> int:
    """Renew the page."""
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
