"""Files that are on disk when a function returns: replaced as a whole, or longer by a line."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of what the file held; whatever happens it holds the one or the other."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_directory(path.parent)


def append_line(path: Path, line: bytes, *, sync: bool = True) -> None:
    """Add a line to a log; without `sync` a crash of the machine may lose it."""
    new = not path.exists()
    with path.open("ab") as file:
        file.write(line + b"\n")
        file.flush()
        if sync:
            os.fsync(file.fileno())
    if new:
        _sync_directory(path.parent)


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a log, oldest first, without a last one that a crash cut short; none: no file."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":  # a directory cannot be opened there
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
