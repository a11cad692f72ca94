"""The bench's own arithmetic, and one tiny round of the cheap rows: every line is well formed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.bench import run
from tests.bench.figures import Goal, Measured, Row, Than, failed, percentile, rotated, row, table
from tests.bench.rows import ROWS

AT_MOST = Goal("<= 1.3 x echo", Than.RATIO_AT_MOST, 1.3)
AT_LEAST = Goal(">= 5 x one by one", Than.RATIO_AT_LEAST, 5)
ABSOLUTE = Goal("<= 3 ms", Than.VALUE_AT_MOST, 3)


@pytest.mark.parametrize(
    ("goal", "value", "floor", "ok"),
    [
        (AT_MOST, 130.0, 100.0, True),
        (AT_MOST, 131.0, 100.0, False),
        (AT_LEAST, 500.0, 100.0, True),
        (AT_LEAST, 499.0, 100.0, False),
        (ABSOLUTE, 3.0, None, True),
        (ABSOLUTE, 3.1, None, False),
        (AT_MOST, 1.0, None, False),  # a ratio that was not measured is not met
    ],
)
def test_a_goal_is_judged_by_what_it_compares(
    goal: Goal, value: float, floor: float | None, ok: bool
) -> None:
    assert row("x", "ms", goal, Measured(value=value, floor=floor)).ok is ok


def test_a_percentile_is_a_sample() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([7.0], 1.0) == 7.0


def test_each_round_begins_with_another_part() -> None:
    order: list[str] = []

    def part(name: str) -> list[float]:
        order.append(name)
        return [1.0, 2.0, 9.0]

    medians = rotated(3, lambda: part("a"), lambda: part("b"))
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert medians == [[2.0] * 3, [2.0] * 3]


def test_a_row_that_cannot_be_measured_says_why_and_is_not_ok() -> None:
    line = failed("x", "ms", ABSOLUTE, "there is no gcc")
    assert (line.value, line.ok, line.why) == (None, False, "there is no gcc")
    assert "there is no gcc" in table([line])


def test_the_names_of_the_rows_are_unique() -> None:
    assert len({kind.name for kind in ROWS}) == len(ROWS)


def test_one_round_writes_a_well_formed_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    assert run.main(["--rounds", "1", "--only", "status p50, one client, ipc", "--out", str(out)]) == 0
    (line,) = msgspec.json.decode(out.read_bytes(), type=list[Row])
    assert line.value is not None, line.why
    assert line.floor is not None
    assert line.ratio == pytest.approx(line.value / line.floor, rel=1e-3)
    assert line.name in capsys.readouterr().out
