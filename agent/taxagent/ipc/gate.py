"""What a request must pass before it is served: role, rate, time. A known key passes all of it.

A repeat of a key must always find what was done under it, whatever has happened meanwhile; else it would be
answered as refused. So a keyed request that fails here is refused only if its key is not known; where that
cannot be told, its outcome is unknown.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from taxagent.ipc.calls import Call
from taxagent.jobs.asks import Role
from taxagent.model.errors import AgentError, Refusal
from taxagent.model.value import Value
from taxagent.ports import Clock
from taxclient.protocol.messages import SKEW_MS, Request

_PEERS = 1024  # buckets that are remembered; the oldest is forgotten first


class Rate(Value, frozen=True, kw_only=True):
    """A token bucket: `burst` requests at once, `per_s` a second in the long run."""

    per_s: float = 2000.0
    burst: float = 4000.0


class Buckets:
    """A token bucket for each peer."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_ms(self, peer: bytes) -> int:
        """Take a token of this peer's bucket: 0, or the ms until there is one."""
        now = self._clock.monotonic()
        rate, buckets = self._rate, self._left
        left, since = buckets.get(peer, (rate.burst, now))
        left += (now - since) * rate.per_s
        left = min(left, rate.burst)
        granted = left >= 1.0
        buckets[peer] = (left - 1.0 if granted else left, now)
        buckets.move_to_end(peer)
        if len(buckets) > _PEERS:
            buckets.popitem(last=False)
        return 0 if granted else max(1, round((1.0 - left) / rate.per_s * 1000))


class KeysInFlight:
    """The (principal, key) pairs that the desk has not answered yet, and who waits for the answer."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], list[Callable[[], None]]] = {}
        self._count: dict[tuple[str, str], int] = {}

    def begin(self, principal: str, key: str) -> Callable[[], None]:
        """Note a request that goes to the desk; call the result when it is answered."""
        pair = (principal, key)
        self._count[pair] = self._count.get(pair, 0) + 1

        def end() -> None:
            self._count[pair] -= 1
            if not self._count[pair]:
                del self._count[pair]
                for then in self._waiting.pop(pair, ()):
                    then()

        return end

    def __contains__(self, pair: tuple[str, str]) -> bool:
        return pair in self._count

    def after(self, principal: str, key: str, then: Callable[[], None]) -> None:
        """Call `then` when no request under this key is at the desk: at once where there is none."""
        if (principal, key) in self._count:
            self._waiting.setdefault((principal, key), []).append(then)
        else:
            then()


def lateness(request: Request, now_ms: int) -> AgentError | None:
    """Return why the request comes at the wrong time by the agent's clock, or None."""
    ahead = request.sent_at - now_ms
    if ahead > SKEW_MS:
        return Refusal("CLOCK_SKEW", what=f"{ahead} ms", host_clock=str(now_ms))
    if -ahead > request.ttl_ms:
        return Refusal("EXPIRED", what=f"{-ahead - request.ttl_ms} ms", limit=str(request.ttl_ms))
    return None


def missing_role(call: Call, needed: Role) -> AgentError | None:
    """Return a refusal where the principal's role does not cover `needed`."""
    if call.who.role.covers(needed):
        return None
    return Refusal("NOT_ALLOWED", op=call.request.op, role=needed)
