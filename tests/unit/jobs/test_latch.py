"""A refused password is remembered, whatever happens to the process or the disk."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest

from taxagent.jobs.latch import JournalLatch
from taxagent.model.device import PasswordVerdict
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


DOUBTED = msgspec.structs.replace(REFUSED, verdict=PasswordVerdict.DOUBTED)
TRYING = msgspec.structs.replace(REFUSED, verdict=PasswordVerdict.TRYING)
ACCEPTED = msgspec.structs.replace(REFUSED, verdict=PasswordVerdict.ACCEPTED)


def test_a_try_of_a_good_password_is_kept_without_a_row(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        latch = JournalLatch(writer, reader, FakeClock())
        latch.note(DEVICE_NO, ACCEPTED)
        before = reader.last_seq()
        latch.recall(DEVICE_NO, TRYING)
        assert latch.tried(DEVICE_NO) == (TRYING,)
        latch.recall(DEVICE_NO, ACCEPTED)
        assert latch.tried(DEVICE_NO) == (ACCEPTED,)
        assert latch.doubts() == ()
        assert reader.last_seq() == before


def test_a_try_whose_end_is_not_known_is_given_to_the_next_process(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        latch = JournalLatch(writer, reader, FakeClock())
        latch.note(DEVICE_NO, ACCEPTED)
        latch.recall(DEVICE_NO, TRYING)
        writer.append(*latch.doubts())
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        assert JournalLatch(writer, reader, FakeClock()).tried(DEVICE_NO) == (TRYING,)


def test_what_the_journal_has_is_no_doubt_any_more(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        latch = JournalLatch(writer, reader, FakeClock())
        latch.recall(DEVICE_NO, TRYING)
        latch.note(DEVICE_NO, REFUSED)
        assert latch.doubts() == ()
        assert latch.tried(DEVICE_NO) == (REFUSED,)


def test_after_a_crash_a_good_password_is_doubted_until_its_device_is_let_in(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        JournalLatch(writer, reader, FakeClock()).note(DEVICE_NO, ACCEPTED)
        latch = JournalLatch(writer, reader, FakeClock(), after_crash=True)
        assert latch.tried(DEVICE_NO) == (DOUBTED,)
        latch.note(DEVICE_NO, ACCEPTED)
        assert latch.tried(DEVICE_NO) == (ACCEPTED,)
        assert latch.doubts() == ()


def test_a_process_that_never_met_the_device_hands_the_doubt_of_a_crash_on(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        JournalLatch(writer, reader, FakeClock()).note(DEVICE_NO, ACCEPTED)
        writer.append(*JournalLatch(writer, reader, FakeClock(), after_crash=True).doubts())
        assert JournalLatch(writer, reader, FakeClock()).tried(DEVICE_NO) == (DOUBTED,)


def test_a_process_that_leaves_no_mark_of_its_end_makes_each_try_durable(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        JournalLatch(writer, reader, FakeClock(), announce_all=True).recall(DEVICE_NO, DOUBTED)
        assert tuple(reader.passwords(DEVICE_NO)) == (DOUBTED,)


def test_a_thread_that_goes_on_after_the_goodbye_makes_its_tries_durable(tmp_path: Path) -> None:
    with builders.journal(tmp_path) as writer, builders.reading(tmp_path) as reader:
        latch = JournalLatch(writer, reader, FakeClock())
        latch.doubts()
        latch.recall(DEVICE_NO, DOUBTED)
        assert tuple(reader.passwords(DEVICE_NO)) == (DOUBTED,)
