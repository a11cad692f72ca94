"""One agent a state directory: the operating system's lock on a file that names its owner.

The lock is the system's, so it ends with the process however that ends; the file's text only tells whose
it is (or last was). The file is never deleted: a lock on a deleted file excludes nobody.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import msgspec

from taxagent.model.errors import InstanceRunning, Refusal, StateDirUnwritable
from taxagent.model.value import Value, from_json, to_json

LOCK_NAME = "agent.lock"

_LOCKED_BYTE = 1 << 30  # Windows locks bytes against reading too: one far behind the text


class Owner(Value, frozen=True, kw_only=True):
    """The agent that holds the lock."""

    pid: int
    boot: str
    started_ms: int
    host: str
    config: str  # path of the configuration


class InstanceLock:
    """The lock, held until `release` or the end of the process."""

    def __init__(self, file: int) -> None:
        self._file = file

    def release(self) -> None:
        """Give the lock back. May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def take_lock(state_dir: Path, owner: Owner) -> InstanceLock:
    """Make the state directory where it is missing (mode 0700) and become its one agent.

    Raises InstanceRunning with what is known of the other agent, StateDirUnwritable, or
    Refusal("STATE_DIR_EXPOSED", path=, mode=) where someone else could change what is kept there.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _exposed(state_dir.stat()):
            mode = f"{stat.S_IMODE(state_dir.stat().st_mode):04o}"
            raise Refusal("STATE_DIR_EXPOSED", path=str(state_dir), mode=mode)
        file = os.open(state_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
    except OSError as error:
        raise _unwritable(state_dir, error) from error
    try:
        if not _locked(file):
            raise _running(state_dir)
        _name_owner(file, owner)
        with tempfile.TemporaryFile(dir=state_dir):
            pass  # the lock file may be writable where its directory is not
    except BaseException as error:
        os.close(file)
        if isinstance(error, OSError):
            raise _unwritable(state_dir, error) from error
        raise
    return InstanceLock(file)


def owner_of(state_dir: Path) -> Owner | None:
    """Return the agent that holds the lock, or last held it; None where the file does not tell."""
    try:
        return from_json((state_dir / LOCK_NAME).read_bytes(), Owner)
    except (OSError, msgspec.DecodeError):
        return None


def _running(state_dir: Path) -> InstanceRunning:
    owner = owner_of(state_dir)
    if owner is None:  # it has the lock and has not written its name yet
        return InstanceRunning(pid="", boot="", since="", host="", config="", path=str(state_dir))
    return InstanceRunning(
        pid=str(owner.pid),
        boot=owner.boot,
        since=str(owner.started_ms),
        host=owner.host,
        config=owner.config,
        path=str(state_dir),
    )


def _unwritable(state_dir: Path, error: OSError) -> StateDirUnwritable:
    if isinstance(error, NotADirectoryError | FileExistsError):
        remedy = "a file stands where a directory must be: choose another [agent] state_dir, or move the file"
    elif isinstance(error, PermissionError):
        remedy = "give the agent's user write access to the directory, or choose another [agent] state_dir"
    else:
        remedy = "free or remount the disk, or choose another [agent] state_dir"
    return StateDirUnwritable(str(state_dir), error.strerror or str(error), remedy)


def _exposed(status: os.stat_result) -> bool:
    """Return whether others may write there; root, who may anyway, looks after another user's directory."""
    if os.name != "posix":
        return False
    stranger = os.geteuid() != 0 and status.st_uid not in (0, os.geteuid())
    return stranger or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _name_owner(file: int, owner: Owner) -> None:
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, to_json(owner))
    os.fsync(file)


if sys.platform == "win32":
    import msvcrt

    _NO_FOLLOW = 0

    def _locked(file: int) -> bool:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:  # of another process: EACCES, by some file systems EDEADLOCK
            return False
        return True

else:
    import fcntl

    _NO_FOLLOW = os.O_NOFOLLOW

    def _locked(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
