"""The paired clients, as the journal's rows make them. Values are replaced, never changed: any thread reads.

A client is known by its public key, and its role is what the newest row says: the loop looks it up at every
request.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from taxagent.jobs.asks import Principal, Role
from taxagent.model.events import (
    AnyEvent,
    ClientPaired,
    ClientRevoked,
    ClientRoleChanged,
    PairingOpened,
)
from taxagent.model.value import Value

ADMIN = "admin"  # the name of the agent's own key, for its commands on this machine
_PREFIX = "client:"


class PairedClient(Value, frozen=True, kw_only=True):
    """A client that was paired. `number` tells it from the others, as a process's pid does on ipc."""

    name: str
    public_key: str
    number: int
    paired_ms: int
    principal: Principal
    revoked_ms: int = 0


def principal_of(name: str, role: str) -> Principal:
    """Return who a client of this name is."""
    return Principal(name=_PREFIX + name, role=Role(role))


class Clients:
    """The registry. Only the loop's thread takes rows; never ahead of the journal."""

    def __init__(self, admin_key: str = "") -> None:
        self._by_key: dict[str, PairedClient] = {}  # the newest of each name, and all revoked keys
        self._done: dict[tuple[str, str], tuple[str, str]] = {}
        self._opened: set[tuple[str, str]] = set()
        self._count = 1
        self.admin_key = admin_key
        self._admin = PairedClient(
            name=ADMIN,
            public_key=admin_key,
            number=self._count,
            paired_ms=0,
            principal=principal_of(ADMIN, Role.ADMIN),
        )

    def read(self, rows: Iterable[AnyEvent]) -> None:
        """Take the journal's rows at the start, oldest first."""
        for event in rows:
            self.take(event)

    def take(self, event: AnyEvent) -> None:
        """Apply a committed row; rows of other things are let pass."""
        match event:
            case PairingOpened():
                self._opened.add((event.principal, event.key))
            case ClientPaired():
                self._count += 1
                fresh = PairedClient(
                    name=event.name,
                    public_key=event.public_key,
                    number=self._count,
                    paired_ms=event.at_ms,
                    principal=principal_of(event.name, event.role),
                )
                self._by_key = {**self._by_key, event.public_key: fresh}
            case ClientRoleChanged():
                self._change(event, principal=principal_of(event.name, event.role))
            case ClientRevoked():
                self._change(event, revoked_ms=event.at_ms)

    def _change(self, event: ClientRoleChanged | ClientRevoked, **changes: object) -> None:
        self._done[event.principal, event.key] = (event.request_sha256, event.name)
        before = self.named(event.name)
        if before is not None:
            after = msgspec.structs.replace(before, **changes)
            self._by_key = {**self._by_key, before.public_key: after}

    def counted(self, public_key: str) -> PairedClient | None:
        """Return whose key it is, where that key counts now."""
        found = self._by_key.get(public_key)
        if found is not None:
            return None if found.revoked_ms else found
        return self._admin if public_key and public_key == self.admin_key else None

    def by_key(self, public_key: str) -> PairedClient | None:
        """Return whose key it is or was."""
        return self._by_key.get(public_key)

    def named(self, name: str) -> PairedClient | None:
        """Return the client of this name whose key counts, or None."""
        return next((one for one in self._by_key.values() if one.name == name and not one.revoked_ms), None)

    def newest(self, name: str) -> PairedClient | None:
        """Return the client that had this name last, revoked or not."""
        return next((one for one in reversed(self.all()) if one.name == name), None)

    def all(self) -> tuple[PairedClient, ...]:
        """Return all that were ever paired, oldest first."""
        return tuple(self._by_key.values())

    def done(self, principal: str, key: str) -> tuple[str, str] | None:
        """Return (request_sha256, client) of the order that this key made, or None."""
        return self._done.get((principal, key))

    def opened(self, principal: str, key: str) -> bool:
        """Return whether this key ever opened a pairing."""
        return (principal, key) in self._opened

    def free_name(self) -> str:
        """Return client-1, client-2, ...: the first that nobody ever had."""
        taken = {one.name for one in self._by_key.values()}
        return next(name for n in range(1, len(taken) + 2) if (name := f"client-{n}") not in taken)
