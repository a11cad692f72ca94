"""The profile's commands: number, parameters, result, effect, needs. Knows no frame and no transport.

A device decodes with `decode_params` and answers with `encode_result`; the driver does the reverse.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from enum import IntEnum
from typing import Any, Generic, TypeVar

from taxagent.device.layout import Layout
from taxagent.model.device import (
    DeviceInfo,
    DeviceKind,
    Hello,
    MonitorData,
    OfflineState,
    SealOrder,
    Statistics,
    Stock,
    WriteRecord,
)
from taxagent.model.invoice import Invoice
from taxagent.model.job import Effect
from taxagent.model.period import Period
from taxagent.model.value import Value

P = TypeVar("P", bound=Value)
R = TypeVar("R", bound=Value)

PAGE = 64  # invoices in an answer at most
REMEMBERED_WRITES = 8
REMEMBERED_SUMMARIES = 12  # months, for each group


class Command(IntEnum):
    """The commands' numbers in a frame."""

    HELLO = 0x0001
    OPEN = 0x0002
    CLOSE = 0x0003
    CHANGE_PASSWORD = 0x0004
    INFO = 0x0010
    CLOCK = 0x0011
    MONITOR = 0x0012
    STOCK = 0x0013
    STATISTICS = 0x0014
    OFFLINE = 0x0015
    INVOICES = 0x0016
    SEAL = 0x0020
    READ_SUMMARY = 0x0021
    CLOCK_TICKET = 0x0022
    APPLY_TICKET = 0x0023
    LAST_WRITE = 0x0030
    LAST_ERROR = 0x0031
    SELF_TEST = 0x0032


class HelloAnswer(Hello, frozen=True, kw_only=True):
    """HELLO's result; `block_size`: the largest read in bytes, and FETCH's unit. None = 4096."""

    block_size: int | None = None


class Nothing(Value, frozen=True, kw_only=True):
    """No parameters, or no result: an empty body."""


class Password(Value, frozen=True, kw_only=True):
    """OPEN's parameters: 1 to 32 bytes of UTF-8."""

    password: str


class PasswordChange(Value, frozen=True, kw_only=True):
    """CHANGE_PASSWORD's parameters."""

    password: str
    new_password: str


class ClockReading(Value, frozen=True, kw_only=True):
    """The device's wall clock, naive, Asia/Shanghai."""

    clock: dt.datetime


class TypeChoice(Value, frozen=True, kw_only=True):
    """MONITOR's parameters: one invoice type, or None for all."""

    invoice_type: str | None = None


class MonitorList(Value, frozen=True, kw_only=True):
    """Monitor data, one for each type."""

    monitor: tuple[MonitorData, ...]


class OfType(Value, frozen=True, kw_only=True):
    """STOCK's parameters."""

    invoice_type: str


class TypeAndDays(Value, frozen=True, kw_only=True):
    """STATISTICS' parameters: the closed interval of days."""

    invoice_type: str
    date_from: dt.date
    date_to: dt.date


class OfflineList(Value, frozen=True, kw_only=True):
    """What each type issued offline."""

    offline: tuple[OfflineState, ...]


class InvoiceQuery(Value, frozen=True, kw_only=True):
    """INVOICES' parameters: type, days and (but for the first page) cursor; or code and number alone."""

    invoice_type: str | None = None
    date_from: dt.date | None = None
    date_to: dt.date | None = None
    cursor: bytes | None = None  # as the page before gave it; opaque, 1 to 16 bytes
    code: str | None = None
    number: str | None = None


class InvoicePage(Value, frozen=True, kw_only=True):
    """At most 64 invoices in the device's order; `cursor` asks for the next page, None = that was all."""

    invoices: tuple[Invoice, ...]
    cursor: bytes | None = None


class SummaryQuery(Value, frozen=True, kw_only=True):
    """READ_SUMMARY's parameters."""

    group: str
    month: Period


class SealedSummary(Value, frozen=True, kw_only=True):
    """The sealed summary of a month, opaque."""

    summary: bytes


class TicketOrder(Value, frozen=True, kw_only=True):
    """APPLY_TICKET's parameters: a compare-and-set on `expected_deadline`."""

    ticket: bytes
    expected_deadline: dt.date


class ClockTicketOrder(Value, frozen=True, kw_only=True):
    """CLOCK_TICKET's parameters."""

    ticket: bytes


class Written(Value, frozen=True, kw_only=True):
    """The result of each irreversible write: what LAST_WRITE now says of it."""

    write_no: int
    before: dt.date
    after: dt.date


class WriteQuery(Value, frozen=True, kw_only=True):
    """LAST_WRITE's parameters: 1 to 8."""

    at_most: int


class WriteList(Value, frozen=True, kw_only=True):
    """The last writes, newest first."""

    writes: tuple[WriteRecord, ...]


class LastError(Value, frozen=True, kw_only=True):
    """The last refusal since power-on: its code ("" = none), the command and the device's time."""

    device_code: str
    command: int
    at: dt.datetime | None = None


class Spec(Generic[P, R]):
    """What a command is. `needs_open`: only after OPEN. `effect` READ means: may be repeated freely."""

    def __init__(
        self,
        command: Command,
        params: Layout[P],
        result: Layout[R],
        *,
        effect: Effect = Effect.READ,
        needs_open: bool = True,
    ) -> None:
        self.command = command
        self.params = params
        self.result = result
        self.effect = effect
        self.needs_open = needs_open

    def body(self, params: P) -> bytes:
        """Return the request body of `params`. Its bytes are the payload that LAST_WRITE remembers."""
        return self.params.encode(params)


_NOTHING = Layout(Nothing)
_WRITTEN = Layout(Written)
_ONCE = Effect.IRREVERSIBLE

HELLO = Spec(Command.HELLO, _NOTHING, Layout(HelloAnswer, kind="device_kind"), needs_open=False)
OPEN = Spec(Command.OPEN, Layout(Password), _NOTHING, effect=_ONCE, needs_open=False)  # a try is spent
CLOSE = Spec(Command.CLOSE, _NOTHING, _NOTHING, needs_open=False)
CHANGE_PASSWORD = Spec(Command.CHANGE_PASSWORD, Layout(PasswordChange), _WRITTEN, effect=_ONCE)
INFO = Spec(Command.INFO, _NOTHING, Layout(DeviceInfo))
CLOCK = Spec(Command.CLOCK, _NOTHING, Layout(ClockReading))
MONITOR = Spec(Command.MONITOR, Layout(TypeChoice), Layout(MonitorList))
STOCK = Spec(Command.STOCK, Layout(OfType), Layout(Stock))
STATISTICS = Spec(Command.STATISTICS, Layout(TypeAndDays), Layout(Statistics))
OFFLINE = Spec(Command.OFFLINE, _NOTHING, Layout(OfflineList))
INVOICES = Spec(Command.INVOICES, Layout(InvoiceQuery), Layout(InvoicePage))
SEAL = Spec(Command.SEAL, Layout(SealOrder), _WRITTEN, effect=_ONCE)
READ_SUMMARY = Spec(Command.READ_SUMMARY, Layout(SummaryQuery), Layout(SealedSummary))
CLOCK_TICKET = Spec(Command.CLOCK_TICKET, Layout(ClockTicketOrder), _WRITTEN, effect=_ONCE)
APPLY_TICKET = Spec(Command.APPLY_TICKET, Layout(TicketOrder), _WRITTEN, effect=_ONCE)
LAST_WRITE = Spec(Command.LAST_WRITE, Layout(WriteQuery), Layout(WriteList))
LAST_ERROR = Spec(Command.LAST_ERROR, _NOTHING, Layout(LastError), needs_open=False)
SELF_TEST = Spec(Command.SELF_TEST, _NOTHING, _NOTHING)

SPECS: dict[Command, Spec[Any, Any]] = {
    spec.command: spec
    for spec in (
        HELLO, OPEN, CLOSE, CHANGE_PASSWORD, INFO, CLOCK, MONITOR, STOCK, STATISTICS, OFFLINE, INVOICES,
        SEAL, READ_SUMMARY, CLOCK_TICKET, APPLY_TICKET, LAST_WRITE, LAST_ERROR, SELF_TEST,
    )
}  # fmt: skip

_OTHER_EFFECT: dict[tuple[Command, DeviceKind], Effect] = {
    # Of a month that is not sealed it is the seal; of a sealed one it is a read like everywhere.
    (Command.READ_SUMMARY, DeviceKind.UKEY): Effect.IRREVERSIBLE,
}


def effect(command: Command, kind: DeviceKind) -> Effect:
    """Return what doing `command` twice would mean on a device of `kind`."""
    return _OTHER_EFFECT.get((command, kind), SPECS[command].effect)


def decode_params(command: Command, body: bytes) -> Value:
    """Return a request's parameters (a device's side); TlvError for unknown, double, missing, broken ones."""
    params: Value = SPECS[command].params.decode(body, strict=True)
    return params


def encode_result(command: Command, result: Value) -> bytes:
    """Return the answer body of `result` (a device's side)."""
    return SPECS[command].result.encode(result)


def payload_sha256(body: bytes) -> str:
    """Return the hash, in hex, by which LAST_WRITE remembers a write with this request body."""
    return hashlib.sha256(body).hexdigest()
