"""Whether the agent's door is there and shut to this user: to a socket that looks like no agent at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from taxclient.cli.exits import NotSent
from taxclient.protocol.errors import AgentUnavailable

_IPC = "ipc://"


def barred(error: AgentUnavailable) -> NotSent | None:
    """Return NOT_ALLOWED where a door is there that the system keeps shut, else None."""
    if os.name != "posix" or not error.endpoint.startswith(_IPC):
        return None
    path = Path(error.endpoint.removeprefix(_IPC))
    for place in (path.parent, path):
        try:
            found = place.stat()
        except PermissionError:
            return _barred(place, "")
        except OSError:
            return None
        needed = os.X_OK if stat.S_ISDIR(found.st_mode) else os.W_OK
        if not os.access(place, needed):
            return _barred(place, _group(found.st_gid))
    return None


def _barred(place: Path, group: str) -> NotSent:
    return NotSent("NOT_ALLOWED", "barred", "barred_group" if group else "barred_how", str(place), group)


def _group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
