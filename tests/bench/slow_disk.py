"""A slow disk, by a library that is loaded before the C library: each fsync of one process takes longer."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void late(void) { struct timespec t = {0, %d * 1000000L}; nanosleep(&t, 0); }
int fsync(int fd) { late(); return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { late(); return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"""


class NoCompiler(RuntimeError):
    """There is no gcc to build the library with."""


@contextmanager
def slowed_fsync(ms: int) -> Iterator[Path]:
    """Yield a library for LD_PRELOAD that makes each fsync take `ms` (below 1000) longer."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler("there is no gcc to build the library that slows fsync")
    with tempfile.TemporaryDirectory(prefix="tca-slow-") as folder:
        source, library = Path(folder, "slow.c"), Path(folder, "slow.so")
        source.write_text(_SOURCE % ms, encoding="utf-8")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True
        )
        yield library
