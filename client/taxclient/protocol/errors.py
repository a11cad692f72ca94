"""The client's errors. Each knows whether the thing was done, and what may be repeated.

ClientError
├── AgentUnavailable   no connection: the request did not leave (not_executed)
│   └── SocketShut     the agent's socket is there, and the system keeps it shut to this user
├── AuthError          the agent's TCP door does not let this key in, or there is no key
├── Timeout            the request left, no answer came: a write is unknown, a read is not_executed
│   └── ConnectionLost the agent went away, or closed the connection, before it answered
├── ProtocolError      what came, or what was to be sent, is not TCA/1
│   └── FrameError     frames, limits, msgpack; raised by `wire` on both sides
├── Closed             the client was closed before, or while, it was used
└── RemoteError        the agent's own words: code, outcome, retry, who, remedy
    ├── NotAllowed     the peer may not do that (role, or unknown peer)
    └── KeyUnknown     the agent has no job under that key
"""

from __future__ import annotations

from taxclient.protocol.messages import ErrorBody, Outcome, Retry


class ClientError(Exception):
    """Root of all errors of this package."""

    outcome: str = Outcome.NOT_EXECUTED
    retry: str = Retry.AFTER_MS


class AgentUnavailable(ClientError):
    """Nothing answers at the endpoint; the request did not leave this process."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"no agent answers at {endpoint}")
        self.endpoint = endpoint


class SocketShut(AgentUnavailable):
    """The system lets this user not reach the socket: whether an agent runs cannot be seen.

    `path` is the folder or socket that is shut, `group` the group that may use it ("" where it is not told).
    """

    retry = Retry.AFTER_FIX

    def __init__(self, endpoint: str, path: str, group: str) -> None:
        super().__init__(endpoint)
        self.path = path
        self.group = group
        member = f": only members of the group {group} may" if group else ""
        self.args = (f"this user may not use {path}{member}",)


class AuthError(ClientError):
    """Not let in at a tcp:// endpoint; the request did not leave this process.

    `reason`: "refused" (the agent does not count this key, or no more), "handshake" (another agent's public
    key, or something that speaks no CURVE), "code" (a pairing code that does not count), "no_key" (no key
    file), "key_file" (one that cannot be used). `path` is the key file, "" where none is meant.
    """

    retry = Retry.AFTER_FIX

    def __init__(self, endpoint: str, reason: str, path: str = "", detail: str = "") -> None:
        super().__init__(
            ": ".join(part for part in (f"not let in at {endpoint}", reason, path, detail) if part)
        )
        self.endpoint = endpoint
        self.reason = reason
        self.path = path
        self.detail = detail


class Timeout(ClientError):
    """No answer in time. `outcome` is unknown for an op with a key: ask `job.get` with `key`."""

    def __init__(self, op: str, waited_ms: int, *, key: str = "") -> None:
        super().__init__(f"no answer to {op} within {waited_ms} ms")
        self.op = op
        self.key = key
        self.waited_ms = waited_ms
        self.outcome = Outcome.UNKNOWN if key else Outcome.NOT_EXECUTED
        self.retry = Retry.SAME_KEY if key else Retry.AFTER_MS


class ConnectionLost(Timeout):
    """The agent went away after the request was sent. As a Timeout, only sooner."""


class ProtocolError(ClientError):
    """A message is not what docs/protocol.md says. `outcome` is unknown where an answer was garbled.

    `code` is PROTOCOL_ERROR for an answer; for a request, which then was not sent, BAD_REQUEST or TOO_LARGE.
    """

    retry = Retry.AFTER_FIX
    code: str = "PROTOCOL_ERROR"

    def __init__(self, text: str, *, outcome: str = Outcome.NOT_EXECUTED, code: str = "") -> None:
        super().__init__(text)
        self.outcome = outcome
        self.code = code or self.code


class FrameError(ProtocolError):
    """Frames, limits or msgpack are wrong; `code` is BAD_REQUEST or TOO_LARGE."""

    def __init__(self, text: str, *, code: str = "BAD_REQUEST") -> None:
        super().__init__(text, code=code)


class Closed(ClientError):
    """The client is closed."""


class RemoteError(ClientError):
    """The agent answered with an error; `body` holds all of it."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(f"{body.code}: {body.message}")
        self.body = body
        self.code = body.code
        self.message = body.message
        self.outcome = body.outcome
        self.retry = body.retry
        self.retry_after_ms = body.retry_after_ms
        self.who = body.who
        self.remedy = body.remedy
        self.detail = body.detail
        self.device_code = body.device_code


class NotAllowed(RemoteError):
    """The role of this peer does not cover the op, or the agent does not know the peer."""


class KeyUnknown(RemoteError):
    """No job under that key: not executed, for good once the request's sent_at + ttl has passed."""


_BY_CODE: dict[str, type[RemoteError]] = {"NOT_ALLOWED": NotAllowed, "KEY_UNKNOWN": KeyUnknown}


def remote_error(body: ErrorBody) -> RemoteError:
    """Return the error that `body` stands for, in its own class where there is one."""
    return _BY_CODE.get(body.code, RemoteError)(body)
