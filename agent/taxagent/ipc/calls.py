"""A request on its way to its one answer, and what is read out of bytes on the way in. Knows no socket."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import structlog

from taxagent.ipc.views import error_body, lang_of
from taxagent.jobs.asks import Principal
from taxagent.model.errors import AgentError, Refusal
from taxagent.model.faults import Lang
from taxagent.model.job import Outcome
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from taxclient.protocol.errors import FrameError
from taxclient.protocol.forms import misfit

T = TypeVar("T")
Send = Callable[[bytes], None]

_REQUESTS = msgspec.msgpack.Decoder(m.Request)
_ENCODER = msgspec.msgpack.Encoder()
_BARE: dict[str, m.Args] = {}  # by op: what a request without arguments means; a value, and always the same
_BARE_BYTES = 512  # longer than any request without arguments

_log = structlog.get_logger("ipc.calls")


class Malformed(Refusal):
    """The request cannot be read; `request_id` and `lang` are its own where that much could be read."""

    def __init__(self, fault: str, request_id: str, lang: str = "", **detail: str) -> None:
        super().__init__(fault, **detail)
        self.request_id = request_id
        self.lang = lang


class Fault(AgentError):
    """An error of ours in mid-call: what was done is not known to the caller."""

    outcome = Outcome.UNKNOWN


class Call:
    """A request whose form is right. The first of `ok`, `accepted`, `fail` answers it; later are void."""

    def __init__(self, request: m.Request, args: m.Args, lang: Lang, boot: str, send: Send) -> None:
        self.request = request
        self.op = m.OPS[request.op]
        self.args = args
        self.lang = lang
        self.principal: Principal | None = None
        self.connection = b""  # whose call it is, for what is bounded for each
        self.process = 0  # its pid, where it is known: one that connects anew is the same; by TCP < 0
        self.client_key = ""  # the public key by which it came, by TCP
        self.answered = False
        self.then: Callable[[], None] | None = None  # called once the answer is out
        self._boot = boot
        self._send = send

    @property
    def who(self) -> Principal:
        """The principal; only called once access is settled."""
        if self.principal is None:
            raise AgentError("INTERNAL", what="a call was served before its peer was known")
        return self.principal

    def ok(self, result: m.Message | msgspec.Raw) -> None:
        """Answer with a result."""
        self._answer(m.Status.OK, result)

    def accepted(self, result: m.AcceptedResult) -> None:
        """Answer that a job is durable."""
        self._answer(m.Status.ACCEPTED, result)

    def fail(self, error: AgentError, *, retry_after_ms: int | None = None) -> None:
        """Answer with an error, in the caller's language."""
        if not self.answered:
            self.answered = True
            body = error_body(error, self.lang, retry_after_ms=retry_after_ms)
            self._sent(error_reply(self.request.id, self._boot, body))

    def guarded(self, then: Callable[[T], None]) -> Callable[[T], None]:
        """Return `then` as a callback that answers INTERNAL, and logs, where it raises."""

        def run(value: T) -> None:
            self.attempt(then, value)

        return run

    def attempt(self, then: Callable[[T], None], value: T) -> None:
        """Call `then` with `value`; where it raises, answer INTERNAL, and log."""
        try:
            then(value)
        except Exception:  # noqa: BLE001 - no traceback leaves, and no call goes without an answer
            self.defect()

    def defect(self) -> None:
        """Answer INTERNAL, and log the exception that is being handled."""
        _log.exception("call_failed", op=self.request.op, request=self.request.id)
        self.fail(Fault("INTERNAL", op=self.request.op))

    def _answer(self, status: m.Status, result: m.Message | msgspec.Raw) -> None:
        if self.answered:
            return
        raw = result if isinstance(result, msgspec.Raw) else packed(result)
        reply = _ENCODER.encode(m.Reply(id=self.request.id, status=status, boot=self._boot, result=raw))
        if len(reply) > wire.REPLY_BYTES:
            self.fail(Refusal("TOO_LARGE", what="reply", limit=str(wire.REPLY_BYTES)))
            return
        self.answered = True
        self._sent(reply)

    def _sent(self, reply: bytes) -> None:
        self._send(reply)
        if self.then is not None:
            self.then()


def packed(result: m.Message) -> msgspec.Raw:
    """Return a result as it stands in a reply."""
    return msgspec.Raw(msgspec.msgpack.encode(result))


def error_reply(request_id: str, boot: str, body: m.ErrorBody) -> bytes:
    """Return the bytes of an error reply."""
    return msgspec.msgpack.encode(m.Reply(id=request_id, status=m.Status.ERROR, boot=boot, error=body))


def read_call(frames: list[bytes], default: Lang, boot: str, send: Send) -> Call:
    """Return the call that the frames carry. Raises Malformed."""
    try:
        data = wire.split(frames)
        request = _bare(data) or _request(wire.decoded(data))
    except FrameError as error:
        limit = {"limit": str(wire.REQUEST_BYTES)} if error.code == "TOO_LARGE" else {}
        raise Malformed(error.code, "", what=str(error), **limit) from error
    op = m.OPS.get(request.op)
    if op is None:
        raise Malformed("UNKNOWN_OP", request.id, request.lang, op=request.op)
    try:
        args = _args(request, op.args)
    except msgspec.ValidationError as error:
        raise _unfit(error, request.id, request.lang) from error
    if op.keyed and not request.key:
        raise Malformed("BAD_REQUEST", request.id, request.lang, what="form_missing", field="key")
    return Call(request, args, lang_of(request.lang, default), boot, send)


def _args(request: m.Request, kind: type[m.Args]) -> m.Args:
    if request.args:
        return msgspec.convert(request.args, kind)
    bare = _BARE.get(request.op)
    if bare is None:
        bare = _BARE[request.op] = msgspec.convert(request.args, kind)
    return bare


def _bare(data: bytes) -> m.Request | None:
    """Return a request without arguments that is, byte for byte, what our encoder makes of it; else None.

    In such bytes nothing is hidden (no key twice, no unknown field, no float): they need no second look.
    Most questions are such, and it saves 3 of the 12 us that an answer from memory costs.
    """
    if len(data) > _BARE_BYTES:
        return None
    try:
        request = _REQUESTS.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return request if not request.args and _ENCODER.encode(request) == data else None


def _request(raw: dict[str, Any]) -> m.Request:
    found = raw.get("id")
    try:
        return msgspec.convert(raw, m.Request)
    except msgspec.ValidationError as error:
        request_id = found if isinstance(found, str) and len(found) <= 64 else ""
        lang = raw.get("lang")
        raise _unfit(error, request_id, lang if isinstance(lang, str) else "") from error


def _unfit(error: msgspec.ValidationError, request_id: str, lang: str) -> Malformed:
    found = misfit(error)
    facts = {"what": found.form, "field": found.field, "limit": found.limit}
    return Malformed("BAD_REQUEST", request_id, lang, **{name: fact for name, fact in facts.items() if fact})


def request_sha256(op: str, args: m.Args) -> str:
    """Return the identity of a request: SHA-256 of the canonical JSON of {args without token, op}.

    Canonical JSON: UTF-8, keys sorted, no white space, arguments that have their default value left out.
    """
    plain = msgspec.to_builtins(args)
    plain.pop("token", None)
    canonical = msgspec.json.encode({"args": plain, "op": op}, order="sorted")
    return hashlib.sha256(canonical).hexdigest()
