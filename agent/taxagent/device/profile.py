"""ports.Device by the profile TCDP/1: methods into commands, answers into values. Knows no USB, no SCSI."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator

from taxagent.device import commands, reading_seal
from taxagent.device.commands import (
    ClockTicketOrder,
    Command,
    InvoiceQuery,
    Nothing,
    OfType,
    P,
    Password,
    PasswordChange,
    R,
    Spec,
    SummaryQuery,
    TicketOrder,
    TypeAndDays,
    TypeChoice,
    WriteQuery,
)
from taxagent.device.exchange import CLOSE_MS, READ_MS, WRITE_MS, Call, Exchange
from taxagent.device.tlv import WireError
from taxagent.device.transport import Transport, unasked, wait
from taxagent.device.wire import BLOCK, BLOCK_SIZES, NO_SESSION
from taxagent.model.device import (
    QUIRKS,
    DeviceInfo,
    DeviceKind,
    Hello,
    MonitorData,
    OfflineState,
    Quirks,
    SealOrder,
    Statistics,
    Stock,
    WriteRecord,
)
from taxagent.model.errors import AgentError, AnswerLost, DeviceAbsent, DeviceRefused, Interrupted
from taxagent.model.invoice import Invoice
from taxagent.model.job import Effect
from taxagent.model.period import Period, last_day
from taxagent.ports import MayGoOn

_NEVER_RESENT = frozenset({Command.OPEN, Command.CHANGE_PASSWORD, Command.CLOSE})  # two spend a try
_NOTHING = Nothing()


class ProfileDevice:
    """ports.Device over a transport: one claimed device that speaks TCDP/1, used by one thread."""

    def __init__(
        self,
        transport: Transport,
        monotonic: Callable[[], float],
        pause: Callable[[float], None] = wait,
        may_go_on: MayGoOn = unasked,
    ) -> None:
        """Talk over `transport`; `monotonic` returns seconds that never jump (ports.Clock.monotonic).

        `pause` waits that many seconds between two looks at a seal that takes time to settle. `may_go_on` is
        asked before each command block; what it raises ends the call (ports.DeviceSource.hold).
        """
        self._exchange = Exchange(transport, monotonic, may_go_on)
        self._monotonic = monotonic
        self._pause = pause
        self._kind = DeviceKind.CONTROL_DISK  # until HELLO says
        self._may_settle = False  # a seal by reading may not show yet in MONITOR

    def hello(self) -> Hello:
        """Start a session; the one before ends. Needs no password."""
        self._exchange.begin(NO_SESSION)
        answer = self._ask(commands.HELLO, _NOTHING)
        block_size = BLOCK if answer.block_size is None else answer.block_size
        if block_size not in BLOCK_SIZES:
            raise AnswerLost("DEVICE_GARBLED", what=f"HELLO: a block of {block_size} bytes")
        hello = Hello(**{name: getattr(answer, name) for name in Hello.__struct_fields__})
        self._exchange.begin(bytes.fromhex(hello.session), block_size)
        self._kind = hello.kind
        self._may_settle = self._quirks.seal_by_reading  # someone may have sealed a moment ago
        return hello

    def open(self, password: str) -> None:
        self._ask(commands.OPEN, Password(password=password))

    def close(self) -> None:
        with contextlib.suppress(AgentError):  # a device that is gone, or says no, is as good as closed
            self._ask(commands.CLOSE, _NOTHING)

    def change_password(self, password: str, new_password: str) -> None:
        """Replace the password. Raises PasswordRefused where `password` is wrong: that spends a try."""
        self._ask(commands.CHANGE_PASSWORD, PasswordChange(password=password, new_password=new_password))

    def info(self) -> DeviceInfo:
        return self._ask(commands.INFO, _NOTHING)

    def clock(self) -> dt.datetime:
        return self._ask(commands.CLOCK, _NOTHING).clock

    def monitor(self) -> tuple[MonitorData, ...]:
        """Return what MONITOR shows; where a seal by reading still settles, once it shows or is overdue."""
        if not self._may_settle:
            return self._monitor()
        sealed = reading_seal.newest_seal(self.last_writes())
        rows: tuple[MonitorData, ...] = ()
        for rows in self._polled():
            if reading_seal.shows(rows, sealed):
                break
        self._may_settle = False
        return rows

    def stock(self, invoice_type: str) -> Stock:
        return self._ask(commands.STOCK, OfType(invoice_type=invoice_type))

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        days = TypeAndDays(invoice_type=invoice_type, date_from=day_from, date_to=day_to)
        return self._ask(commands.STATISTICS, days)

    def offline(self) -> tuple[OfflineState, ...]:
        """Return what each type issued without the bureau, and what it still may."""
        return self._ask(commands.OFFLINE, _NOTHING).offline

    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        cursor: bytes | None = None
        while True:
            query = InvoiceQuery(invoice_type=invoice_type, date_from=day_from, date_to=day_to, cursor=cursor)
            page = self._ask(commands.INVOICES, query)
            yield from page.invoices
            if page.cursor is None:
                return
            if page.cursor == cursor or not page.invoices:
                raise AnswerLost("DEVICE_GARBLED", what="page_leads_nowhere")
            cursor = page.cursor

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        try:
            page = self._ask(commands.INVOICES, InvoiceQuery(code=code, number=number))
        except DeviceRefused as refused:
            if refused.fault == "NO_SUCH_DATA":
                return None
            raise
        return next(iter(page.invoices), None)

    def seal(self, order: SealOrder) -> None:
        """Close the period, by SEAL or by the reading that seals; the latter returns once it shows."""
        if self._quirks.seal_by_reading:
            self._seal_by_reading(order)
        else:
            self._ask(commands.SEAL, order)

    def seal_sha256(self, order: SealOrder) -> str:
        """Return the hash of what `seal` will send to the kind that HELLO told. No I/O."""
        if self._quirks.seal_by_reading:
            return commands.payload_sha256(commands.READ_SUMMARY.body(reading_seal.reading_of(order)))
        return commands.payload_sha256(commands.SEAL.body(order))

    def read_summary(self, group: str, month: Period) -> bytes:
        """Return the summary of a sealed month; of another one it is never asked where that would seal it."""
        query = SummaryQuery(group=group, month=month)
        if self._quirks.seal_by_reading and not reading_seal.shows(self.monitor(), last_day(month), group):
            raise DeviceRefused("NO_SUCH_DATA", what="not_sealed", group=group, period=month)
        return self._ask(commands.READ_SUMMARY, query, Effect.READ).summary

    def apply_clock_ticket(self, ticket: bytes) -> None:
        self._ask(commands.CLOCK_TICKET, ClockTicketOrder(ticket=ticket))

    def apply_ticket(self, ticket: bytes, expected_deadline: dt.date) -> None:
        order = TicketOrder(ticket=ticket, expected_deadline=expected_deadline)
        self._ask(commands.APPLY_TICKET, order)

    def clock_ticket_sha256(self, ticket: bytes) -> str:
        return commands.payload_sha256(commands.CLOCK_TICKET.body(ClockTicketOrder(ticket=ticket)))

    def ticket_sha256(self, ticket: bytes, expected_deadline: dt.date) -> str:
        order = TicketOrder(ticket=ticket, expected_deadline=expected_deadline)
        return commands.payload_sha256(commands.APPLY_TICKET.body(order))

    def last_writes(self) -> tuple[WriteRecord, ...]:
        query = WriteQuery(at_most=commands.REMEMBERED_WRITES)
        return self._ask(commands.LAST_WRITE, query).writes

    def self_test(self) -> None:
        self._ask(commands.SELF_TEST, _NOTHING)

    @property
    def _quirks(self) -> Quirks:
        return QUIRKS[self._kind]

    def _monitor(self) -> tuple[MonitorData, ...]:
        return self._ask(commands.MONITOR, TypeChoice()).monitor

    def _polled(self) -> Iterator[tuple[MonitorData, ...]]:
        return reading_seal.polled(self._monitor, self._pause, self._monotonic, self._quirks)

    def _seal_by_reading(self, order: SealOrder) -> None:
        try:
            rows = self.monitor()
        except AnswerLost as lost:  # nothing was sealed yet
            raise DeviceAbsent("DEVICE_MUTE", what=f"before the seal: {lost}") from lost
        reading_seal.must_be_due(order, rows)
        self._may_settle = True
        self._ask(commands.READ_SUMMARY, reading_seal.reading_of(order))
        self._await_seal(order)

    def _await_seal(self, order: SealOrder) -> None:
        """Return once MONITOR shows the month that was just sealed; every other end leaves it unknown."""
        try:
            for rows in self._polled():
                if reading_seal.shows(rows, order.period_to, order.group):
                    self._may_settle = False
                    return
        except Interrupted:
            raise
        except AgentError as error:
            raise AnswerLost("ANSWER_LOST", what=f"sealed by reading, then: {error}") from error
        within = f"{self._quirks.settles_within_s:g} s"
        raise AnswerLost("ANSWER_LOST", what=f"sealed by reading, but it does not show within {within}")

    def _ask(self, spec: Spec[P, R], params: P, effect: Effect | None = None) -> R:
        """Ask; `effect` where it is known to be another than the command's on this kind."""
        try:
            body = self._exchange.ask(self._call(spec, params, effect))
        except WireError as error:  # longer than a frame can be: it never left
            raise DeviceRefused("DEVICE_REFUSED", what=f"{spec.command.name}: {error}") from error
        try:
            return spec.result.decode(body)
        except WireError as error:
            raise AnswerLost("DEVICE_GARBLED", what=f"{spec.command.name}: {error}") from error

    def _call(self, spec: Spec[P, R], params: P, effect: Effect | None) -> Call:
        writes = (effect or commands.effect(spec.command, self._kind)) is Effect.IRREVERSIBLE
        budget_ms = WRITE_MS if writes else READ_MS
        return Call(
            command=spec.command,
            body=spec.body(params),
            writes=writes,
            resend=spec.command not in _NEVER_RESENT,
            budget_ms=CLOSE_MS if spec.command is Command.CLOSE else budget_ms,
        )
