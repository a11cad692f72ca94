"""The place where the door stands: an ipc path that only its owner's directory can hold.

libzmq unlinks whatever is at the path it binds, and makes the socket by the umask: so the path is looked at
before, and the umask is narrowed for the bind alone. The path is no lock; the agent's lock file is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from taxagent.model.errors import AgentError

_SCHEME = "ipc://"
_LONGEST = 107  # bytes of sockaddr_un.sun_path, its end left out
EVENTS = ".events"


def events_endpoint(endpoint: str) -> str:
    """Return the endpoint of the event channel beside `endpoint`."""
    return endpoint + EVENTS


def checked_path(endpoint: str) -> Path:
    """Return the socket's path; make its directory (0750) where it is missing.

    Raises AgentError("CONFIG_INVALID") where the endpoint is no ipc path of this user's own, or where
    something other than a socket of this user is there already.
    """
    path = Path(endpoint.removeprefix(_SCHEME))
    if not endpoint.startswith(_SCHEME) or not path.is_absolute():
        raise _invalid(endpoint, "an absolute path after ipc:// is wanted")
    if len(os.fsencode(str(path) + EVENTS)) > _LONGEST:
        raise _invalid(endpoint, f"the path is longer than {_LONGEST - len(EVENTS)} bytes")
    try:
        with _umask(0o027):
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        directory = path.parent.stat()
    except OSError as error:
        raise _invalid(endpoint, f"its directory cannot be made: {error.strerror}") from error
    if directory.st_uid not in (0, os.geteuid()) or directory.st_mode & 0o022:
        raise _invalid(endpoint, "its directory belongs to, or can be written by, someone else")
    for place in (path, path.with_name(path.name + EVENTS)):
        _check_place(endpoint, place)
    return path


def narrow_umask() -> AbstractContextManager[None]:
    """Make sockets 0660 inside the block."""
    return _umask(0o117)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _check_place(endpoint: str, place: Path) -> None:
    try:
        found = place.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise _invalid(endpoint, f"{place.name} is there already, and is no socket of this user")


def _invalid(endpoint: str, what: str) -> AgentError:
    return AgentError("CONFIG_INVALID", key="ipc.endpoint", found=endpoint, what=what)
