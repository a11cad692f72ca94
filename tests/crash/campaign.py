"""The whole campaign: `python -m tests.crash.campaign`, as `make campaign` runs it.

    SEEDS    random worlds (default 1000)
    DEPTH    how many deaths may follow each other in the enumeration (default 2)
    KILLS    SIGKILLs of real processes (default 300), within MINUTES (default 20)
    WORKERS  processes (default: one a core)
    PARTS    which parts, by commas: deaths, troubles, journals, usb, towns, power, soak

Every violation is a line: with a seed, or with a plan, for `python -m tests.crash.world`. The last line is
one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import msgspec

from taxagent.model.device import DeviceKind
from taxagent.model.job import JobKind
from tests.builders.bulk import BULK_FAULTS
from tests.crash.cases import Case, enumerated
from tests.crash.counts import Counts
from tests.crash.explore import Explorer, Found
from tests.crash.faults import FAULTS, OF_A_BATCH
from tests.crash.folders import memory_folder, quiet
from tests.crash.town import Town

_TOGETHER = 25  # seeds that one task lives through
Task = tuple[str, str, object]  # part, what, its argument
Told = tuple[str, Counts, list[str]]
PARTS = ("deaths", "troubles", "journals", "usb", "towns", "power", "soak")


def main() -> int:
    """Run the parts; print what each counted; exit 1 where a rule does not hold."""
    parts = tuple(os.environ.get("PARTS", ",".join(PARTS)).split(","))
    total, began = Counts(), time.monotonic()
    for part in PARTS:
        if part in parts:
            started = time.monotonic()
            counts = _outside(part) if part in ("power", "soak") else _inside(part)
            print(f"{part}: {time.monotonic() - started:.0f} s {counts.line()}", flush=True)
            total += counts
    print(f"all: {time.monotonic() - began:.0f} s")
    print(total.line())
    return 1 if total.violations else 0


# ---- worlds in this process and its workers


def _inside(part: str) -> Counts:
    counts = Counts()
    workers = int(os.environ.get("WORKERS", "0")) or os.cpu_count()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_done, task) for task in _tasks(part)]
        for future in as_completed(running):
            what, found, wrong = future.result()
            counts += found
            if part == "deaths" or wrong:
                print(f"  {part} {what}: {found.line()}", flush=True)
            for line in wrong[:20]:
                print(f"VIOLATION {line}", flush=True)
    return counts


def _tasks(part: str) -> Iterator[Task]:
    if part == "deaths":
        yield from ((part, str(case), case) for case in _largest_first())
    if part == "troubles":
        for case in _troubled():
            names = OF_A_BATCH if case.company else FAULTS
            yield from ((part, f"{case}: {name}", (case, name)) for name in names)
    if part == "journals":
        for case in (case for case in _troubled() if not case.company):
            yield from ((part, f"{case}: {what}", (case, what)) for what in ("restored", "removed"))
    if part == "usb":
        for case in (Case(job=JobKind.SETTLE, device=device, types=1, bulk=True) for device in DeviceKind):
            yield from ((part, f"{case}: {kind}", (case, kind)) for kind in BULK_FAULTS)
    if part == "towns":
        for first in range(1, int(os.environ.get("SEEDS", "1000")) + 1, _TOGETHER):
            last = min(first + _TOGETHER - 1, int(os.environ.get("SEEDS", "1000")))
            yield part, f"seeds {first} to {last}", range(first, last + 1)


def _largest_first() -> list[Case]:
    return sorted(enumerated(), key=lambda case: -case.months * len(case.job.value))


def _troubled() -> Iterator[Case]:
    for device in DeviceKind:
        for job in (JobKind.SETTLE, JobKind.REPORT, JobKind.CLEAR, JobKind.BACKUP, JobKind.CHECK):
            yield Case(job=job, device=device, types=1)
        yield Case(job=JobKind.SETTLE, device=device, months=2)
        yield Case(job=JobKind.SETTLE, device=device, types=1, company=True)


def _done(task: Task) -> Told:
    """In a worker: do one task."""
    part, what, about = task
    with quiet(), memory_folder("campaign") as base:
        if part == "towns":
            assert isinstance(about, range)
            return (what, *_lived(about))
        if part == "deaths":
            assert isinstance(about, Case)
            return (what, *_told(Explorer(base, about).deaths(int(os.environ.get("DEPTH", "2")))))
        assert isinstance(about, tuple)
        case, name = about
        explorer = Explorer(base, case)
        if part == "usb":
            return (what, *_told(explorer.bulk_troubles((name,))))
        if part == "journals":
            return (what, *_told(explorer.journals(name)))
        whole = (
            case.job is JobKind.SETTLE and case.months == 1
        )  # all steps: here with deaths behind each fault
        found = explorer.troubles((name,), depth=1 if whole else 0, one_in=case.months**2)
        return (what, *_told(found))


def _told(found: Found) -> tuple[Counts, list[str]]:
    wrong = [f"{problem}; plan: {msgspec.json.encode(plan).decode()}" for plan, problem in found.wrong]
    counts = Counts(
        worlds=found.worlds,
        distinct=len(found.distinct),
        crash_points=found.points + found.faults,
        violations=len(wrong),
    )
    return counts, wrong


def _lived(seeds: range) -> tuple[Counts, list[str]]:
    counts, wrong = Counts(), list[str]()
    for seed in seeds:
        with memory_folder("town") as base:
            town = Town(base, seed)
            said = town.lived()
        wrong += [f"{line}; seed: {seed}" for line in said]
        counts += Counts(worlds=1, random=1, crash_points=town.deaths, violations=len(said))
    return counts, wrong


# ---- real processes and power cuts, which have commands of their own


def _outside(part: str) -> Counts:
    command = {
        "power": ["tests.crash.power"],
        "soak": ["tests.soak.soak"],
    }[part]
    given = {"KILLS": "300", "MINUTES": "20", **os.environ}
    done = subprocess.run(
        [sys.executable, "-m", *command], env=given, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout, end="", flush=True)
    return reported(part, done.stdout, done.returncode)


def reported(part: str, output: str, code: int) -> Counts:
    """Return what a part's own command counted, from its last line; a command that broke is a violation."""
    lines = output.strip().splitlines()
    try:
        said = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        said = {}
    wrong = int(said.get("violations", said.get("wrong", 0)))
    broke = not said or (code != 0 and not wrong)
    return Counts(
        worlds=int(said.get("rounds", 0)),
        distinct=int(said.get("distinct", 0)),
        crash_points=int(said.get("acts", 0)),
        kills=int(said.get("kills", 0)),
        torn=int(said.get("torn", 0)),
        violations=wrong + (1 if broke else 0),
    )


if __name__ == "__main__":
    sys.exit(main())
