"""Tables drawn by rich, at a terminal alone and where rich is there; loaded by the first table."""

from __future__ import annotations

import io
import shutil
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as Drawn

from taxclient.cli.columns import Table, width

_LAST = 30  # columns that the last one gets at least, where it needs them


def drawn(table: Table) -> str:
    """Return the table as a terminal shows it, as wide as the terminal at most."""
    made = Drawn(
        box=box.SIMPLE_HEAD if table.headings else None,
        show_header=bool(table.headings),
        show_edge=False,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    last = len(table.rows[0]) - 1
    for number in range(last + 1):
        heading = table.headings[number] if table.headings else ""
        justify: Literal["left", "right"] = "right" if number in table.right else "left"
        # A number that is cut in two cannot be copied: the last column alone is folded.
        made.add_column(heading, justify=justify, overflow="fold", no_wrap=number < last)
    for row in table.rows:
        made.add_row(*(_plain(cell) for cell in row))
    columns = max(shutil.get_terminal_size().columns, _least(table))
    console = Console(
        file=io.StringIO(), force_terminal=True, width=columns, highlight=False, legacy_windows=False
    )
    console.print(made)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(table.indent + line.rstrip() for line in text.rstrip("\n").split("\n"))


def _least(table: Table) -> int:
    """How wide it must be for all but the last column to stand as they are; a terminal may wrap the rest."""
    rows = [*table.rows, *([table.headings] if table.headings else [])]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return sum(each + 3 for each in widths[:-1]) + min(widths[-1], _LAST)


def _plain(cell: str) -> str:
    """What is in brackets is no markup of rich's."""
    return cell.replace("[", "\\[")
