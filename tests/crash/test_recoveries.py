"""A bureau that cannot be asked in the recovery after a death: what was sent stays unknown until it told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.explore import Explorer
from tests.crash.folders import memory_folder, quiet
from tests.crash.test_deaths import SETTLE, nothing_wrong

pytestmark = pytest.mark.slow


@pytest.fixture
def base() -> Iterator[Path]:
    with quiet(), memory_folder("recoveries") as folder:
        yield folder


def test_the_bureau_cannot_be_asked_after_each_death(base: Path) -> None:
    found = Explorer(base, SETTLE).troubled_recoveries(("refused_connection",))
    nothing_wrong(found)
    assert found.faults > 100
