"""A maintenance that the bureau has announced: nothing is written in it, and the job is done after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from taxagent.model.device import DeviceKind
from tests.crash.explore import Explorer
from tests.crash.folders import memory_folder, quiet
from tests.crash.test_deaths import SETTLE, nothing_wrong

pytestmark = pytest.mark.slow
RUNNING = msgspec.structs.replace(SETTLE, pause="running")
PLANNED = msgspec.structs.replace(SETTLE, pause="planned")


@pytest.fixture
def base() -> Iterator[Path]:
    with quiet(), memory_folder("pauses") as folder:
        yield folder


def test_a_pause_that_runs_is_waited_for_also_by_an_agent_that_dies(base: Path) -> None:
    nothing_wrong(Explorer(base, RUNNING).deaths(1))


@pytest.mark.parametrize("kind", DeviceKind)
def test_who_sleeps_into_the_pause_that_was_announced_writes_nothing_in_it(
    base: Path, kind: DeviceKind
) -> None:
    """The host sleeps an hour at any place; what is behind it lies in the pause."""
    case = msgspec.structs.replace(PLANNED, device=kind)
    found = Explorer(base, case).troubles(("suspended_an_hour",), depth=0)
    nothing_wrong(found)
    assert found.faults > 30
