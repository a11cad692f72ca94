"""Where the agent lives on this machine: its socket, its state directory, its secrets, its journal."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from taxagent.host.probes.users import User, group_name, own_user, user_of
from taxagent.model.checks import made, of_error
from taxagent.model.errors import JournalRefused
from taxagent.model.lines import CheckLine
from taxagent.model.value import Value

LOW_BYTES = 1 << 30  # back-ups of a busy shop for some years
FULL_BYTES = 64 << 20  # below this the journal soon refuses work
FEW_FILES = 1000  # a job writes a handful
_CONNECT_S = 2.0
_SOCKET_MODE = 0o660
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def door(path: Path, user: User, me: User | None = None) -> Iterator[CheckLine]:
    """Yield how the agent's socket is, whether an agent listens there, and whether `me` may ask it."""
    me = me or own_user()
    try:
        folder = path.parent.stat()
    except FileNotFoundError:
        yield made("socket", "NO_AGENT", path=str(path))
        return
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        yield made("socket", "SOCKET_FOLDER_OPEN", path=str(path.parent), mode=_mode(folder))
    elif folder.st_uid not in (0, user.uid):
        yield made("socket", "SOCKET_FOLDER_OWNER", path=str(path.parent), owner=user_of(folder.st_uid).name)
    yield _socket(path, folder, me)


def _socket(path: Path, folder: os.stat_result, me: User) -> CheckLine:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return made("socket", "NO_AGENT", path=str(path))
    except PermissionError:
        return made("socket", "SOCKET_SHUT", path=str(path.parent), **_owner(folder), user=me.name)
    if not stat.S_ISSOCK(there.st_mode):
        return made("socket", "SOCKET_NO_SOCKET", path=str(path))
    facts = {"path": str(path), **_owner(there)}
    try:
        listens = _listens(path)
    except PermissionError:
        return made("socket", "SOCKET_SHUT", **facts, user=me.name)
    if not listens:
        return made("socket", "NO_AGENT", path=str(path))
    return made(
        "socket", "SOCKET_MODE" if stat.S_IMODE(there.st_mode) & ~_SOCKET_MODE else "SOCKET_OK", **facts
    )


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
    """Yield how much room there is on the disk of the directory, and whether that can be written."""
    place = next(each for each in (directory, *directory.absolute().parents) if each.exists())
    free = free_bytes(place) if free_bytes is not None else shutil.disk_usage(place).free
    case = "DISK_FULL" if free < FULL_BYTES else "DISK_LOW" if free < LOW_BYTES else "DISK_OK"
    if not hasattr(os, "statvfs"):
        yield made("disk", case, path=str(place), free=_size(free))
        return
    found = os.statvfs(place)
    counted = found.f_files > 0  # some file systems have no table of files that could be full
    facts = {"path": str(place), "free": _size(free), "files": str(found.f_favail) if counted else ""}
    if found.f_flag & os.ST_RDONLY:
        yield made("disk", "DISK_READ_ONLY", **facts)
    elif counted and found.f_favail < FEW_FILES:
        yield made("disk", "DISK_NO_FILES", **facts)
    else:
        yield made("disk", case, **facts)


def secrets(
    directory: Path, get: Callable[[str], str | None], handed_in: Path | None = None
) -> Iterator[CheckLine]:
    """Yield how many passwords are stored, and those that others may read. `get` raises as ports.Secrets.

    `handed_in` is the folder of those that systemd hands in, None where there is none.
    """
    names = {each.name for each in directory.glob("device-*")} if directory.is_dir() else set()
    for name in sorted(names):
        get(name)  # what it raises is the finding
    if handed_in is not None and handed_in.is_dir():
        names |= {each.name[each.name.index("device-") :] for each in handed_in.glob("*device-*")}
    case = "SECRETS_STORED" if names else "SECRETS_NONE"
    yield made("secrets", case, path=str(directory), count=str(len(names)))


class Chain(Value, frozen=True, kw_only=True):
    """A journal that was read: all its rows, how many of the newest were verified, its schema's number."""

    rows: int
    verified: int
    schema: int


def journal(path: Path, verify: Callable[[], Chain]) -> Iterator[CheckLine]:
    """Yield whether the journal opens and its chain holds; `verify` raises as journal.Reader does."""
    try:
        chain = verify()
    except JournalRefused as error:
        if error.detail.get("reason") == "missing":
            yield made("journal", "JOURNAL_NONE", path=str(path))
        else:
            yield of_error("journal", error)
        return
    facts = {"path": str(path), "rows": str(chain.rows), "schema": str(chain.schema), "size": _bytes_of(path)}
    last = str(chain.verified) if chain.verified < chain.rows else ""
    yield made("journal", "JOURNAL_OK", **facts, last=last)


def _listens(path: Path) -> bool:
    """Return whether someone listens there; PermissionError where this user may not ask."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(str(path))
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def _owner(there: os.stat_result) -> dict[str, str]:
    return {"owner": user_of(there.st_uid).name, "group": group_name(there.st_gid), "mode": _mode(there)}


def _bytes_of(path: Path) -> str:
    try:
        return _size(path.stat().st_size)
    except OSError:
        return ""


def _size(count: int) -> str:
    unit, name = next((pair for pair in _UNITS if count >= pair[0]), _UNITS[-1])
    return f"{count / unit:.1f} {name}"


def _mode(there: os.stat_result) -> str:
    return f"{stat.S_IMODE(there.st_mode):04o}"
