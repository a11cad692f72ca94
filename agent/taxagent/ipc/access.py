"""Who a peer is and what it may do, from what the kernel says of the other end of the socket.

libzmq gives `host:uid:gid:pid` as the metadata `Peer-Address` of an ipc peer on Linux (undocumented, checked
by our tests): it is read from the right, and whatever does not look like that is nobody.
"""

from __future__ import annotations

import functools
import os
from collections import OrderedDict
from typing import Protocol

from taxagent.jobs.asks import Principal, Role
from taxagent.model.value import Value

KEPT = 1024  # peers whose role is remembered
FRESH_S = 60.0  # how long: a group that is taken away works at most so much longer


class Peer(Value, frozen=True, kw_only=True):
    """The process at the other end, as it was when it connected."""

    uid: int
    gid: int
    pid: int


class AccessTable(Value, frozen=True, kw_only=True):
    """The configured roles: by user name or number, and by group name."""

    users: dict[str, Role] = {}
    groups: dict[str, Role] = {}


class Accounts(Protocol):
    """The system's users and groups. May block."""

    def name_of(self, uid: int) -> str:
        """Return the login name, or "" where there is none."""

    def groups_of(self, name: str, gid: int) -> tuple[str, ...]:
        """Return the names of all groups of the user, its primary group `gid` among them."""


class SystemAccounts:
    """Accounts by the system's own name service."""

    def name_of(self, uid: int) -> str:
        import pwd  # noqa: PLC0415 - absent on Windows, where no peer has a uid

        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return ""

    def groups_of(self, name: str, gid: int) -> tuple[str, ...]:
        import grp  # noqa: PLC0415 - as above

        names = []
        for number in os.getgrouplist(name, gid) if name else [gid]:
            try:
                names.append(grp.getgrgid(number).gr_name)
            except KeyError:
                continue
        return tuple(names)


@functools.lru_cache(KEPT)
def peer_of(address: str) -> Peer | None:
    """Return the peer that a `Peer-Address` names, or None where it is of another form."""
    parts = address.rsplit(":", 3)
    if len(parts) != 4 or not parts[0] or ":" in parts[0]:
        return None
    if not all(part.isascii() and part.isdigit() for part in parts[1:]):
        return None
    return Peer(uid=int(parts[1]), gid=int(parts[2]), pid=int(parts[3]))


class Access:
    """Peers to principals. `known` is for the loop; `resolve` may block and is for another thread."""

    def __init__(
        self, table: AccessTable, *, own_uid: int | None = None, accounts: Accounts | None = None
    ) -> None:
        self._table = table
        own = getattr(os, "geteuid", lambda: -1)  # absent on Windows, where no peer has a uid
        self._own = own() if own_uid is None else own_uid
        self._accounts = accounts or SystemAccounts()
        self._cache: OrderedDict[tuple[int, int], tuple[float, Principal | None]] = OrderedDict()

    def renew(self, table: AccessTable) -> None:
        """Go by another table from now on."""
        self._table = table
        self._cache.clear()

    def known(self, peer: Peer, now_s: float) -> tuple[Principal | None] | None:
        """Return (principal,), (None,) for a peer without a role, or None where `resolve` must be asked."""
        found = self._cache.get((peer.uid, peer.gid))
        if found is None or now_s - found[0] > FRESH_S:
            return None
        return (found[1],)

    def remember(self, peer: Peer, principal: Principal | None, now_s: float) -> None:
        """Keep what `resolve` found."""
        self._cache[peer.uid, peer.gid] = (now_s, principal)
        self._cache.move_to_end((peer.uid, peer.gid))
        if len(self._cache) > KEPT:
            self._cache.popitem(last=False)

    def resolve(self, peer: Peer) -> Principal | None:
        """Return who the peer is by the table, or None where it has no role. May block on a name service."""
        login = self._accounts.name_of(peer.uid)
        number = str(peer.uid)
        name = login if login and login in self._table.users else f"uid:{peer.uid}"
        roles = [self._table.users[key] for key in (login, number) if key and key in self._table.users]
        if peer.uid in (0, self._own):
            roles.append(Role.ADMIN)
        if not roles and self._table.groups:
            groups = self._accounts.groups_of(login, peer.gid)
            roles = [self._table.groups[group] for group in groups if group in self._table.groups]
        if not roles:
            return None
        return Principal(name=name, role=max(roles, key=list(Role).index))
