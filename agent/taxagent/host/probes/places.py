"""Where the agent lives on this machine: its socket, its state directory, its secrets, its journal."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from taxagent.host.probes.users import User, user_of
from taxagent.model.checks import made, of_error
from taxagent.model.errors import JournalRefused
from taxagent.model.lines import CheckLine

LOW_BYTES = 1 << 30  # back-ups of a busy shop for some years
FULL_BYTES = 64 << 20  # below this the journal soon refuses work
_CONNECT_S = 2.0
_SOCKET_MODE = 0o660


def door(path: Path, user: User) -> Iterator[CheckLine]:
    """Yield how the agent's socket is, and whether an agent listens there."""
    try:
        folder = path.parent.stat()
    except FileNotFoundError:
        yield made("socket", "NO_AGENT", path=str(path))
        return
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        yield made("socket", "SOCKET_FOLDER_OPEN", path=str(path.parent), mode=_mode(folder))
    elif folder.st_uid not in (0, user.uid):
        yield made("socket", "SOCKET_FOLDER_OWNER", path=str(path.parent), owner=user_of(folder.st_uid).name)
    try:
        there = path.lstat()
    except FileNotFoundError:
        yield made("socket", "NO_AGENT", path=str(path))
        return
    if not stat.S_ISSOCK(there.st_mode):
        yield made("socket", "SOCKET_NO_SOCKET", path=str(path))
        return
    facts = {"path": str(path), "owner": user_of(there.st_uid).name, "mode": _mode(there)}
    if not _answers(path):
        yield made("socket", "NO_AGENT", path=str(path))
    elif stat.S_IMODE(there.st_mode) & ~_SOCKET_MODE:
        yield made("socket", "SOCKET_MODE", **facts)
    else:
        yield made("socket", "SOCKET_OK", **facts)


def state(
    directory: Path, user: User, free_bytes: Callable[[Path], int] | None = None
) -> Iterator[CheckLine]:
    """Yield whether the state directory is the agent's own, and how much room its disk has."""
    facts = {"path": str(directory), "user": user.name}
    if not directory.exists():
        yield made("state", "STATE_MISSING", **facts)
    elif not directory.is_dir():
        yield made("state", "STATE_NO_FOLDER", **facts)
        return
    else:
        there = directory.stat()
        if os.name == "posix" and stat.S_IMODE(there.st_mode) & 0o077:
            yield made("state", "STATE_OPEN", **facts, mode=_mode(there))
        else:
            yield made("state", "STATE_OK", **facts, owner=user_of(there.st_uid).name)
    yield from disk(directory, free_bytes)


def disk(directory: Path, free_bytes: Callable[[Path], int] | None = None) -> Iterator[CheckLine]:
    """Yield how much room the disk has on which the directory is, or will be."""
    place = next(each for each in (directory, *directory.absolute().parents) if each.exists())
    free = free_bytes(place) if free_bytes is not None else shutil.disk_usage(place).free
    case = "DISK_FULL" if free < FULL_BYTES else "DISK_LOW" if free < LOW_BYTES else "DISK_OK"
    yield made("disk", case, path=str(place), free=f"{free / (1 << 30):.1f} GiB")


def secrets(directory: Path, get: Callable[[str], str | None]) -> Iterator[CheckLine]:
    """Yield how many passwords are stored, and those that others may read. `get` raises as ports.Secrets."""
    names = [each.name for each in directory.glob("device-*")] if directory.is_dir() else []
    for name in sorted(names):
        get(name)  # what it raises is the finding
    case = "SECRETS_STORED" if names else "SECRETS_NONE"
    yield made("secrets", case, path=str(directory), count=str(len(names)))


def journal(path: Path, verify: Callable[[], int]) -> Iterator[CheckLine]:
    """Yield whether the journal opens and its chain holds; `verify` returns its rows, or raises."""
    try:
        rows = verify()
    except JournalRefused as error:
        if error.detail.get("reason") == "missing":
            yield made("journal", "JOURNAL_NONE", path=str(path))
        else:
            yield of_error("journal", error)
        return
    yield made("journal", "JOURNAL_OK", path=str(path), rows=str(rows))


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(str(path))
        except PermissionError:
            return True  # it is there; that we may not ask is for [access] to say
        except OSError:
            return False
    return True


def _mode(there: os.stat_result) -> str:
    return f"{stat.S_IMODE(there.st_mode):04o}"
