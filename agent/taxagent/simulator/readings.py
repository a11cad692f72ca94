"""A simulated device as it is asked: session, password, and every reading that changes nothing.

Knows no frame and no USB. One thread at a time uses it, under `lock`.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from collections.abc import Sequence

from taxagent.device import refusals
from taxagent.device.commands import HelloAnswer
from taxagent.device.wire import BLOCK
from taxagent.model.device import (
    QUIRKS,
    DeviceInfo,
    MonitorData,
    OfflineState,
    Statistics,
    Stock,
    WriteRecord,
)
from taxagent.model.invoice import Invoice
from taxagent.model.period import Period
from taxagent.ports import Clock
from taxagent.simulator.bookcase import Bookcase, as_it_stands
from taxagent.simulator.books import InvoiceBook
from taxagent.simulator.denial import Denied
from taxagent.simulator.monitor import monitor_data, month_so_far, offline_state
from taxagent.simulator.nonvolatile import Nonvolatile
from taxagent.simulator.scenario import Battery, Scenario, TypeScenario
from taxagent.simulator.state import DeviceStore, GroupMemory, Memory

PASSWORD_BYTES = 32


class ReadableDevice:
    """Session and readings of one device. Commands raise Denied; most want a session let in by `open`."""

    def __init__(self, scenario: Scenario, store: DeviceStore, clock: Clock) -> None:
        """Go on from the store's memory, or begin as the scenario says.

        Raises AgentError SCENARIO_INVALID where the memory is another scenario's or the invoices do not fit.
        """
        self.scenario = scenario
        self.lock = threading.Lock()
        self.quirks = QUIRKS[scenario.kind]
        self.kept = Nonvolatile(scenario, store, clock)
        self._types = {kind.invoice_type: kind for kind in scenario.types}
        self._books = Bookcase(scenario)
        self._session = ""
        self._opened = False

    @property
    def memory(self) -> Memory:
        """What the device remembers now."""
        return self.kept.memory

    @property
    def session(self) -> str:
        """Return the live session's nonce in hex, "" where there is none."""
        return self._session

    @property
    def block_size(self) -> int | None:
        """Return what HELLO says of the largest read; None where it is the profile's."""
        largest = self.scenario.usb.largest_read
        return largest if largest < BLOCK else None

    def power_up(self) -> None:
        """Get power: a clock whose battery is dead begins anew."""
        self.kept.power_up()

    def now(self) -> dt.datetime:
        """Return the device's own wall clock, naive."""
        return self.kept.now()

    # --- session ---

    def hello(self) -> HelloAnswer:
        """Begin a session; the one before is gone."""
        self._session = secrets.token_hex(8)
        self._opened = False
        return HelloAnswer(
            device_no=self.scenario.device_no,
            kind=self.scenario.kind,
            simulated=True,
            firmware=self.scenario.firmware,
            tries_left=self.memory.tries_left,
            session=self._session,
            block_size=self.block_size,
        )

    def open(self, password: str) -> None:
        """Let the session in. A wrong password costs a try, on disk before the answer."""
        self._opened = False
        well_formed(password)
        self.kept.check_password(password)
        self._opened = True

    def close(self) -> None:
        """End the session; a power cycle does the same."""
        self._opened = False
        self._session = ""

    # --- reads ---

    def info(self) -> DeviceInfo:
        """Return who owns the device."""
        self._need_open()
        return DeviceInfo(
            device_no=self.scenario.device_no,
            taxpayer_id=self.scenario.taxpayer_id,
            taxpayer_name=self.scenario.taxpayer_name,
            terminal_no=self.scenario.terminal_no,
            registered=self.scenario.registered,
            training=True if self.scenario.training else None,
            certificate_from=self.scenario.certificate_from,
            certificate_to=self.scenario.certificate_to,
        )

    def clock(self) -> dt.datetime:
        """Return the device's clock, to the second."""
        self._need_open()
        self._need_clock()
        return self.now().replace(microsecond=0)

    def types(self) -> tuple[str, ...]:
        """Return the invoice types that the device has."""
        self._need_registered()
        return tuple(self._types)

    def monitor(self, invoice_type: str) -> MonitorData:
        """Return 监控数据 of one type."""
        kind, book = self._type(invoice_type)
        now = self.now()
        return monitor_data(
            kind,
            self.memory.group_of(invoice_type),
            book.issued(*month_so_far(now), now),
            self._pending((invoice_type,), now),
            now,
            self.quirks,
            capacity_left=self._books.room(now),
        )

    def offline(self, invoice_type: str) -> OfflineState:
        """Return what one type issued without the bureau."""
        kind, _ = self._type(invoice_type)
        now = self.now()
        return offline_state(kind, self._pending((invoice_type,), now), now)

    def stock(self, invoice_type: str) -> Stock:
        """Return the blanks of one type."""
        _, book = self._type(invoice_type)
        return book.stock(self.now())

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        """Return 发票统计 of the closed interval."""
        _, book = self._type(invoice_type)
        if day_to < day_from:
            raise Denied(refusals.BAD_DATE)
        return book.statistics(day_from, day_to, self.now())

    def invoices(
        self, invoice_type: str, day_from: dt.date, day_to: dt.date, *, start: int, limit: int
    ) -> tuple[tuple[Invoice, ...], int | None]:
        """Return up to `limit` invoices of the interval from the `start`-th on, and the next `start`."""
        _, book = self._type(invoice_type)
        issued = book.issued(day_from, day_to, self.now())
        page = tuple(self._as_it_stands(invoice) for invoice in issued[start : start + limit])
        follows = start + len(page)
        return page, follows if follows < len(issued) else None

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        """Return the invoice, or None where it is not on the device."""
        self._need_registered()
        now = self.now()
        found = self._books.find(code, number, now)
        return self._as_it_stands(found) if found else None

    def read_summary(self, group: str, month: Period) -> bytes:
        """Return the sealed summary of one of the last 12 sealed months. Changes nothing."""
        self._need_registered()
        self._group(group)
        for kept in self.memory.summaries:
            if (kept.group, kept.period) == (group, month):
                return kept.summary
        raise Denied(refusals.NO_SUCH_DATA)

    def pending_uploads(self) -> int:
        """Return how many invoices are not uploaded, of all types; asked by nobody on USB."""
        return len(self._pending(tuple(self._types), self.now()))

    def last_writes(self) -> tuple[WriteRecord, ...]:
        """Return the last eight writes, newest first, refused ones too."""
        self._need_open()
        return self.memory.writes

    def self_test(self) -> None:
        """Raises Denied where the device is broken or full."""
        self._need_open()
        if self.scenario.broken:
            raise Denied(refusals.HARDWARE)
        if not self._books.room(self.now()):
            raise Denied(refusals.MEMORY_FULL)

    # --- inside ---

    def _need_open(self) -> None:
        if not self._opened:
            raise Denied(refusals.NOT_OPEN)

    def _need_registered(self) -> None:
        self._need_open()
        if not (self.scenario.registered and self.scenario.registration_code):
            raise Denied(refusals.UNREGISTERED)
        self._need_clock()

    def _need_clock(self) -> None:
        if self.kept.battery is Battery.BROKEN:
            raise Denied(refusals.CLOCK_FAULT)

    def _type(self, invoice_type: str) -> tuple[TypeScenario, InvoiceBook]:
        self._need_registered()
        if invoice_type not in self._types:
            raise Denied(refusals.TYPE_UNKNOWN)
        return self._types[invoice_type], self._books.of(invoice_type)

    def _group(self, name: str) -> GroupMemory:
        group = self.memory.group(name)
        if group is None:
            raise Denied(refusals.GROUP_UNKNOWN)
        return group

    def _pending(self, types: tuple[str, ...], now: dt.datetime) -> Sequence[Invoice]:
        return self._books.pending(types, now, self.memory.uploaded_until)

    def _as_it_stands(self, invoice: Invoice) -> Invoice:
        return as_it_stands(invoice, self.memory.uploaded_until)


def well_formed(password: str) -> None:
    """Raise Denied where no device could take that as its password."""
    if not 1 <= len(password.encode()) <= PASSWORD_BYTES:
        raise Denied(refusals.PASSWORD_FORM)
