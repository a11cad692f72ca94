"""kill -9 and power cuts in the middle of appends: what was acknowledged is there, and the chain holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from taxagent.journal import JOURNAL_NAME
from tests.builders import journal as build

WRITER = """
import sys
from pathlib import Path
from tests.builders import journal as build

def told(seq):
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()

with build.journal(Path(sys.argv[1])) as writer:
    for number in range(int(sys.argv[2]), 1_000_000):
        for event in build.whole_job(number):
            writer.transact_soon(lambda tx, e=event: tx.append(e), told)
        writer.transact(lambda tx: None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    first = 1
    for acknowledgements in (1, 8, 64, 301):
        last = killed_after(tmp_path, first, acknowledgements)
        with build.reading(tmp_path) as reader:
            verified = reader.verify()
            reader.verify_projections()
            assert verified.last_seq >= last >= acknowledgements
            jobs = reader.jobs(limit=1)
            first = int(jobs[0].job_id[5:]) + 1


def test_a_power_cut_at_any_byte_of_the_log_leaves_whole_units(tmp_path: Path) -> None:
    """The write-ahead log is cut where a dying disk may have left it: at, before and behind each frame."""
    events = build.varied()
    with build.journal(tmp_path) as writer:
        for pair in zip(events[::2], events[1::2], strict=False):
            writer.append(*pair)
        main = (tmp_path / JOURNAL_NAME).read_bytes()
        log = (tmp_path / f"{JOURNAL_NAME}-wal").read_bytes()
    seen = set()
    for frame in range(LOG_HEADER, len(log) + 1, LOG_FRAME):
        for cut in (frame, frame - 1, frame + LOG_FRAME // 2):
            seen.add(rows_after_cut(tmp_path / f"cut-{cut}", main, log[: max(cut, 0)]))
    assert seen == set(range(0, len(events) + 1, 2))


LOG_HEADER, LOG_FRAME = 32, 24 + 4096  # sqlite.org/fileformat2.html, 4.1


def rows_after_cut(folder: Path, main: bytes, log: bytes) -> int:
    folder.mkdir()
    (folder / JOURNAL_NAME).write_bytes(main)
    (folder / f"{JOURNAL_NAME}-wal").write_bytes(log)
    with build.reading(folder) as reader:
        reader.verify_projections()
        rows = reader.verify().rows
        assert [event for _, event in reader.events(0, 100)] == list(build.varied()[:rows])
    return rows


def killed_after(folder: Path, first_job: int, acknowledgements: int) -> int:
    """Kill a writing process after so many acknowledged rows; return the last acknowledged seq."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first_job)],
        cwd=build.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(acknowledgements)]
        child.kill()
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
        child.wait(build.LIMIT_S)
    return acknowledged[-1]
