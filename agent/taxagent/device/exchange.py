"""One request and its answer over a transport: session, sequence, fetches, and the fate of a lost answer.

Knows no command's parameters and no USB. docs/device-profile.md, "Lost answers", is the authority.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from taxagent.device import refusals, wire
from taxagent.device.refusals import Refused
from taxagent.device.tlv import WireError
from taxagent.device.transport import CommandFailed, Transport, TransportError
from taxagent.device.wire import Answer, Request, Sense
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceAbsent,
    DeviceInUse,
    DeviceRefused,
    PasswordRefused,
)
from taxagent.model.value import Value
from taxagent.ports import MayGoOn

READ_MS = 60_000  # the field's watchdogs: 60 s for reading state ...
WRITE_MS = 120_000  # ... and 120 s for report and clear, which write flash memory and sign
CLOSE_MS = 15_000  # a courtesy: a device that does not react must not keep its thread for a minute more
FETCH_MS = 5_000  # a block of at most 4 KiB that lies ready: seconds are plenty
_FETCHES = 2  # a FETCH is pure; a second one rules out a passing fault
_RESERVE_MS = _FETCHES * FETCH_MS  # of each budget, so that a lost answer can still be asked for
_NOT_JUDGED = frozenset(
    row.code
    for row in (
        refusals.BAD_CDB,
        refusals.BAD_FRAME,
        refusals.SESSION_UNKNOWN,
        refusals.ANSWER_GONE,
        refusals.DUPLICATE,
        refusals.BUSY,
        refusals.NO_SUCH_BLOCK,
    )
)  # what FETCH says of itself: it tells nothing about the EXECUTE
_UNIT_ATTENTION = 0x6  # SPC: the command was not performed
_MAX_SEQUENCE = 0xFFFFFFFF


class Call(Value, frozen=True, kw_only=True):
    """What is asked. `writes`: whether it was done matters. `resend`: once more, where proved undone."""

    command: int
    body: bytes
    writes: bool = False
    resend: bool = True
    budget_ms: int = READ_MS  # for all of it, recovery included


class _NotExecuted(Exception):
    """Proved: the device did not judge this request."""

    fault = "DEVICE_MUTE"


class _NotWhole(_NotExecuted):
    """The request was damaged on its way: the device saw by the CRC that it is none."""

    fault = "DEVICE_GARBLED"


class Exchange:
    """The conversation with one device; one thread uses it."""

    def __init__(self, transport: Transport, monotonic: Callable[[], float], may_go_on: MayGoOn) -> None:
        """Talk over `transport`; `may_go_on` is asked before each command block: raising ends the call."""
        self._transport = transport
        self._monotonic = monotonic
        self._may_go_on = may_go_on
        self._session = wire.NO_SESSION
        self._sequence = 0
        self._block_size = wire.HELLO_BLOCK

    def begin(self, session: bytes, block_size: int = wire.HELLO_BLOCK) -> None:
        """Go on in the session of this 8-byte nonce, which HELLO gave; zero: the next call is a HELLO.

        `block_size` is the most that the device may be asked for at once, in bytes.
        """
        self._session = session
        self._sequence = 0
        self._block_size = block_size

    def ask(self, call: Call) -> bytes:
        """Return the answer's body.

        Raises DeviceRefused (or PasswordRefused), DeviceAbsent or DeviceInUse (not executed), AnswerLost.
        """
        deadline = self._monotonic() + call.budget_ms / 1000
        fault = _NotExecuted.fault
        for _ in range(2 if call.resend else 1):
            left_ms = int((deadline - self._monotonic()) * 1000) - _RESERVE_MS
            if left_ms <= 0:
                break
            try:
                return self._execute(call, left_ms)
            except _NotExecuted as undone:
                fault = undone.fault
        raise DeviceAbsent(fault)

    def _execute(self, call: Call, timeout_ms: int) -> bytes:
        request = self._request(call)
        frame = wire.encode_request(request)
        self._may_go_on()
        try:
            self._transport.command(
                wire.execute_cdb(request, len(frame)), data_out=frame, timeout_ms=timeout_ms
            )
        except TransportError as error:
            if error.gone:
                raise _gone(error, maybe=call.writes and error.may_have_executed) from error
            if not error.may_have_executed:
                raise _NotExecuted from error
            return self._answer(call, request, seen_executed=False)
        except CommandFailed as failed:
            row, sense = refusals.refusal(failed.sense)
            if sense.key == _UNIT_ATTENTION:
                raise _NotExecuted from failed
            if row is refusals.BAD_FRAME:
                raise _NotWhole from failed
            if sense.key == 0 or row is refusals.DUPLICATE:
                # It would not say why, or someone below repeated the command block: FETCH tells.
                return self._answer(call, request, seen_executed=False)
            raise _refused(row, sense) from failed
        return self._answer(call, request, seen_executed=True)

    def _request(self, call: Call) -> Request:
        if self._session == wire.NO_SESSION:
            self._sequence = secrets.randbits(32)  # an older HELLO's answer must not pass for this one's
        elif self._sequence == _MAX_SEQUENCE:
            raise DeviceAbsent("SESSION_UNKNOWN", what="sequence_used_up")
        else:
            self._sequence += 1
        return Request(command=call.command, session=self._session, sequence=self._sequence, body=call.body)

    def _answer(self, call: Call, request: Request, *, seen_executed: bool) -> bytes:
        """Fetch the answer, or learn that there is none. `seen_executed`: EXECUTE ended with status 0."""
        why: Exception | None = None
        for _ in range(_FETCHES):
            try:
                return self._fetched(request).body
            except TransportError as error:
                if error.gone:
                    raise _gone(error, maybe=call.writes) from error
                why = error
            except WireError as error:
                why = error
            except CommandFailed as failed:
                _fetch_refused(failed, seen_executed=seen_executed)
                why = failed
        fault = "DEVICE_GARBLED" if isinstance(why, WireError) else "ANSWER_LOST"
        raise AnswerLost(fault, what=str(why)) from why

    def _fetched(self, request: Request) -> Answer:
        data = self._block(request, 0, self._block_size)
        size = wire.answer_size(data)
        if request.session == wire.NO_SESSION and size > len(data):
            data = self._block(request, 0, wire.BLOCK)  # so much to say of itself: no small buffer
        for number in range(1, -(-size // max(self._block_size, len(data)))):
            data += self._block(request, number, self._block_size)
        answer = wire.decode_answer(data)
        if (answer.command, answer.session, answer.sequence) != (
            request.command,
            request.session,
            request.sequence,
        ):
            raise WireError(f"the answer is to command {answer.command:04x}, sequence {answer.sequence}")
        return answer

    def _block(self, request: Request, number: int, size: int) -> bytes:
        cdb = wire.fetch_cdb(request.session, request.sequence, number, size)
        self._may_go_on()
        return self._transport.command(cdb, data_in=size, timeout_ms=FETCH_MS)


def _gone(error: TransportError, *, maybe: bool) -> AgentError:
    """Return the error for a device that vanished; `maybe`: a write of which it may have taken notice."""
    if maybe:
        return AnswerLost("ANSWER_LOST", what=str(error))
    return DeviceAbsent("DEVICE_ABSENT", what=str(error))


def _fetch_refused(failed: CommandFailed, *, seen_executed: bool) -> None:
    """Raise what a refused FETCH means; return where it only has to be asked again."""
    row, sense = refusals.refusal(failed.sense)
    if sense.key == _UNIT_ATTENTION:
        return
    if row is refusals.NOT_EXECUTED and not seen_executed:
        raise _NotExecuted from failed
    if seen_executed or row is None or row.code in _NOT_JUDGED:
        what = f"FETCH refused: {row.meaning if row else failed}"
        raise AnswerLost("ANSWER_LOST", device_code=sense.device_code, what=what) from failed
    raise _refused(row, sense) from failed  # the refusal of the EXECUTE, told again


def _refused(row: Refused | None, sense: Sense) -> AgentError:
    """Return the error for a refusal; a code without a row keeps its number."""
    code = sense.device_code
    if row is None:
        what = f"sense {sense.key:x}/{sense.asc:02x}/{sense.ascq:02x}"
        return DeviceRefused("DEVICE_REFUSED", device_code=code, what=what)
    code = row.vendor or code
    if row.fault == "PASSWORD_WRONG":
        return PasswordRefused(refusals.tries_left(sense), device_code=code)
    if row.fault == "SESSION_UNKNOWN":
        return DeviceAbsent(row.fault, device_code=code, what=row.meaning)
    if row.fault == "DEVICE_BUSY":
        return DeviceInUse(row.fault, device_code=code, what=row.meaning)
    return DeviceRefused(row.fault, device_code=code, what=row.meaning)
