"""Tables drawn by rich, at a terminal alone and where rich is there; loaded by the first table."""

from __future__ import annotations

import io
import shutil

from rich import box
from rich.console import Console
from rich.table import Table as Drawn

from taxclient.cli.columns import Table


def drawn(table: Table) -> str:
    """Return the table as a terminal shows it, as wide as the terminal at most."""
    made = Drawn(
        box=box.SIMPLE_HEAD if table.headings else None,
        show_header=bool(table.headings),
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for number in range(len(table.headings or table.rows[0])):
        heading = table.headings[number] if table.headings else ""
        made.add_column(heading, justify="right" if number in table.right else "left", overflow="fold")
    for row in table.rows:
        made.add_row(*(_plain(cell) for cell in row))
    columns = shutil.get_terminal_size().columns
    console = Console(
        file=io.StringIO(), force_terminal=True, width=columns, highlight=False, legacy_windows=False
    )
    console.print(made)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(table.indent + line.rstrip() for line in text.rstrip("\n").split("\n"))


def _plain(cell: str) -> str:
    """What is in brackets is no markup of rich's."""
    return cell.replace("[", "\\[")
