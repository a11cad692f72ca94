"""A device whose every command is timed and fenced, whichever driver it is of. Knows no job."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import TypeVar

from taxagent.jobs.fence import Fence
from taxagent.model.device import DeviceInfo, Hello, MonitorData, SealOrder, Statistics, Stock, WriteRecord
from taxagent.model.errors import AnswerLost, Interrupted, Unavailable
from taxagent.model.invoice import Invoice
from taxagent.model.period import Period
from taxagent.model.value import Value
from taxagent.ports import Device

T = TypeVar("T")
_MONITOR_READS = 4  # a question for each of up to eight types: seconds each, where all is well


class Limits(Value, frozen=True, kw_only=True):
    """Seconds that a read or a write may take at the driver, and how much later it counts as hanging."""

    read_s: float = 60.0
    write_s: float = 120.0
    grace_s: float = 30.0

    @property
    def reading(self) -> float:
        """After so many seconds a read hangs."""
        return self.read_s + self.grace_s

    @property
    def writing(self) -> float:
        """After so many seconds a write hangs."""
        return self.write_s + self.grace_s


class WatchedDevice:
    """ports.Device around a driver's. `spoiled` once it went away or lost an answer: take it afresh."""

    def __init__(self, device: Device, fence: Fence, limits: Limits) -> None:
        self._device = device
        self._fence = fence
        self._limits = limits
        self.spoiled = False

    def hello(self) -> Hello:
        """As ports.Device."""
        return self._read("hello", self._device.hello)

    def open(self, password: str) -> None:
        """As ports.Device."""
        self._write("open", lambda: self._device.open(password))

    def close(self) -> None:
        """As ports.Device; a device that failed is asked nothing more.

        A thread that was given up closes nothing, and is told at its next step.
        """
        if self.spoiled:
            return
        with contextlib.suppress(Interrupted):
            self._read("close", self._device.close)

    def info(self) -> DeviceInfo:
        """As ports.Device."""
        return self._read("info", self._device.info)

    def clock(self) -> dt.datetime:
        """As ports.Device."""
        return self._read("clock", self._device.clock)

    def monitor(self) -> tuple[MonitorData, ...]:
        """As ports.Device."""
        return self._command("monitor", self._limits.reading * _MONITOR_READS, self._device.monitor)

    def stock(self, invoice_type: str) -> Stock:
        """As ports.Device."""
        return self._read("stock", lambda: self._device.stock(invoice_type))

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        """As ports.Device."""
        return self._read("statistics", lambda: self._device.statistics(invoice_type, day_from, day_to))

    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        """As ports.Device; each invoice may take as long as a read."""
        pages = iter(self._device.invoices(invoice_type, day_from, day_to))
        while (invoice := self._read("invoices", lambda: next(pages, None))) is not None:
            yield invoice

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        """As ports.Device."""
        return self._read("find_invoice", lambda: self._device.find_invoice(code, number))

    def seal(self, order: SealOrder) -> None:
        """As ports.Device."""
        self._write("seal", lambda: self._device.seal(order))

    def seal_sha256(self, order: SealOrder) -> str:
        """As ports.Device."""
        return self._device.seal_sha256(order)

    def read_summary(self, group: str, month: Period) -> bytes:
        """As ports.Device."""
        return self._write("read_summary", lambda: self._device.read_summary(group, month))

    def apply_clock_ticket(self, ticket: bytes) -> None:
        """As ports.Device."""
        self._write("apply_clock_ticket", lambda: self._device.apply_clock_ticket(ticket))

    def apply_ticket(self, ticket: bytes, expected_deadline: dt.date) -> None:
        """As ports.Device."""
        self._write("apply_ticket", lambda: self._device.apply_ticket(ticket, expected_deadline))

    def clock_ticket_sha256(self, ticket: bytes) -> str:
        """As ports.Device."""
        return self._device.clock_ticket_sha256(ticket)

    def ticket_sha256(self, ticket: bytes, expected_deadline: dt.date) -> str:
        """As ports.Device."""
        return self._device.ticket_sha256(ticket, expected_deadline)

    def last_writes(self) -> tuple[WriteRecord, ...]:
        """As ports.Device."""
        return self._read("last_writes", self._device.last_writes)

    def self_test(self) -> None:
        """As ports.Device."""
        self._write("self_test", self._device.self_test)

    def _read(self, name: str, act: Callable[[], T]) -> T:
        return self._command(name, self._limits.reading, act)

    def _write(self, name: str, act: Callable[[], T]) -> T:
        return self._command(name, self._limits.writing, act)

    def _command(self, name: str, limit_s: float, act: Callable[[], T]) -> T:
        try:
            return self._fence.command(name, limit_s, act)
        except (Unavailable, AnswerLost):
            self.spoiled = True
            raise
