"""The TCP door: CURVE on the loop's own ROUTER and an event channel beside it, and who may come in by it.

`admits` and `strange` are for the ZAP thread, all else is for the loop's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import structlog
import zmq

from taxagent.ipc.clients import Clients, PairedClient
from taxagent.ipc.curve import CurveChannel, KeyPair, armoured
from taxagent.ipc.pairing import MINUTES, Pairing, Window
from taxagent.ipc.zap import Knock, ZapThread
from taxagent.jobs.asks import Principal, Role
from taxagent.model.errors import AgentError
from taxagent.model.events import AnyClientEvent, AnyEvent, ClientRefused, ClientRevoked, PairingClosed
from taxagent.model.value import Value
from taxagent.ports import Clock, Journal, Mailbox

_TOLD = 1024  # keys that are remembered as refused; beyond, nobody is told of any other
_ROWS = 64  # of them that a start of the agent writes into its journal

_log = structlog.get_logger("ipc.tcp")


class TcpSettings(Value, frozen=True, kw_only=True):
    """Where the door is, its own key pair, and the public key of the agent's own commands."""

    endpoint: str
    events: str
    server: KeyPair
    admin_key: str


class TcpDoor:
    """Built before the loop; `later` is set by it: calls back in so many ms."""

    def __init__(
        self,
        settings: TcpSettings,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        journal: Journal,
        clock: Clock,
        mailbox: Mailbox,
    ) -> None:
        self.settings = settings
        self.clients = Clients(settings.admin_key)
        self.pairing = Pairing(settings.server.public, clock.monotonic)
        self.channel = CurveChannel(context, settings.server)
        self.journal = journal
        self.later: Callable[[int, Callable[[], None]], object] = lambda _ms, _call: None
        self.is_verified: Callable[[], bool] = lambda: True
        self._clock = clock
        self._mailbox = mailbox
        self._zap = ZapThread(context, self.admits, self.strange)
        self._told: set[tuple[str, str]] = set()
        self._rows = 0

    # ---- open and shut

    def bind(self, router: zmq.Socket[bytes]) -> None:
        """Open the door. Raises AgentError("CONFIG_INVALID") where an address cannot be had."""
        self._zap.start(router)
        try:
            self.let_in(router)
        except zmq.ZMQError as error:
            where = f"{self.settings.endpoint}, {self.settings.events}"
            raise AgentError(
                "CONFIG_INVALID", key="door.tcp", found=where, what=error.strerror or str(error)
            ) from error
        _log.info("listening", endpoint=self.settings.endpoint)

    def let_in(self, router: zmq.Socket[bytes]) -> None:
        """Take newcomers, for the first time or again."""
        self.channel.bind(self.settings.events)
        with armoured(router, self.settings.server):
            router.bind(self.settings.endpoint)

    def keep_out(self, router: zmq.Socket[bytes]) -> None:
        """Take no newcomers; who is within stays."""
        self.channel.unbind()
        router.unbind(self.settings.endpoint)

    def close(self, router: zmq.Socket[bytes], linger_ms: int) -> None:
        """Shut the door and end its thread; before the context ends. May be called again."""
        if not router.closed:
            router.disable_monitor()
        self._zap.stop()
        self.channel.close(linger_ms)

    # ---- who is it: at every request

    def caller(self, public_key: str) -> PairedClient | None:
        """Return whose request it is, or None where that key does not count (any more)."""
        return self.clients.counted(public_key)

    def newcomer(self, public_key: str) -> Principal | None:
        """Return who may redeem a code just now and do nothing else, or None."""
        return Principal(name="pairing", role=Role.VIEWER) if self.pairing.admits(public_key) else None

    # ---- who is let in: in the ZAP thread

    def admits(self, knock: Knock) -> bool:
        """Return whether a connection may come up; tell of one that may not."""
        client = self.clients.counted(knock.public_key)
        if client is not None:
            if client.public_key != self.settings.admin_key or _is_local(knock.address):
                return True
            self._refuse("not_local", knock)
        elif not self.pairing.admits(knock.public_key):
            self._refuse_stranger(knock)
        else:
            return True
        return False

    def strange(self, reason: str) -> None:
        """Tell of a handshake that did not come to a key."""
        self._refuse(reason, Knock(address="", public_key=""))

    def _refuse_stranger(self, knock: Knock) -> None:
        if self.clients.by_key(knock.public_key) is not None:
            self._refuse("revoked", knock)
            return
        key = knock.public_key  # one that was refused before is a program that tries for ever, and no try
        before = ("unknown", key) in self._told or ("wrong_code", key) in self._told
        shut = self.pairing.tried(knock.public_key) if not before else None
        self._refuse("unknown" if shut is None and self.pairing.window is None else "wrong_code", knock)
        if shut is not None:
            self._mailbox.post(lambda: self.closed(shut, "tries"))

    def _refuse(self, reason: str, knock: Knock) -> None:
        mark = (reason, knock.public_key)
        if mark in self._told or len(self._told) >= _TOLD:
            return
        self._told.add(mark)
        self._mailbox.post(lambda: self._tell(reason, knock))

    # ---- what is told of it

    def _tell(self, reason: str, knock: Knock) -> None:
        client = self.clients.by_key(knock.public_key)
        name = client.name if client is not None else ""
        _log.warning("not_let_in", reason=reason, address=knock.address, key=knock.public_key, client=name)
        if self._rows >= _ROWS or not self.is_verified():
            return
        self._rows += 1
        self.write(
            ClientRefused(
                name=name,
                reason=reason,  # type: ignore[arg-type]  # one of the row's own
                address=knock.address,
                public_key=knock.public_key,
                at_ms=self._clock.utc_ms(),
                sim_ms=self._clock.sim_ms(),
            )
        )

    def write(self, event: AnyClientEvent) -> None:
        """Have a row written that nobody waits for."""

        def done(result: int | BaseException) -> None:
            if isinstance(result, BaseException):
                _log.error("not_journaled", row=type(event).__name__, reason=str(result))

        self.journal.transact_soon(lambda tx: tx.append(event), done)

    def closed(self, window: Window, how: str) -> None:
        """Write that a code counts no more."""
        _log.info("pairing_closed", client=window.name, how=how)
        self.write(
            PairingClosed(
                name=window.name,
                how=how,  # type: ignore[arg-type]  # one of the row's own
                at_ms=self._clock.utc_ms(),
                sim_ms=self._clock.sim_ms(),
            )
        )

    def expires(self, window: Window) -> None:
        """Shut the window when its time is over."""

        def over() -> None:
            if self.pairing.shut(window):
                self.closed(window, "expired")

        self.later(MINUTES * 60_000, over)

    def take(self, event: AnyEvent) -> bool:
        """Apply a committed row; return whether somebody within is to be put out of the event channel."""
        self.clients.take(event)
        return isinstance(event, ClientRevoked | PairingClosed)


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
