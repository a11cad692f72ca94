"""`make bench`: measure every row, print the table, write it where `--out` says.

python -m tests.bench.run [--out bench.json] [--rounds 30] [--only NAME]...
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.bench.figures import ROUNDS, Row, failed, row, table
from tests.bench.rows import ROWS, Kind


def measured(kind: Kind, rounds: int) -> Row:
    """Return the row; one that cannot be measured says why and takes no other with it."""
    try:
        return row(kind.name, kind.unit, kind.goal, kind.measure(rounds))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this row's alone
        return failed(kind.name, kind.unit, kind.goal, f"not measured: {type(error).__name__}: {error}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 whatever the figures are, since a budget is a goal and machines differ."""
    options = _parser().parse_args(argv)
    wanted = [kind for kind in ROWS if not options.only or any(text in kind.name for text in options.only)]
    rows = []
    for kind in wanted:
        begun = time.monotonic()
        rows.append(measured(kind, options.rounds))
        print(f"{kind.name}: {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    print(table(rows))
    if options.out:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the agent against its floors.")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rotated rounds of a row")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="rows with this in their name; repeatable"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
