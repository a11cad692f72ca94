"""A sample of the soak: a few kills at random moments; `make campaign` does hundreds."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.soak.soak import soak


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_an_agent_killed_at_random_moments_loses_doubles_and_misreports_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    found = soak(5, 1.0, seed, tmp_path)
    assert found.violations == [], f"seed {seed}"
    assert (found.kills, found.rounds) == (5, 1)
    assert found.jobs > 0
    assert found.writes > 0
    assert found.told > found.jobs
