"""Power cuts of the journal: after every act of a writing process, every way in which the disk may look.

`python -m tests.crash.power --jobs N --seed N` prints what it did, and a JSON line. What must hold:
the journal opens by the product's own code, its chain and projections verify, its rows are the first of those
that were written, no unit is there by half, and none that was acknowledged is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from taxagent.journal import JOURNAL_NAME, JournalWriter, Reader
from taxagent.model.errors import JournalBroken, JournalRefused
from taxagent.model.events import AnyEvent
from tests.builders import journal as build
from tests.crash.power_disk import Disk, Files
from tests.crash.power_tape import acts, built, taped

ACKS = "acks"
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # fsyncs cost nothing there: the tape is the disk
_CHECKPOINT_ROWS = "9"  # so few, so that checkpoints come between the units
_WRITER = f"""
import os, sys
from pathlib import Path
from taxagent.journal import JournalWriter, writer, store
from tests.builders import journal as build
from tests.crash.power import units
folder, jobs, writer.CHECKPOINT_ROWS = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
def connect(path):
    db = store.opened(path)
    db.execute("PRAGMA synchronous = " + sys.argv[4])
    return db
acks = os.open(folder / "{ACKS}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
rows = 0
for part in units(jobs):
    with build.journal(folder, connect=connect, log_pages=int(sys.argv[5])) as one:
        for unit in part:
            one.append(*unit)
            rows += len(unit)
            os.write(acks, b"%d\\n" % rows)
"""


@dataclass
class Found:
    """What the cuts showed."""

    acts: int = 0
    cuts: int = 0
    distinct: int = 0
    rows: set[int] = field(default_factory=set)  # what stood there after a cut
    wrong: list[str] = field(default_factory=list)


def units(jobs: int) -> list[list[tuple[AnyEvent, ...]]]:
    """Return what is written: by process run, by unit; the second run finds a closed journal."""
    varied = list(build.varied())
    first: list[tuple[AnyEvent, ...]] = [tuple(varied[at : at + 2]) for at in range(0, len(varied), 2)]
    second: list[tuple[AnyEvent, ...]] = [
        (event,) for number in range(100, 100 + jobs) for event in build.whole_job(number)
    ]
    return [first, second]


def cut_everywhere(
    jobs: int, seed: int, *, torn: int = 2, synchronous: str = "FULL", log_pages: int = 0
) -> Found:
    """Write `jobs` jobs once, on a tape, and cut the power after each act of it. Raises NoCompiler.

    Another `synchronous` than the product's is a lie that must be found. `log_pages` as for JournalWriter.
    """
    with tempfile.TemporaryDirectory(prefix="tca-power-", dir=_MEMORY) as name:
        base = Path(name)
        state = base / "state"
        state.mkdir()
        tape = base / "tape"
        subprocess.run(
            [
                *(sys.executable, "-c", _WRITER),
                *(str(state), str(jobs), _CHECKPOINT_ROWS, synchronous, str(log_pages)),
            ],
            cwd=build.ROOT,
            env=taped(built(base), tape, state),
            check=True,
            timeout=300,
        )
        return _Cuts(base, jobs).all(tape, state, seed, torn)


class _Cuts:
    def __init__(self, base: Path, jobs: int) -> None:
        self._again = base / "again"
        self._again.mkdir()
        self._events = [event for part in units(jobs) for unit in part for event in unit]
        self._whole = {0}
        for part in units(jobs):
            for unit in part:
                self._whole.add(max(self._whole) + len(unit))
        self._seen: set[tuple[int, bytes]] = set()
        self._found = Found()

    def all(self, tape: Path, state: Path, seed: int, torn: int) -> Found:
        found, disk, acknowledged = self._found, Disk(state), 0
        for number, act in enumerate(acts(tape)):
            if act.path.endswith("-shm"):
                continue  # shared memory: no power cut leaves it, SQLite makes it anew
            if act.path.endswith(ACKS):
                acknowledged = int(act.data)
                continue
            disk.take(act)
            found.acts += 1
            for how, files in disk.after_power_cut(seed + number, torn):
                found.cuts += 1
                if self._is_new(acknowledged, files):
                    found.distinct += 1
                    self._judge(f"act {number} ({act.op} {Path(act.path).name}), {how}", files, acknowledged)
        return found

    def _is_new(self, acknowledged: int, files: Files) -> bool:
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(f"{name}:{len(files[name])}:".encode() + files[name])
        known = (acknowledged, digest.digest())
        new = known not in self._seen
        self._seen.add(known)
        return new

    def _judge(self, where: str, files: Files, acknowledged: int) -> None:
        for old in self._again.iterdir():
            old.unlink()
        for name, content in files.items():
            (self._again / name).write_bytes(content)
        try:
            rows = self._rows()
        except (JournalRefused, JournalBroken) as error:
            self._found.wrong.append(f"{where}: {error}")
            return
        self._found.rows.add(rows)
        if rows < acknowledged:
            self._found.wrong.append(f"{where}: {rows} rows, {acknowledged} were acknowledged")
        if rows not in self._whole:
            self._found.wrong.append(f"{where}: {rows} rows are half a unit")

    def _rows(self) -> int:
        """Open as a start does, read everything, and append one row more."""
        path = self._again / JOURNAL_NAME
        heard = build.Heard()
        with closing(JournalWriter(path, sink=heard, on_fatal=heard.on_fatal)) as writer:
            with closing(Reader(path)) as reader:
                rows = reader.verify().rows
                reader.verify_projections()
                if [event for _, event in reader.events(0, 1 << 20)] != self._events[:rows]:
                    raise JournalBroken("other rows than those that were written")
            writer.start()
            writer.append(build.started())
        return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Cut, and say what was found; 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--torn", type=int, default=2)
    args = parser.parse_args(argv)
    print(f"power cuts: {args.jobs} jobs, seed {args.seed}", flush=True)
    found = cut_everywhere(args.jobs, args.seed, torn=args.torn)
    for line in found.wrong[:20]:
        print(f"WRONG {line}")
    print(
        json.dumps(
            {"acts": found.acts, "torn": found.cuts, "distinct": found.distinct, "wrong": len(found.wrong)}
        )
    )
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
