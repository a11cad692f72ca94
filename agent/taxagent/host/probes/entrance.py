"""Who may come in: the people behind the groups and users with a role, and whether the socket lets them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from taxagent.host.probes.users import People, group_name
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine

_SHOWN = 12  # names; a list of hundreds tells nobody anything


def members(
    users: Mapping[str, str], groups: Mapping[str, str], folder: Path, people: People
) -> Iterator[CheckLine]:
    """Yield each name with its role and, of a group, who is in it; then who may not enter `folder`.

    Names that the system does not know are left out: accounts.roles tells them.
    """
    inside: dict[str, str] = {}
    for name, role in groups.items():
        found = people.members(name)
        if found is None:
            continue
        case = "ACCESS_GROUP" if found else "ACCESS_GROUP_EMPTY"
        yield made("access", case, name, name=name, role=role, names=_listed(found))
        inside |= dict.fromkeys(found, role)
    for name, role in users.items():
        person = people.named(name)
        if person:
            yield made("access", "ACCESS_USER", person, name=person, role=role)
            inside[person] = role
    yield from _shut_out(tuple(inside), folder, people)


def _shut_out(names: tuple[str, ...], folder: Path, people: People) -> Iterator[CheckLine]:
    try:
        door = folder.stat()
    except OSError:
        return  # [socket] tells
    if os.name != "posix" or door.st_mode & stat.S_IXOTH:
        return
    group = group_name(door.st_gid)
    admitted = {*(people.members(group) or ()), "root", people.named(str(door.st_uid))}
    out = tuple(name for name in names if name not in admitted)
    if out:
        yield made(
            "access", "ACCESS_SHUT_OUT", names=_listed(out), name=out[0], group=group, path=str(folder)
        )


def _listed(names: tuple[str, ...]) -> str:
    more = f", ... ({len(names)})" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
