"""The four devices of a soak: kinds and arrears by a seed, each of a taxpayer of its own."""

from __future__ import annotations

import random
import re
from pathlib import Path

from taxagent.model.taxpayer import check_character
from taxagent.simulator.site import example

KINDS = ("golden_disk", "control_disk", "ukey")
_BEHIND = {  # months in arrears -> last sealed day, day of the lock; three are overdue
    1: ("2026-09-30", "2026-11-16"),
    2: ("2026-08-31", "2026-10-26"),
}


def four(folder: Path, dice: random.Random) -> list[Path]:
    """Write four scenarios: each kind once, and one more."""
    kinds = [*KINDS, dice.choice(KINDS)]
    dice.shuffle(kinds)
    return [_written(folder, number, kind, dice) for number, kind in enumerate(kinds, 1)]


def _written(folder: Path, number: int, kind: str, dice: random.Random) -> Path:
    text = example(kind).read_text(encoding="utf-8")
    first_17 = f"91370102MA3CXK{number:03d}"
    changes = {
        r'^device_no = "\d+"': f'device_no = "66150000{dice.randrange(100):02d}{number:02d}"',
        r'^taxpayer_id = "\w+"': f'taxpayer_id = "{first_17}{check_character(first_17)}"',
        r"^terminal_no = \d+": "terminal_no = 0",
        r"^settles_ms = \d+": "settles_ms = 200",
        r"^default = \d+$": f"default = {dice.choice((0, 2, 6))}",  # ms a command: a kill finds work
        r"^(seal|read_summary|clock_ticket|apply_ticket) = \d+": rf"\1 = {dice.choice((5, 40, 120))}",
        r"^per_month = \d+": "per_month = 12",
    }
    if kind != "golden_disk":  # that one has two months in its example
        last, lock = _BEHIND[dice.choice((1, 2))]
        changes[r"^last_report = \S+"] = f"last_report = {last}"
        changes[r"^invoicing_deadline = \S+"] = f"invoicing_deadline = {lock}"
        changes[r"^months = .*"] = 'months = ["2026-09", "2026-10"]'
    for old, new in changes.items():
        text = re.sub(old, new, text, flags=re.MULTILINE)
    path = folder / f"device-{number}-{kind}.toml"
    path.write_text(text, encoding="utf-8")
    return path
