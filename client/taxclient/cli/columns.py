"""Rows of text in columns, where a Chinese character is two wide. Knows no command and no screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(2 if _is_wide(character) else 1 for character in text)


def padded(text: str, columns: int) -> str:
    """Return the text with blanks up to so many columns."""
    return text + " " * (columns - width(text))


def in_columns(rows: Iterable[Sequence[str]], indent: str = "") -> Iterator[str]:
    """Yield a line a row; all rows have as many cells. The last column is left as it is."""
    lines = [tuple(row) for row in rows]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (padded(cell, columns) for cell, columns in zip(line, widths, strict=True))
        yield indent + "  ".join(cells).rstrip()


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
