"""Tables of text, where a Chinese character is two wide. Knows no command and no screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """Rows that all have as many cells. Columns in `right` end together, the others begin together."""

    rows: Sequence[Sequence[str]]
    headings: Sequence[str] = ()
    right: Sequence[int] = ()
    indent: str = ""

    def plain(self) -> Iterator[str]:
        """Yield a line a row, the headings first."""
        lines = [tuple(row) for row in ([self.headings] if self.headings else []) + list(self.rows)]
        widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (
                _padded(cell, widths[number], right=number in self.right) for number, cell in enumerate(line)
            )
            yield self.indent + "  ".join(cells).rstrip()


Shown = str | Table  # what a screen takes


def plain(shown: Iterable[Shown]) -> Iterator[str]:
    """Yield lines alone."""
    for item in shown:
        if isinstance(item, Table):
            yield from item.plain()
        else:
            yield item


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(2 if _is_wide(character) else 1 for character in text)


def _padded(text: str, columns: int, *, right: bool) -> str:
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
