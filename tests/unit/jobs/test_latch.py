"""A refused password is remembered, whatever happens to the process or the disk."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from taxagent.jobs.latch import JournalLatch
from taxagent.model.errors import JournalFull
from taxagent.ports import Journal, JournalReader
from tests.builders import journal as builders
from tests.builders.jobs import DEVICE_NO, FakeClock, MemoryJournal

REFUSED = builders.tried().tried


def test_it_is_remembered_over_a_restart(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        JournalLatch(writer, reader, FakeClock()).note(DEVICE_NO, REFUSED)
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        latch = JournalLatch(writer, reader, FakeClock())
        assert latch.tried(DEVICE_NO) == (REFUSED,)
        assert latch.tried("000000000000") == ()


def test_a_full_disk_does_not_buy_the_password_a_second_try(tmp_path: Path) -> None:
    full = MemoryJournal()
    full.fails = JournalFull("JOURNAL_FULL")
    with builders.journal(tmp_path), builders.reading(tmp_path) as reader:
        latch = JournalLatch(cast("Journal", full), cast("JournalReader", reader), FakeClock())
        with pytest.raises(JournalFull):
            latch.note(DEVICE_NO, REFUSED)
        assert latch.tried(DEVICE_NO) == (REFUSED,)
