"""What a process asked of its disk, written down by a library that is loaded before C's (power_tape.c)."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = struct.Struct("<cIQQ")
_SOURCE = Path(__file__).with_name("power_tape.c")


class NoCompiler(RuntimeError):
    """There is no gcc to build the library with."""


@dataclass(frozen=True)
class Act:
    """One line of a tape. `op`: w(rite), t(runcate, to `offset`), s(ync), r(ename, to `data`), u(nlink)."""

    op: str
    path: str
    offset: int
    data: bytes


def built(folder: Path) -> Path:
    """Build the library in `folder` and return it. Raises NoCompiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler("there is no gcc to build the library that watches the disk")
    library = folder / "power_tape.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-pthread"]
    subprocess.run([compiler, *flags, "-o", str(library), str(_SOURCE), "-ldl"], check=True)
    return library


def taped(library: Path, tape: Path, root: Path) -> dict[str, str]:
    """Return the environment of a process whose acts below `root` go to `tape`."""
    return {**os.environ, "LD_PRELOAD": str(library), "POWER_TAPE": str(tape), "POWER_ROOT": str(root)}


def acts(tape: Path) -> Iterator[Act]:
    """Yield the lines of a tape, in the order in which they were done."""
    text = memoryview(tape.read_bytes())
    at = 0
    while at < len(text):
        op, path, offset, size = _HEAD.unpack_from(text, at)
        at += _HEAD.size
        name = bytes(text[at : at + path]).decode()
        at += path
        yield Act(op=op.decode(), path=name, offset=offset, data=bytes(text[at : at + size]))
        at += size
