"""pair.open, pair.redeem and client.*: the clients of the TCP door. In the loop's thread.

An order is a row of the journal under the caller's key, as with devices; the code of a pairing is in no row.
"""

from __future__ import annotations

from collections.abc import Callable

from taxagent.ipc.calls import Call, request_sha256
from taxagent.ipc.clients import ADMIN, PairedClient
from taxagent.ipc.pairing import MINUTES, Window
from taxagent.ipc.tcp import TcpDoor
from taxagent.jobs.asks import Desk
from taxagent.model.errors import AgentError, Refusal, Unavailable
from taxagent.model.events import (
    AnyClientEvent,
    ClientPaired,
    ClientRevoked,
    ClientRoleChanged,
    PairingClosed,
    PairingOpened,
)
from taxagent.ports import Clock, Mailbox
from taxclient.protocol import messages as m


class ClientOps:
    """Serves them; without a TCP door each is refused."""

    def __init__(self, desk: Desk, door: TcpDoor | None, clock: Clock, mailbox: Mailbox) -> None:
        self._desk = desk
        self._tcp = door
        self._clock = clock
        self._mailbox = mailbox

    def knows(self, call: Call) -> bool | None:
        """Return whether the call's key has done something before; None while that is not known."""
        if self._tcp is None:
            return False
        who, key = call.who.name, call.request.key
        return self._tcp.clients.opened(who, key) or self._tcp.clients.done(who, key) is not None

    def list(self, call: Call, args: m.NoArgs) -> None:
        """From memory."""
        try:
            door = self._door()
        except AgentError as error:
            call.fail(error)
            return
        window = door.pairing.window
        call.ok(
            m.ClientsResult(
                clients=tuple(_view(one) for one in door.clients.all()),
                pairing=window.name if window is not None else "",
                pairing_until_ms=window.expires_ms if window is not None else 0,
            )
        )

    def open(self, call: Call, args: m.PairOpenArgs) -> None:
        """Open the window once its row is durable."""
        who, key = call.who.name, call.request.key
        try:
            door = self._door()
            if (again := door.pairing.code_for(who, key)) is not None:
                call.ok(_opened(door, *again))
                return
            if door.clients.opened(who, key):
                raise Refusal("PAIRING_OVER")
            self._may_write()
            name = args.name or door.clients.free_name()
            if name == ADMIN or door.clients.named(name) is not None:
                raise Refusal("CLIENT_EXISTS", name=name)
        except AgentError as error:
            call.fail(error)
            return
        now = self._clock.utc_ms()

        def durable() -> None:
            before = door.pairing.window
            window, code = door.pairing.opened(name, args.role, who, key, now)
            if before is not None:
                door.closed(before, "replaced")
            door.expires(window)
            call.ok(_opened(door, window, code))

        row = PairingOpened(
            name=name,
            role=args.role,
            principal=who,
            key=key,
            expires_ms=now + MINUTES * 60_000,
            at_ms=now,
            sim_ms=self._clock.sim_ms(),
        )
        self._written(door, (row,), call, durable)

    def redeem(self, call: Call, args: m.PairRedeemArgs) -> None:
        """Pair who came by the code's key; the window is shut before anything else happens."""
        try:
            door = self._door()
            window = door.pairing.window
            if window is None or call.client_key != window.public_key:
                raise Refusal("PAIRING_OVER")
            self._may_write()
            taken = (window.public_key, door.settings.server.public, door.settings.admin_key)
            known = door.clients.by_key(args.public_key) or door.clients.named(window.name)
            if known is not None or args.public_key in taken:
                raise Refusal("CLIENT_EXISTS", name=window.name)
            if not door.pairing.shut(window):
                raise Refusal("PAIRING_OVER")
        except AgentError as error:
            call.fail(error)
            return
        at_ms, sim_ms = self._clock.utc_ms(), self._clock.sim_ms()
        rows = (
            ClientPaired(
                name=window.name,
                role=window.role,
                public_key=args.public_key,
                principal=window.principal,
                key=call.request.key,
                at_ms=at_ms,
                sim_ms=sim_ms,
            ),
            PairingClosed(name=window.name, how="redeemed", at_ms=at_ms, sim_ms=sim_ms),
        )
        self._written(door, rows, call, lambda: self._answer(door, call, window.name))

    def role(self, call: Call, args: m.ClientRoleArgs) -> None:
        """Give a client another role, from its next request on."""
        self._order(
            call,
            args,
            lambda facts: ClientRoleChanged(
                **facts, role=args.role, at_ms=self._clock.utc_ms(), sim_ms=self._clock.sim_ms()
            ),
        )

    def revoke(self, call: Call, args: m.ClientArgs) -> None:
        """Take a client's key away, from its next request on."""
        self._order(
            call,
            args,
            lambda facts: ClientRevoked(**facts, at_ms=self._clock.utc_ms(), sim_ms=self._clock.sim_ms()),
        )

    def _order(
        self,
        call: Call,
        args: m.ClientArgs,
        row: Callable[[dict[str, str]], ClientRoleChanged | ClientRevoked],
    ) -> None:
        who, key = call.who.name, call.request.key
        sha256 = request_sha256(call.request.op, args)
        try:
            door = self._door()
            known = door.clients.done(who, key)
            if known is None:
                self._may_write()
                if door.clients.named(args.name) is None:
                    raise Refusal("CLIENT_UNKNOWN", name=args.name)
            elif known[0] != sha256:
                raise Refusal("KEY_CONFLICT", key=key)
        except AgentError as error:
            call.fail(error)
            return
        if known is not None:
            self._answer(door, call, args.name, known=True)
            return
        event = row({"name": args.name, "principal": who, "key": key, "request_sha256": sha256})
        self._written(door, (event,), call, lambda: self._answer(door, call, args.name))

    def _answer(self, door: TcpDoor, call: Call, name: str, *, known: bool = False) -> None:
        found = door.clients.newest(name)
        if found is None:
            raise AgentError("INTERNAL", what="a client's row was not taken")
        call.ok(m.ClientResult(client=_view(found), known=known))

    def _written(
        self, door: TcpDoor, rows: tuple[AnyClientEvent, ...], call: Call, then: Callable[[], None]
    ) -> None:
        """Have the rows written in one unit; then, or with why not, answer in the loop."""

        def told(result: object) -> None:
            if isinstance(result, AgentError):
                call.fail(result)
            elif isinstance(result, BaseException):
                call.fail(AgentError("INTERNAL", error=type(result).__name__))
            else:
                then()

        answer = call.guarded(told)
        door.journal.transact_soon(
            lambda tx: [tx.append(row) for row in rows],
            lambda result: self._mailbox.post(lambda: answer(result)),
        )

    def _door(self) -> TcpDoor:
        if self._tcp is None:
            raise Refusal("TCP_OFF")
        return self._tcp

    def _may_write(self) -> None:
        status = self._desk.status()
        if status.verifying:
            raise Unavailable("VERIFYING")
        if status.draining:
            raise Unavailable("DRAINING")


def _opened(door: TcpDoor, window: Window, code: str) -> m.PairOpenResult:
    return m.PairOpenResult(
        code=code,
        name=window.name,
        role=window.role,
        expires_ms=window.expires_ms,
        endpoint=door.settings.endpoint,
        server_key=door.settings.server.public,
    )


def _view(client: PairedClient) -> m.ClientView:
    return m.ClientView(
        name=client.name,
        role=client.principal.role,
        public_key=client.public_key,
        paired_ms=client.paired_ms,
        revoked_ms=client.revoked_ms,
    )
