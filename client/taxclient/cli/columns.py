"""Rows of text in columns, where a Chinese character is two wide. Knows no command and no screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(2 if _is_wide(character) else 1 for character in text)


def in_columns(
    rows: Iterable[Sequence[str]], *, indent: str = "", right: Container[int] = ()
) -> Iterator[str]:
    """Yield a line a row; all rows have as many cells. Columns in `right` end together, others begin so."""
    lines = [tuple(row) for row in rows]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (_padded(cell, widths[number], right=number in right) for number, cell in enumerate(line))
        yield indent + "  ".join(cells).rstrip()


def _padded(text: str, columns: int, *, right: bool) -> str:
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
