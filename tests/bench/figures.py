"""What a row of the table is, and how its figures are made: medians of rotated rounds. Knows no agent."""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

import msgspec

ROUNDS = 30


class Than(StrEnum):
    """What a goal compares with its bound."""

    RATIO_AT_MOST = "ratio at most"
    RATIO_AT_LEAST = "ratio at least"
    VALUE_AT_MOST = "value at most"


class Goal(msgspec.Struct, frozen=True):
    """A budget: `text` as people read it, and the same as a comparison."""

    text: str
    than: Than
    bound: float

    def met(self, value: float, ratio: float | None) -> bool:
        """Return whether the figures are within the budget."""
        if self.than is Than.VALUE_AT_MOST:
            return value <= self.bound
        if ratio is None:
            return False
        return ratio <= self.bound if self.than is Than.RATIO_AT_MOST else ratio >= self.bound


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table. `why` says what could not be measured; `value` is None then."""

    name: str
    value: float | None
    unit: str
    floor: float | None
    ratio: float | None
    goal: str
    ok: bool
    why: str = ""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a row's function found; `floor` is None where the goal is absolute. `note` is shown below."""

    value: float
    floor: float | None = None
    note: str = ""


def row(name: str, unit: str, goal: Goal, found: Measured) -> Row:
    """Return the line for what was found."""
    ratio = found.value / found.floor if found.floor else None
    return Row(
        name=name,
        value=_short(found.value),
        unit=unit,
        floor=_short(found.floor) if found.floor is not None else None,
        ratio=_short(ratio) if ratio is not None else None,
        goal=goal.text,
        ok=goal.met(found.value, ratio),
        why=found.note,
    )


def failed(name: str, unit: str, goal: Goal, why: str) -> Row:
    """Return the line for a row that could not be measured."""
    return Row(name=name, value=None, unit=unit, floor=None, ratio=None, goal=goal.text, ok=False, why=why)


def rotated(rounds: int, *parts: Callable[[], Sequence[float]]) -> list[list[float]]:
    """Run every part in each round, each round beginning with another one; return each part's samples.

    The samples of a round become its median: a round that something disturbed counts once.
    """
    medians: list[list[float]] = [[] for _ in parts]
    with undisturbed():
        for number in range(rounds):
            for place in range(len(parts)):
                which = (number + place) % len(parts)
                medians[which].append(statistics.median(parts[which]()))
            gc.collect()
    return medians


def median(samples: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(samples)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least `share` (0 to 1) of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep this process's garbage collector away from the clock."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def table(rows: Sequence[Row]) -> str:
    """Return the table as text, with what is to be said of a row below it."""
    head = ("what", "value", "floor", "ratio", "goal", "")
    lines = [head, *(_cells(each) for each in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [_line(line, widths) for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*text, *(f"  {each.name}: {each.why}" for each in rows if each.why)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    what, *figures, goal, verdict = (
        cell.ljust(width) if column in (0, 4, 5) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((what, *figures, goal, verdict)).rstrip()


def _cells(each: Row) -> tuple[str, ...]:
    value = "-" if each.value is None else f"{each.value:g} {each.unit}"
    floor = "" if each.floor is None else f"{each.floor:g} {each.unit}"
    ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
    return each.name, value, floor, ratio, each.goal, "ok" if each.ok else "MISSED"


def _short(number: float) -> float:
    """Four digits that count."""
    return float(f"{number:.4g}")
