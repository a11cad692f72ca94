"""Plants each deliberate fault of planted.toml in a copy of the tree and shows which test catches it.

`python -m tests.mutants [NAME]`. The working tree is never touched. First the tests themselves must pass
in the copy; a fault whose text has moved ends the run loudly. The last line is `N planted, N caught`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
_LIST = Path(__file__).with_name("planted.toml")
_COPIED = ("agent", "client", "tests", "tools", "examples", "docs", "pyproject.toml", "README.md")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".venv", "*.egg-info", ".hypothesis", "dist", "build")
_TIMEOUT_S = 300
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the tests' fsyncs cost nothing there
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Moved(RuntimeError):
    """The text that a fault takes the place of is not there, or not once."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deliberate fault: one text for another, and the tests of which one must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def faults() -> tuple[Fault, ...]:
    """Return the list, in its order."""
    plain = tomllib.loads(_LIST.read_text(encoding="utf-8"))
    return msgspec.convert(plain["fault"], tuple[Fault, ...])


def mutated(source: str, fault: Fault) -> str:
    """Return `source` with the fault in it. Raises Moved."""
    old, new = fault.old.removeprefix("\n"), fault.new.removeprefix("\n")
    if source.count(old) != 1:
        raise Moved(f"{fault.file}: the text of {fault.name!r} stands there {source.count(old)} times")
    return source.replace(old, new)


@contextmanager
def planted(tree: Path, fault: Fault) -> Iterator[None]:
    """Have the fault in the copy `tree`."""
    path = tree / fault.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(mutated(whole, fault), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(whole, encoding="utf-8")


def copied(tree: Path) -> None:
    """Copy what the tests need into `tree`."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=_LEFT_OUT)
        elif source.exists():
            shutil.copy2(source, tree / name)


def first_failure(tree: Path, tests: Sequence[str]) -> str:
    """Run tests in the copy; return the first that fails, "" where all pass."""
    paths = os.pathsep.join(str(tree / part) for part in (".", "agent", "client"))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    try:
        run = subprocess.run(
            [*command, "--timeout=60", *tests],
            cwd=tree,
            env={
                **os.environ,
                "PYTHONPATH": paths,
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": str(tree.parent),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"a test that never ended ({', '.join(tests)})"
    if run.returncode == 0:
        return ""
    found = _FAILED.search(run.stdout)
    return found[1] if found else f"pytest itself, exit {run.returncode}: {run.stdout[-300:]}"


def main(argv: Sequence[str] | None = None) -> int:
    """Plant, run, say."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="only the faults whose name contains this")
    part = parser.parse_args(argv).name
    chosen = [fault for fault in faults() if part in fault.name]
    began, caught = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="tca-mutants-", dir=_MEMORY) as folder:
        tree = Path(folder)
        copied(tree)
        for fault in chosen:
            mutated((tree / fault.file).read_text(encoding="utf-8"), fault)  # all are there before any is run
        well = sorted({test for fault in chosen for test in fault.tests})
        if broken := next(filter(None, (first_failure(tree, [test]) for test in well)), ""):
            print(f"the tests fail without any fault: {broken}")
            return 2
        for fault in chosen:
            with planted(tree, fault):
                by = next(filter(None, (first_failure(tree, [test]) for test in fault.tests)), "")
            caught += bool(by)
            print(f"{'caught  ' if by else 'SURVIVED'} {fault.name}\n         {by or fault.file}", flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{len(chosen)} planted, {caught} caught")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
