"""Random worlds, a seed each: `python -m tests.crash.world --seed N` tells the story of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.folders import memory_folder, quiet
from tests.crash.town import Town

pytestmark = pytest.mark.slow
SEED = 20_261_125
WORLDS = 24


@pytest.fixture
def base() -> Iterator[Path]:
    with quiet(), memory_folder("towns") as folder:
        yield folder


@pytest.mark.parametrize("seed", range(SEED, SEED + WORLDS))
def test_whatever_happens_nothing_is_lost_doubled_or_misreported(base: Path, seed: int) -> None:
    assert Town(base, seed).lived() == [], f"python -m tests.crash.world --seed {seed}"


def test_one_seed_gives_one_order(base: Path) -> None:
    stories = list[list[str]]()
    for number in (1, 2):
        story = list[str]()
        Town(base / str(number), SEED, story.append).lived()
        stories.append(story)
    assert stories[0] == stories[1]
    assert len(stories[0]) > 500
