"""Drivers with a defect in what they answer, and in what they write."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from taxagent.model.device import (
    DeviceInfo,
    Hello,
    MonitorData,
    SealOrder,
    Statistics,
    Stock,
    WriteKind,
    WriteRecord,
)
from taxagent.model.errors import DeviceAbsent, DeviceRefused
from taxagent.model.invoice import Invoice
from taxagent.model.period import Period
from taxagent.ports import Watch
from tests.builders.broken import broken_device, broken_source, changed
from tests.builders.minimal_driver import MinimalDevice, MinimalSource
from tests.builders.minimal_hardware import INVOICES

# ---- what it tells of itself


@broken_device("info-agrees")
class OfAnother(MinimalDevice):
    def info(self) -> DeviceInfo:
        return changed(super().info(), device_no="661700000038")  # type: ignore[no-any-return]


@broken_device("clock-is-naive")
class ClockWithAZone(MinimalDevice):
    def clock(self) -> dt.datetime:
        return super().clock().replace(tzinfo=dt.UTC)


class _Row(MinimalDevice):
    changes: dict[str, Any] = {}

    def monitor(self) -> tuple[MonitorData, ...]:
        return tuple(changed(row, **self.changes) for row in super().monitor())


@broken_device("monitor-is-described")
class RowTwice(MinimalDevice):
    def monitor(self) -> tuple[MonitorData, ...]:
        return super().monitor() * 2


@broken_device("groups-hang-together")
class GroupOfItsOwn(_Row):
    changes = {"group": "all types"}

    def read_summary(self, group: str, month: Period) -> bytes:
        return super().read_summary("007", month)


@broken_device("dates-are-ordered")
class ReportFromTheMiddle(_Row):
    changes = {"report_from": dt.date(2026, 10, 9)}


@broken_device("limits-are-possible")
class MoreLeftThanThereWas(_Row):
    changes = {"month_limit_left": 99_999_999_999}


class _Counts(MinimalDevice):
    changes: dict[str, Any] = {}

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        counted = super().statistics(invoice_type, day_from, day_to)
        return changed(counted, **self.changes)  # type: ignore[no-any-return]


@broken_device("statistics-are-described", "invoices-are-all-there", "statistics-add-up")
class RedIsPositive(_Counts):
    changes = {"negative_amount": 100_00}


@broken_device("stock-identity-holds", "statistics-add-up")
class BoughtIsForgotten(_Counts):
    changes = {"returned": 1}


@broken_device("statistics-add-up", "stock-is-the-closing-one")
class OpeningIsTheDays(MinimalDevice):
    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        counted = super().statistics(invoice_type, day_from, day_to)
        shift = day_from.day // 2 + day_from.month % 2
        return changed(  # type: ignore[no-any-return]
            counted, opening=counted.opening + shift, closing=counted.closing + shift
        )


@broken_device("stock-is-described")
class BlankTwice(MinimalDevice):
    def stock(self, invoice_type: str) -> Stock:
        (run,) = super().stock(invoice_type).ranges
        return Stock(
            invoice_type=invoice_type, ranges=(changed(run, count=run.count - 1), changed(run, count=1))
        )


@broken_device("stock-is-the-closing-one")
class BlankMissing(MinimalDevice):
    def stock(self, invoice_type: str) -> Stock:
        (run,) = super().stock(invoice_type).ranges
        return Stock(invoice_type=invoice_type, ranges=(changed(run, count=run.count - 1),))


@broken_device("unknown-type-is-refused")
class EmptyForAnything(MinimalDevice):
    def stock(self, invoice_type: str) -> Stock:
        if invoice_type != "007":
            self._session()
            return Stock(invoice_type=invoice_type, ranges=())
        return super().stock(invoice_type)


@broken_device("self-test-is-plain")
class SelfTestReturnsText(MinimalDevice):
    def self_test(self) -> None:
        return "good"  # type: ignore[return-value]


# ---- invoices


@broken_device("invoices-are-described", "statistics-are-described")
class RedWithoutSign(MinimalDevice):
    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        for one in super().invoices(invoice_type, day_from, day_to):
            yield changed(one, amount=abs(one.amount)) if one.mark == "negative" else one

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        found = super().find_invoice(code, number)
        return changed(found, amount=abs(found.amount)) if found else None


class _Listing(MinimalDevice):
    """Counts what is there, and lists something else."""

    counting = False

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        self.counting = True
        try:
            return super().statistics(invoice_type, day_from, day_to)
        finally:
            self.counting = False

    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        listed = super().invoices(invoice_type, day_from, day_to)
        return listed if self.counting else self.listed(list(listed))

    def listed(self, invoices: list[Invoice]) -> Iterator[Invoice]:
        raise NotImplementedError


@broken_device("invoices-come-once", "invoices-are-all-there")
class PageTwice(_Listing):
    def listed(self, invoices: list[Invoice]) -> Iterator[Invoice]:
        yield from invoices[:3]
        yield from invoices[2:]


@broken_device("invoices-are-all-there")
class LastPageMissing(_Listing):
    def listed(self, invoices: list[Invoice]) -> Iterator[Invoice]:
        yield from invoices[:4]


@broken_device("interval-is-closed")
class LastDayMissing(MinimalDevice):
    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        if day_from == day_to:
            day_to -= dt.timedelta(days=1)
        return super().invoices(invoice_type, day_from, day_to)


@broken_device("list-may-be-left")
class OneListAtATime(_Listing):
    page: int | None = None

    def listed(self, invoices: list[Invoice]) -> Iterator[Invoice]:
        begun, self.page = self.page or 0, 0
        for one in invoices[begun:]:
            self.page += 1
            yield one
        self.page = None


@broken_device("invoices-are-found")
class FindsTheFirst(MinimalDevice):
    def find_invoice(self, code: str, number: str) -> Invoice | None:
        self._session()
        return INVOICES[0]


# ---- writes


@broken_device("summary-is-a-pure-read", "seal-is-done-once")
class SummaryOfTheMoment(MinimalDevice):
    reads = 0

    def read_summary(self, group: str, month: Period) -> bytes:
        self._type(group)
        self.reads += 1
        return f"{month} {self.reads}".encode()


@broken_device("last-writes-are-ordered")
class OldestFirst(MinimalDevice):
    def last_writes(self) -> tuple[WriteRecord, ...]:
        return super().last_writes()[::-1]


@broken_device("reading-writes-nothing")
class LookIsAWrite(MinimalDevice):
    def find_invoice(self, code: str, number: str) -> Invoice | None:
        day = self.clock().date()
        self.hw.remember(WriteKind.CLOCK_TICKET, "00" * 32, day, day)
        return super().find_invoice(code, number)


@broken_source("watch-tells")
class DeafWatch(MinimalSource):
    def watch(self, on_change: Callable[[], None]) -> Watch:
        return super().watch(lambda: None)


@broken_device("absent-is-told")
class AbsentIsARefusal(MinimalDevice):
    def hello(self) -> Hello:
        try:
            return super().hello()
        except DeviceAbsent as absent:
            raise DeviceRefused("DEVICE_REFUSED") from absent


@broken_device("wrong-seal-is-refused")
class SealsWhateverIsExpected(MinimalDevice):
    def seal(self, order: SealOrder) -> None:
        super().seal(changed(order, expected_last_report=self.hw.last_report))


@broken_device("forged-ticket-is-refused")
class TakesAnyTicket(MinimalDevice):
    def apply_ticket(self, ticket: bytes, expected_deadline: dt.date) -> None:
        self._writable().deadline += dt.timedelta(days=30)


@broken_device("forged-clock-ticket-is-refused")
class TakesAnyClockTicket(MinimalDevice):
    def apply_clock_ticket(self, ticket: bytes) -> None:
        self._writable()


@broken_device("seal-is-done-once")
class SealMovesTheDeadline(MinimalDevice):
    def seal(self, order: SealOrder) -> None:
        super().seal(order)
        self.hw.deadline += dt.timedelta(days=31)


@broken_device("errors-are-of-the-catalogue")
class CodesOfItsOwn(MinimalDevice):
    def stock(self, invoice_type: str) -> Stock:
        try:
            return super().stock(invoice_type)
        except DeviceRefused:
            raise DeviceRefused("E_BAD_TYPE_7") from None
