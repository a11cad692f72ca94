"""The power goes after any act of a writing process; whatever the disk kept, what was committed is there."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.crash.power import cut_everywhere, units

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None,
    reason="the tape is made by a library for Linux, built here",
)


@pytest.mark.parametrize("log_pages", [0, 24], ids=["a log that grows", "a log that is overwritten"])
def test_what_was_committed_is_there_after_a_power_cut_at_any_moment(log_pages: int) -> None:
    found = cut_everywhere(jobs=1, seed=20_261_103, torn=0, log_pages=log_pages)
    assert found.wrong == []
    boundaries = {0}
    for unit in (unit for run in units(1) for unit in run):
        boundaries.add(max(boundaries) + len(unit))
    assert found.rows == boundaries, "each commit's moment was met"


def test_a_journal_that_does_not_wait_for_its_disk_would_be_found() -> None:
    found = cut_everywhere(jobs=0, seed=1, torn=0, synchronous="OFF")
    assert any("were acknowledged" in line for line in found.wrong)
