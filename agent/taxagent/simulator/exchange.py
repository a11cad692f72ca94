"""A simulated device's side of the profile: frames in, sessions and sequences judged, answers kept for FETCH.

Knows no SCSI and no USB. One thread at a time uses it, under the device's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taxagent.device import commands as c
from taxagent.device import refusals
from taxagent.device.commands import Command
from taxagent.device.refusals import Refused
from taxagent.device.tlv import WireError
from taxagent.device.wire import (
    BLOCK,
    NO_SESSION,
    Answer,
    Execute,
    Fetch,
    Request,
    decode_request,
    encode_answer,
)
from taxagent.model.device import DeviceKind, SealOrder, WriteKind, WriteRecord
from taxagent.model.value import Value
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.nonvolatile import Sent

_CURSOR_BYTES = 4

WRITES = {
    Command.SEAL: WriteKind.SEAL,
    Command.CLOCK_TICKET: WriteKind.CLOCK_TICKET,
    Command.APPLY_TICKET: WriteKind.APPLY_TICKET,
    Command.CHANGE_PASSWORD: WriteKind.CHANGE_PASSWORD,
}


class Exchange:
    """The device's end of a session. `forced` refuses a command for a fault script."""

    def __init__(self, device: VirtualDevice) -> None:
        self._device = device
        self._last_error = c.LastError(device_code="", command=0)
        self.power_lost()

    @property
    def last_command(self) -> str:
        """The name of the command that was judged last, "" where there was none."""
        return self._last_command

    def power_lost(self) -> None:
        """Forget the session and the answer; what the device remembers stays."""
        self._device.close()
        self._session = b""
        self._judged = 0  # the last sequence of the session that was judged
        self._key = (b"", -1)  # session and sequence of what FETCH gives out
        self._outcome: bytes | Denied = b""
        self._last_command = ""
        self._last_error = c.LastError(device_code="", command=0)

    def admit(self, cdb: Execute, frame: bytes) -> Request:
        """Return the request in `frame` if it may be judged now; it changes nothing. Raises Denied."""
        try:
            request = decode_request(frame)
        except WireError as error:
            raise Denied(refusals.BAD_FRAME) from error
        if (request.session, request.sequence) != (cdb.session, cdb.sequence):
            raise Denied(refusals.BAD_FRAME)
        if request.command == Command.HELLO:
            if request.session != NO_SESSION:
                raise Denied(refusals.SESSION_UNKNOWN)
        elif not self._session or request.session != self._session:
            raise Denied(refusals.SESSION_UNKNOWN)
        elif request.sequence <= self._judged:
            raise Denied(refusals.DUPLICATE)
        return request

    def execute(self, request: Request, forced: Refused | None = None) -> None:
        """Judge and carry out an admitted request; what it changed is durable then. Raises Denied."""
        self._key = (request.session, request.sequence)
        self._last_command = name_of(request.command)
        if request.command != Command.HELLO:
            self._judged = request.sequence
        try:
            body = self._carried_out(request, forced)
        except Denied as error:
            denied = self._in_its_own_codes(error)
            self._outcome = denied
            self._last_error = c.LastError(
                device_code=denied.code, command=request.command, at=self._device.now().replace(microsecond=0)
            )
            raise denied from error
        self._outcome = encode_answer(
            Answer(command=request.command, session=request.session, sequence=request.sequence, body=body)
        )

    def fetch(self, cdb: Fetch) -> bytes:
        """Return a block of the last answer, as often as asked. Raises Denied."""
        if (cdb.session, cdb.sequence) != self._key:
            raise Denied(self._why_not(cdb))
        if isinstance(self._outcome, Denied):
            raise self._outcome
        start = cdb.block * (self._device.block_size or BLOCK)
        if start >= len(self._outcome):
            raise Denied(refusals.NO_SUCH_BLOCK)
        return self._outcome[start : start + cdb.length]

    def _in_its_own_codes(self, denied: Denied) -> Denied:
        if self._device.scenario.kind is not DeviceKind.GOLDEN_DISK:
            return denied
        why = refusals.GOLDEN_DISK.get(denied.why.code, denied.why)
        return Denied(why, tries_left=denied.tries_left)

    def _why_not(self, cdb: Fetch) -> Refused:
        if cdb.session == NO_SESSION:
            return refusals.NOT_EXECUTED  # the last command judged is no such HELLO
        if cdb.session != self._session:
            return refusals.SESSION_UNKNOWN
        return refusals.NOT_EXECUTED if cdb.sequence > self._judged else refusals.ANSWER_GONE

    def _carried_out(self, request: Request, forced: Refused | None) -> bytes:
        try:
            command = Command(request.command)
        except ValueError as error:
            raise Denied(refusals.UNKNOWN_COMMAND) from error
        if name_of(command) in self._device.scenario.unknown_commands:
            raise Denied(refusals.UNKNOWN_COMMAND)
        try:
            params = c.decode_params(command, request.body)
        except WireError as error:
            raise Denied(refusals.BAD_BODY) from error
        sent = Sent(
            payload_sha256=c.payload_sha256(request.body),
            session=request.session.hex(),
            sequence=request.sequence,
        )
        if forced is not None:
            self._device.refuse(self._write_kind(command, params), forced, sent)
        return c.encode_result(command, self._result(command, params, sent))

    def _write_kind(self, command: Command, params: Any) -> WriteKind | None:  # noqa: ANN401  (by command)
        if command is Command.READ_SUMMARY and self._device.reading_seals(params.group, params.month):
            return WriteKind.SEAL
        return WRITES.get(command)

    def _result(self, command: Command, params: Any, sent: Sent) -> Value:  # noqa: ANN401  (by command)
        if command is Command.HELLO:
            hello = self._device.hello()
            self._session, self._judged = bytes.fromhex(hello.session), 0
            return hello
        if command is Command.CLOSE:
            self._device.close()
            self._session = b""
            return c.Nothing()
        if command is Command.LAST_ERROR:
            return self._last_error
        if command not in WRITES and self._write_kind(command, params) is WriteKind.SEAL:
            return c.SealedSummary(summary=self._device.seal_by_reading(params.group, params.month, sent))
        if command in WRITES:
            return _written(_WRITE[command](self._device, params, sent))
        return _READ[command](self._device, params)


def name_of(command: int) -> str:
    """Return the command's name as fault scripts and latencies have it, "unknown" for a foreign number."""
    try:
        return Command(command).name.lower()
    except ValueError:
        return "unknown"


def _written(record: WriteRecord) -> c.Written:
    return c.Written(write_no=record.write_no, before=record.before, after=record.after)


def _opened(device: VirtualDevice, params: c.Password) -> c.Nothing:
    device.open(params.password)
    return c.Nothing()


def _monitor(device: VirtualDevice, params: c.TypeChoice) -> c.MonitorList:
    types = device.types() if params.invoice_type is None else (params.invoice_type,)
    return c.MonitorList(monitor=tuple(device.monitor(name) for name in types))


def _invoices(device: VirtualDevice, params: c.InvoiceQuery) -> c.InvoicePage:
    by_number = (params.code is not None, params.number is not None)
    by_days = (params.invoice_type is not None, params.date_from is not None, params.date_to is not None)
    if any(by_number) and any((*by_days, params.cursor is not None)):
        raise Denied(refusals.BAD_BODY)
    if params.code is not None and params.number is not None:
        found = device.find_invoice(params.code, params.number)
        return c.InvoicePage(invoices=(found,) if found else ())
    if params.invoice_type is None or params.date_from is None or params.date_to is None:
        raise Denied(refusals.BAD_BODY)
    page, follows = device.invoices(
        params.invoice_type,
        params.date_from,
        params.date_to,
        start=int.from_bytes(params.cursor or b"", "big"),
        limit=c.PAGE,
    )
    cursor = None if follows is None else follows.to_bytes(_CURSOR_BYTES, "big")
    return c.InvoicePage(invoices=page, cursor=cursor)


def _last_writes(device: VirtualDevice, params: c.WriteQuery) -> c.WriteList:
    if not 1 <= params.at_most <= c.REMEMBERED_WRITES:
        raise Denied(refusals.BAD_BODY)
    return c.WriteList(writes=device.last_writes()[: params.at_most])


def _tested(device: VirtualDevice, _params: c.Nothing) -> c.Nothing:
    device.self_test()
    return c.Nothing()


def _seal(device: VirtualDevice, params: SealOrder, sent: Sent) -> WriteRecord:
    return device.seal(params, sent)


def _change_password(device: VirtualDevice, params: c.PasswordChange, sent: Sent) -> WriteRecord:
    return device.change_password(params.password, params.new_password, sent)


_READ: dict[Command, Callable[[VirtualDevice, Any], Value]] = {
    Command.OPEN: _opened,
    Command.INFO: lambda device, _: device.info(),
    Command.CLOCK: lambda device, _: c.ClockReading(clock=device.clock()),
    Command.MONITOR: _monitor,
    Command.STOCK: lambda device, of: device.stock(of.invoice_type),
    Command.STATISTICS: lambda device, of: device.statistics(of.invoice_type, of.date_from, of.date_to),
    Command.OFFLINE: lambda device, _: c.OfflineList(
        offline=tuple(device.offline(name) for name in device.types())
    ),
    Command.INVOICES: _invoices,
    Command.READ_SUMMARY: lambda device, of: c.SealedSummary(summary=device.read_summary(of.group, of.month)),
    Command.LAST_WRITE: _last_writes,
    Command.SELF_TEST: _tested,
}

_WRITE: dict[Command, Callable[[VirtualDevice, Any, Sent], WriteRecord]] = {
    Command.SEAL: _seal,
    Command.CLOCK_TICKET: lambda device, order, sent: device.apply_clock_ticket(order.ticket, sent),
    Command.APPLY_TICKET: lambda device, order, sent: device.apply_ticket(
        order.ticket, order.expected_deadline, sent
    ),
    Command.CHANGE_PASSWORD: _change_password,
}
