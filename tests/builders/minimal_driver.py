"""A second device driver, complete and in memory: what an integrator writes, without a device.

docs/drivers.md shows it. Registered as any driver: a factory that takes the text of `[usb] backend`, here
"memory" or "memory:2026-11-03T11:30" (the clock stands there). What it seals, the simulated bureau accepts.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from taxagent.model.device import (
    DeviceInfo,
    DeviceKind,
    Hello,
    MonitorData,
    SealOrder,
    Statistics,
    Stock,
    StockRange,
    WriteKind,
    WriteRecord,
)
from taxagent.model.errors import DeviceAbsent, DeviceInUse, DeviceRefused, PasswordRefused
from taxagent.model.invoice import Invoice
from taxagent.model.job import Problem
from taxagent.model.period import Period, first_day, last_day, period_of
from taxagent.model.stock import tallied
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.model.value import to_json
from taxagent.ports import Device, MayGoOn, Watch
from taxagent.simulator.sealing import ClearTicket, ClockTicket, SealError, Summary, sealed, unsealed
from tests.builders.minimal_hardware import (
    BLANKS,
    CODE,
    DEVICE_NO,
    INVOICES,
    PASSWORD,
    TAXPAYER_ID,
    Hardware,
    counted,
)

_DAY = dt.timedelta(days=1)


class MinimalDevice:
    """ports.Device."""

    def __init__(self, hardware: Hardware, may_go_on: MayGoOn) -> None:
        self.hw = hardware
        self.may_go_on = may_go_on
        self.given_back = False

    def hello(self) -> Hello:
        self._reach()
        self.hw.session, self.hw.opened = secrets.token_hex(8), False
        return Hello(
            device_no=DEVICE_NO,
            kind=DeviceKind.CONTROL_DISK,
            simulated=True,
            firmware="1.0",
            tries_left=self.hw.tries_left,
            session=self.hw.session,
        )

    def open(self, password: str) -> None:
        self._reach()
        if self.hw.tries_left == 0:
            raise DeviceRefused("PASSWORD_BLOCKED")
        if password != PASSWORD:
            self.hw.tries_left -= 1
            raise PasswordRefused(self.hw.tries_left)
        self.hw.opened = True

    def close(self) -> None:
        self.hw.opened = False

    def info(self) -> DeviceInfo:
        self._session()
        return DeviceInfo(
            device_no=DEVICE_NO,
            taxpayer_id=TAXPAYER_ID,
            taxpayer_name="济南明湖文具有限公司",
            terminal_no=0,
            registered=True,
            certificate_from=dt.date(2024, 3, 1),
            certificate_to=dt.date(2029, 2, 28),
        )

    def clock(self) -> dt.datetime:
        self._session()
        return self.hw.clock

    def monitor(self) -> tuple[MonitorData, ...]:
        self._session()
        begins = self.hw.last_report + _DAY
        row = MonitorData(
            invoice_type="007",
            group="007",
            invoicing_deadline=self.hw.deadline,
            report_from=begins,
            report_to=last_day(period_of(begins)),
            last_report=self.hw.last_report,
            single_limit=999_999,
            month_limit=50_000_000,
            month_limit_left=49_000_000,
            offline_hours=72,
            offline_hours_left=72,
            offline_amount=1_000_000,
            offline_amount_left=1_000_000,
            upload_deadline=None,
            pending_uploads=0,
            capacity_left=10_000,
        )
        return (row,)

    def stock(self, invoice_type: str) -> Stock:
        self._type(invoice_type)
        used = len(INVOICES)
        left = StockRange(code=CODE, number_from=f"{used + 1:08d}", count=BLANKS - used)
        return Stock(invoice_type=invoice_type, ranges=(left,))

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        listed = list(self.invoices(invoice_type, day_from, day_to))
        opening = BLANKS - sum(one.issued_at.date() < day_from for one in INVOICES)
        return counted(invoice_type, (day_from, day_to), opening, tallied(listed))

    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        self._type(invoice_type)
        return (one for one in INVOICES if day_from <= one.issued_at.date() <= day_to)

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        self._session()
        return next((one for one in INVOICES if (one.code, one.number) == (code, number)), None)

    def seal(self, order: SealOrder) -> None:
        hw, before = self._writable(), self.hw.last_report
        if order.period_to <= before:
            self.hw.refuse(WriteKind.SEAL, self.seal_sha256(order), before, "ALREADY_SEALED")
        if order.expected_last_report != before:
            self.hw.refuse(WriteKind.SEAL, self.seal_sha256(order), before, "CAS_FAILED")
        if order.period_from != before + _DAY or order.period_to >= first_day(period_of(hw.clock)):
            self.hw.refuse(WriteKind.SEAL, self.seal_sha256(order), before, "PERIOD_NOT_ENDED")
        hw.last_report = order.period_to
        month = period_of(order.period_to)
        hw.summaries[month] = sealed(
            Summary(
                device_no=DEVICE_NO,
                kind=DeviceKind.CONTROL_DISK,
                taxpayer_id=TAXPAYER_ID,
                group=order.group,
                period=month,
                statistics=(self.statistics("007", order.period_from, order.period_to),),
            )
        )
        self.hw.remember(WriteKind.SEAL, self.seal_sha256(order), before, order.period_to)

    def read_summary(self, group: str, month: Period) -> bytes:
        self._type(group)
        if month not in self.hw.summaries:
            raise DeviceRefused("NO_SUCH_DATA")
        return self.hw.summaries[month]

    def apply_clock_ticket(self, ticket: bytes) -> None:
        hw, sha256, day = self._writable(), self.clock_ticket_sha256(ticket), self.hw.clock.date()
        try:
            hw.let_in = unsealed(ticket, ClockTicket).ticket_no
        except SealError:
            self.hw.refuse(WriteKind.CLOCK_TICKET, sha256, day, "TICKET_REJECTED")
        self.hw.remember(WriteKind.CLOCK_TICKET, sha256, day, day)

    def apply_ticket(self, ticket: bytes, expected_deadline: dt.date) -> None:
        hw, sha256, before = (
            self._writable(),
            self.ticket_sha256(ticket, expected_deadline),
            self.hw.deadline,
        )
        try:
            clear = unsealed(ticket, ClearTicket)
        except SealError:
            self.hw.refuse(WriteKind.APPLY_TICKET, sha256, before, "TICKET_REJECTED")
        if before >= clear.deadline:
            self.hw.refuse(WriteKind.APPLY_TICKET, sha256, before, "ALREADY_CLEARED")
        if before != expected_deadline:
            self.hw.refuse(WriteKind.APPLY_TICKET, sha256, before, "CAS_FAILED")
        if hw.let_in != clear.ticket_no:
            self.hw.refuse(WriteKind.APPLY_TICKET, sha256, before, "CLOCK_TICKET_MISSING")
        hw.deadline = clear.deadline
        self.hw.remember(WriteKind.APPLY_TICKET, sha256, before, hw.deadline)

    def seal_sha256(self, order: SealOrder) -> str:
        return hashlib.sha256(b"seal" + to_json(order)).hexdigest()

    def clock_ticket_sha256(self, ticket: bytes) -> str:
        return hashlib.sha256(b"clock" + ticket).hexdigest()

    def ticket_sha256(self, ticket: bytes, expected_deadline: dt.date) -> str:
        return hashlib.sha256(f"ticket {expected_deadline} ".encode() + ticket).hexdigest()

    def last_writes(self) -> tuple[WriteRecord, ...]:
        self._session()
        return self.hw.writes[:8]

    def self_test(self) -> None:
        self._session()

    # ---- inside

    def _reach(self) -> None:
        self.may_go_on()
        if self.given_back or not self.hw.plugged:
            raise DeviceAbsent("DEVICE_ABSENT", device_no=DEVICE_NO)

    def _session(self) -> None:
        self._reach()
        if not self.hw.opened:
            raise DeviceAbsent("SESSION_UNKNOWN")

    def _writable(self) -> Hardware:
        self._session()
        return self.hw

    def _type(self, invoice_type: str) -> None:
        self._session()
        if invoice_type != "007":
            raise DeviceRefused("TYPE_UNKNOWN", invoice_type=invoice_type)


class MinimalSource:
    """ports.DeviceSource."""

    device_class: type[MinimalDevice] = MinimalDevice

    def __init__(self, hardware: Hardware) -> None:
        self.hw = hardware

    def seen(self) -> tuple[SeenDevice, ...]:
        if not self.hw.plugged:
            return ()
        one = SeenDevice(
            location=f"memory:0#{self.hw.arrival}",
            vendor_id=0x1209,
            product_id=0x0001,
            recognised=Recognised.PROFILE,
            name="in memory",
        )
        return (one,)

    def trouble(self) -> Problem | None:
        return None

    def watch(self, on_change: Callable[[], None]) -> Watch:
        return MinimalWatch(self.hw, on_change)

    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        if location not in [one.location for one in self.seen()]:
            raise DeviceAbsent("DEVICE_ABSENT", location=location)
        if self.hw.held:
            raise DeviceInUse("DEVICE_IN_USE", location=location)
        self.hw.held = True
        device = self.device_class(self.hw, may_go_on)
        try:
            yield device
        finally:
            self.hw.held, device.given_back = False, True


class MinimalWatch:
    """ports.Watch."""

    def __init__(self, hardware: Hardware, on_change: Callable[[], None]) -> None:
        self.hw, self.on_change = hardware, on_change
        hardware.watchers.append(on_change)

    def stop(self) -> None:
        if self.on_change in self.hw.watchers:
            self.hw.watchers.remove(self.on_change)


_DESK: dict[str, Hardware] = {}


def driver(backend: str) -> MinimalSource:
    """Return the source over the one thing that `backend` names (entry point `taxagent.devices`)."""
    name, _, clock = backend.partition(":")
    if name != "memory":
        raise ValueError(f"{backend!r}: write memory, or memory:YYYY-MM-DDTHH:MM")
    if backend not in _DESK:
        _DESK[backend] = Hardware(dt.datetime.fromisoformat(clock)) if clock else Hardware()
    return MinimalSource(_DESK[backend])
