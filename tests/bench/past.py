"""A journal that has seen years: jobs that ended long ago, written by the journal's own writer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from taxagent.journal import JOURNAL_NAME, JournalWriter
from tests.builders import journal as build

_RECORD = msgspec.Raw(b'{"lines":"' + b"x" * 4000 + b'"}')  # what a clearing record of two types weighs


def write_past(state_dir: Path, jobs: int) -> None:
    """Write `jobs` settled jobs. Raises what the journal's writer raises."""
    failures: list[Exception] = []
    writer = JournalWriter(state_dir / JOURNAL_NAME, sink=lambda _rows: None, on_fatal=failures.append)
    writer.start()
    try:
        for number in range(1, jobs + 1, 50):
            events = [
                event
                for one in range(number, min(number + 50, jobs + 1))
                for event in (
                    build.accept(one),
                    build.running(one),
                    build.begun(one),
                    build.ended_step(one),
                    msgspec.structs.replace(build.ended(one), record=_RECORD),
                )
            ]
            writer.append(*events)
    finally:
        writer.close()
    if failures:
        raise failures[0]
