"""A device of the profile in memory: it judges EXECUTE and FETCH, and loses what a test tells it to."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable

from taxagent.device import refusals, wire
from taxagent.device.commands import SPECS, Command, Nothing, Written, decode_params, encode_result
from taxagent.device.profile import ProfileDevice
from taxagent.device.refusals import Refused
from taxagent.device.transport import CommandFailed, TransportError
from taxagent.device.wire import Answer, Execute, Fetch, Request
from taxagent.model.device import DeviceInfo, DeviceKind, Hello, SealOrder
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.value import Value

Reply = Value | bytes | Callable[[Value], Value]  # bytes: a body that no layout made
DAY = dt.date(2026, 10, 1)
END = dt.date(2026, 10, 31)
DEADLINE = dt.date(2026, 11, 16)
HELLO = Hello(
    device_no="661234567890",
    kind=DeviceKind.CONTROL_DISK,
    simulated=True,
    firmware="1.0.3",
    tries_left=8,
    session="8f1c5a3e90d274b6",
)
INFO = DeviceInfo(
    device_no="661234567890",
    taxpayer_id="91310000MA1K00000X",
    taxpayer_name="示例商店",
    terminal_no=0,
    registered=True,
    certificate_from=dt.date(2024, 1, 1),
    certificate_to=dt.date(2028, 12, 31),
)
OCTOBER = SealOrder(group="007", period_from=DAY, period_to=END, expected_last_report=dt.date(2026, 9, 30))
DONE = Written(write_no=41, before=dt.date(2026, 9, 30), after=END)
UNIT_ATTENTION = bytes.fromhex("700006000000000a00000000290000000000")
NO_SENSE = bytes(18)


class Fault(enum.Enum):
    """What goes wrong with one command block."""

    NONE = "none"
    UNSENT = "the command block does not leave, the device is there"
    LOST_BEFORE = "lost on its way, nothing executed"
    LOST_AFTER = "judged, then the status is lost"
    GONE_UNSENT = "unplugged before it left"
    GONE_AFTER = "judged, then unplugged"
    GARBLED = "a byte of the data-in turned"
    ATTENTION = "UNIT ATTENTION: not performed"
    MUTE_SENSE = "judged, and a refusal has no sense"
    REPEATED = "sent twice by something below the driver"


def invoice(number: int) -> Invoice:
    """Return the invoice of this number on the device, issued in October."""
    return Invoice(
        invoice_type="007",
        code="031001900104",
        number=f"{number:08d}",
        issued_at=dt.datetime(2026, 10, 8, 14, 3, 59),
        mark=InvoiceMark.POSITIVE,
        amount=10_000,
        tax=1_300,
        buyer="上海示例商贸有限公司",
        uploaded=True,
    )


def opened(fake: FakeDevice) -> ProfileDevice:
    """Return the driver with an open session on `fake`, whose clock stands still."""
    fake.replies.setdefault(Command.HELLO, HELLO)
    device = ProfileDevice(fake, lambda: 0.0)
    device.hello()
    device.open("12345678")
    return device


class FakeDevice:
    """transport.Transport over a device that answers `replies`; `faults` are for the next command blocks."""

    def __init__(self, replies: dict[Command, Reply], *faults: Fault) -> None:
        self.replies = replies
        self.faults = list(faults)
        self.executed: list[tuple[Command, Value]] = []
        self.bodies: list[bytes] = []
        self.timeouts: list[int] = []
        self.reads: list[int] = []
        self.session = bytes(8)
        self.forgets = False  # what it executed, at once
        self.answers_as: Command | None = None
        self._judged: tuple[bytes, int, bytes] = (b"", 0, b"")  # session, sequence, frame or sense

    @property
    def kept(self) -> bytes:
        """The answer frame, or the sense data, of the last request that was judged."""
        return self._judged[2]

    def command(self, cdb: bytes, *, data_out: bytes = b"", data_in: int = 0, timeout_ms: int) -> bytes:
        fault = self.faults.pop(0) if self.faults else Fault.NONE
        self.timeouts.append(timeout_ms)
        if fault in {Fault.UNSENT, Fault.GONE_UNSENT}:
            raise TransportError(fault.value, may_have_executed=False, gone=fault is Fault.GONE_UNSENT)
        if fault is Fault.ATTENTION:
            raise CommandFailed(UNIT_ATTENTION)
        if fault is Fault.LOST_BEFORE:
            raise TransportError(fault.value, may_have_executed=True)
        try:
            if fault is Fault.REPEATED:
                self._carry_out(cdb, data_out)
            data = self._carry_out(cdb, data_out)
        except CommandFailed as failed:
            if fault is Fault.LOST_AFTER:
                raise TransportError(fault.value, may_have_executed=True) from None
            raise CommandFailed(NO_SENSE if fault is Fault.MUTE_SENSE else failed.sense) from None
        if fault in {Fault.LOST_AFTER, Fault.GONE_AFTER}:
            raise TransportError(fault.value, may_have_executed=True, gone=fault is Fault.GONE_AFTER)
        return data[:-1] + bytes([data[-1] ^ 1]) if fault is Fault.GARBLED else data

    def _carry_out(self, cdb: bytes, data_out: bytes) -> bytes:
        parsed = wire.parse_cdb(cdb)
        assert parsed is not None
        if isinstance(parsed, Fetch):
            self.reads.append(parsed.length)
            return self._fetch(parsed)
        self._execute(parsed, wire.decode_request(data_out))
        return b""

    def _execute(self, cdb: Execute, request: Request) -> None:
        assert (request.session, request.sequence) == (cdb.session, cdb.sequence)
        session, sequence, _ = self._judged
        if request.command != Command.HELLO and request.session != self.session:
            raise CommandFailed(refusals.SESSION_UNKNOWN.sense())
        if request.session == session != wire.NO_SESSION and request.sequence <= sequence:
            raise CommandFailed(refusals.DUPLICATE.sense())
        command = Command(request.command)
        params = decode_params(command, request.body)
        self.executed.append((command, params))
        self.bodies.append(request.body)
        outcome = self._outcome(command, params)
        self._judged = (request.session, request.sequence, outcome)
        if isinstance(self.replies.get(command), Refused):
            raise CommandFailed(outcome)
        answer = Answer(
            command=self.answers_as or command,
            session=request.session,
            sequence=request.sequence,
            body=outcome,
        )
        kept = b"" if self.forgets else wire.encode_answer(answer)
        self._judged = (request.session, request.sequence if kept else 0, kept)
        if command is Command.HELLO:
            self.session = bytes.fromhex(SPECS[command].result.decode(outcome).session)

    def _outcome(self, command: Command, params: Value) -> bytes:
        reply = self.replies.get(command, Nothing())
        if isinstance(reply, bytes):
            return reply
        if isinstance(reply, Refused):
            return reply.sense(tries_left=3)
        return encode_result(command, reply if isinstance(reply, Value) else reply(params))

    def _fetch(self, cdb: Fetch) -> bytes:
        session, sequence, kept = self._judged
        if cdb.session not in {self.session, wire.NO_SESSION}:
            raise CommandFailed(refusals.SESSION_UNKNOWN.sense())
        later = cdb.sequence != sequence if session == wire.NO_SESSION else cdb.sequence > sequence
        if cdb.session != session or later:
            raise CommandFailed(refusals.NOT_EXECUTED.sense())
        if cdb.sequence < sequence:
            raise CommandFailed(refusals.ANSWER_GONE.sense())
        if kept[0] == 0x70:
            raise CommandFailed(kept)
        return kept[cdb.block * wire.BLOCK :][: cdb.length]
