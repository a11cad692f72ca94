"""Why nothing answers at an endpoint: no agent, or a socket that the system keeps shut to this user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from taxclient.protocol.errors import AgentUnavailable, SocketShut

_IPC = "ipc://"


def unreachable(endpoint: str) -> AgentUnavailable:
    """Return the error for a call that could not be sent: SocketShut where a door is there and shut."""
    if os.name == "posix" and endpoint.startswith(_IPC):
        path = Path(endpoint.removeprefix(_IPC))
        for place in (path.parent, path):
            try:
                found = place.stat()
            except PermissionError:
                return SocketShut(endpoint, str(place), "")
            except OSError:
                break
            needed = os.X_OK if stat.S_ISDIR(found.st_mode) else os.W_OK
            if not os.access(place, needed):
                return SocketShut(endpoint, str(place), _group(found.st_gid))
    return AgentUnavailable(endpoint)


def _group(gid: int) -> str:
    import grp  # noqa: PLC0415 - not there on Windows

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
