"""What a call is, without I/O: the request's bytes, which reply is its own, and what an error means.

A driver (sync.py) moves the bytes and asks the clock; it decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from taxclient.door import unreachable
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from taxclient.protocol.errors import (
    ClientError,
    ConnectionLost,
    FrameError,
    ProtocolError,
    Timeout,
    remote_error,
)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is ready to be sent, once."""

    id: str
    op: str
    key: str
    sent_at: int  # by the agent's clock, as far as it is known
    ttl_ms: int
    frames: tuple[bytes, ...]


class Conversation:
    """One client's side of TCA/1. Keeps what it learns: the agent's boot, and how far its clock is away."""

    def __init__(self, *, lang: str = "") -> None:
        self.lang = lang
        self.boot = ""  # "" until the first reply
        self.restarts = 0  # how often a reply came from another boot than the one before
        self._ahead_ms = 0  # the agent's clock minus ours, where hello showed that it matters
        self._prefix = os.urandom(4).hex()
        self._count = 0

    def begin(self, op: str, args: m.Args, *, now_ms: int, ttl_ms: int, key: str = "", ref: str = "") -> Call:
        """Return the call. `now_ms` is our UTC.

        Raises FrameError, and nothing may be sent, where the agent would refuse its form: an unknown op,
        a key that is missing or malformed, an argument out of form, too many bytes.
        """
        known = m.OPS.get(op)
        if known is None or not isinstance(args, known.args):
            raise FrameError(f"{op} is no op, or {type(args).__name__} are not its arguments")
        if known.keyed and not key:
            raise FrameError(f"{op} needs a key")
        self._count += 1
        plain: dict[str, Any] = msgspec.to_builtins(args)
        request = m.Request(
            id=f"{self._prefix}-{self._count}",
            op=op,
            sent_at=now_ms + self._ahead_ms,
            ttl_ms=ttl_ms,
            args=plain,
            key=key,
            ref=ref,
            lang=self.lang,
        )
        try:
            body = msgspec.msgpack.encode(request)
            if len(body) > wire.REQUEST_BYTES:
                raise FrameError(f"a request of {len(body)} bytes", code="TOO_LARGE")
            msgspec.convert(plain, known.args)
            msgspec.msgpack.decode(body, type=m.Request)
        except msgspec.ValidationError as error:
            from taxclient.protocol.forms import misfit  # noqa: PLC0415 - for who made a mistake alone

            raise FrameError(f"{op}: {misfit(error)}") from error
        except UnicodeEncodeError as error:  # text that is no text (surrogates)
            raise FrameError(f"{op}: {error}") from error
        return Call(
            id=request.id,
            op=op,
            key=key,
            sent_at=request.sent_at,
            ttl_ms=ttl_ms,
            frames=tuple(wire.joined(body)),
        )

    def match(self, call: Call, frames: Sequence[bytes]) -> m.Message | None:
        """Return the result that the frames bring for `call`; None where they answer another, earlier call.

        Raises RemoteError with the agent's words, ProtocolError where the reply cannot be understood (the
        outcome of a keyed call is then unknown).
        """
        outcome = m.Outcome.UNKNOWN if call.key else m.Outcome.NOT_EXECUTED
        try:
            wire.decoded(data := wire.split(frames), wire.REPLY)
            reply = msgspec.msgpack.decode(data, type=m.Reply)
            if reply.id not in (call.id, ""):
                return None
            self._heard(reply.boot)
            if reply.error is not None:
                raise remote_error(reply.error)
            result: m.Message = msgspec.msgpack.decode(reply.result, type=m.OPS[call.op].result)
        except (FrameError, msgspec.DecodeError) as error:
            raise ProtocolError(f"the answer to {call.op} is garbled: {error}", outcome=outcome) from error
        return result

    def learn_clock(self, agent_ms: int, now_ms: int) -> None:
        """Take the agent's clock (hello.now) as the one that `sent_at` is told by."""
        self._ahead_ms = agent_ms - now_ms

    def unsent(self, endpoint: str) -> ClientError:
        """Return the error for a call that could not be sent."""
        return unreachable(endpoint)

    def unanswered(self, call: Call, waited_ms: int, *, lost: bool) -> ClientError:
        """Return the error for a call that was sent and got no answer; `lost` where the connection ended."""
        kind = ConnectionLost if lost else Timeout
        return kind(call.op, waited_ms, key=call.key)

    def _heard(self, boot: str) -> None:
        if self.boot and boot != self.boot:
            self.restarts += 1
        self.boot = boot


def new_key() -> str:
    """Return a fresh key for a request that makes a job. Store it before the request is sent."""
    return os.urandom(20).hex()
