"""The user as whom the agent runs, and what files let it do. Knows no probe."""

from __future__ import annotations

import os
import stat
import sys

from taxagent.model.value import Value


class User(Value, frozen=True, kw_only=True):
    """A user of this system; `groups` are the numbers of all its groups."""

    name: str
    uid: int
    groups: frozenset[int]

    def may_write(self, node: os.stat_result) -> bool:
        """Return whether this user may read and write the file, by owner, group and others."""
        return self._may(node, stat.S_IROTH | stat.S_IWOTH)

    def may_read(self, node: os.stat_result) -> bool:
        """Return whether this user may read the file, by owner, group and others."""
        return self._may(node, stat.S_IROTH)

    def _may(self, node: os.stat_result, wanted: int) -> bool:
        if self.uid == 0:
            return True
        if node.st_uid == self.uid:
            wanted <<= 6
        elif node.st_gid in self.groups:
            wanted <<= 3
        return node.st_mode & wanted == wanted


def user_of(uid: int) -> User:
    """Return the user with this number; one without an entry has its number as name and no group."""
    if sys.platform == "win32":
        return User(name=str(uid), uid=uid, groups=frozenset())
    import pwd  # noqa: PLC0415 - not there on Windows

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return User(name=str(uid), uid=uid, groups=frozenset())
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return User(name=entry.pw_name, uid=uid, groups=frozenset(groups))


def own_user() -> User:
    """Return the user of this process."""
    return user_of(os.geteuid() if hasattr(os, "geteuid") else 0)


def group_name(gid: int) -> str:
    """Return the name of the group with this number, the number where it has none."""
    if sys.platform == "win32":
        return str(gid)
    import grp  # noqa: PLC0415 - not there on Windows

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def has_user(name: str) -> bool:
    """Return whether the system has a user of this name or number; Windows is not asked."""
    return bool(People().named(name))


def has_group(name: str) -> bool:
    """Return whether the system has a group of this name; Windows is not asked."""
    return sys.platform == "win32" or People().members(name) is not None


class People:
    """The users and groups of this system; a test brings its own."""

    def named(self, name: str) -> str:
        """Return the name of the user with this name or number, "" where there is none."""
        if sys.platform == "win32":
            return name
        import pwd  # noqa: PLC0415 - not there on Windows

        try:
            found = pwd.getpwuid(int(name)) if name.isascii() and name.isdigit() else pwd.getpwnam(name)
        except KeyError:
            return ""
        return found.pw_name

    def members(self, group: str) -> tuple[str, ...] | None:
        """Return who is in the group, as a further one or as their own; None where there is no such group."""
        if sys.platform == "win32":
            return None
        import grp  # noqa: PLC0415 - not there on Windows
        import pwd  # noqa: PLC0415 - not there on Windows

        try:
            entry = grp.getgrnam(group)
        except KeyError:
            return None
        own = (each.pw_name for each in pwd.getpwall() if each.pw_gid == entry.gr_gid)
        return tuple(dict.fromkeys((*entry.gr_mem, *own)))
