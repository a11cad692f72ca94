"""Checks of what an opened device tells of itself: owner, clock, monitor data, statistics, stock."""

from __future__ import annotations

import datetime as dt
import re

from taxagent.device.contract.bench import Bench
from taxagent.device.contract.verdict import NotKept, NotTried, demand, instance, ruled, same
from taxagent.model import taxpayer
from taxagent.model.device import DeviceInfo, MonitorData, Statistics, Stock
from taxagent.model.errors import DeviceRefused
from taxagent.model.invoice import INVOICE_TYPES, InvoiceMark
from taxagent.model.period_state import reported_until
from taxagent.model.stock import stock_difference
from taxagent.ports import Device

_MOST_TYPES = 8
_LEFT_OF = (
    ("month_limit_left", "month_limit"),
    ("offline_hours_left", "offline_hours"),
    ("offline_amount_left", "offline_amount"),
)
_COUNTS = ("opening", "bought", "returned", "closing", *(mark.value for mark in InvoiceMark))
_SUMS = tuple(
    f"{mark.value}_{sum_}"
    for mark in InvoiceMark
    if mark is not InvoiceMark.BLANK_VOIDED
    for sum_ in ("amount", "tax")
)
_NO_TYPE = "999"


def info_agrees(bench: Bench) -> str:
    """info() names the device that said HELLO, a taxpayer whose id is well-formed, a certificate's days."""
    with bench.opened() as device:
        info = device.info()
    instance("info()", info, DeviceInfo)
    same("info().device_no", bench.hello.device_no, info.device_no)
    try:
        taxpayer.taxpayer_id(info.taxpayer_id)
    except ValueError as error:
        raise NotKept("malformed", what="taxpayer_id", found=info.taxpayer_id, rule=error) from error
    ruled("terminal_no", info.terminal_no, ">= 0", kept=info.terminal_no >= 0)
    days = (info.certificate_from, info.certificate_to)
    for day in days:
        instance("certificate_from, certificate_to", day, dt.date)
    ruled("certificate", f"{days[0]}..{days[1]}", "from <= to", kept=days[0] <= days[1])
    return f"taxpayer_id={info.taxpayer_id}"


def clock_is_naive(bench: Bench) -> str:
    """clock() is the device's own wall clock: a datetime without a zone, to the second, never going back."""
    with bench.opened() as device:
        first, second = device.clock(), device.clock()
    instance("clock()", first, dt.datetime)
    ruled("clock().tzinfo", first.tzinfo, "None", kept=first.tzinfo is None)
    ruled("clock()", f"{first}, {second}", "first <= second", kept=first <= second)
    return f"clock={first.isoformat()}"


def monitor_is_described(bench: Bench) -> str:
    """monitor() has one row for each invoice type of the device, at most 8, of known types."""
    rows = _monitor(bench)
    instance("monitor()", rows, tuple)
    ruled("monitor()", len(rows), "1..8 rows", kept=1 <= len(rows) <= _MOST_TYPES)
    for row in rows:
        instance("monitor()[]", row, MonitorData)
        ruled(
            "invoice_type", row.invoice_type, "/".join(INVOICE_TYPES), kept=row.invoice_type in INVOICE_TYPES
        )
    types = [row.invoice_type for row in rows]
    ruled("invoice_type", types, "all different", kept=len(set(types)) == len(types))
    return f"types={','.join(types)}"


def groups_hang_together(bench: Bench) -> str:
    """A group is short ASCII, its types joined by "+"; its rows have the same last_report and deadline."""
    dates: dict[str, tuple[dt.date, dt.date]] = {}
    for row in _monitor(bench):
        named = re.fullmatch(r"[0-9]{3}(\+[0-9]{3}){0,7}", row.group)
        ruled("group", row.group, "nnn[+nnn]*", kept=named and row.invoice_type in row.group.split("+"))
        same(
            f"last_report, invoicing_deadline ({row.group})",
            dates.setdefault(row.group, (row.last_report, row.invoicing_deadline)),
            (row.last_report, row.invoicing_deadline),
        )
    return f"groups={','.join(dates)}"


def dates_are_ordered(bench: Bench) -> str:
    """Per type: nothing is reported that has not happened; the days to report begin where it ended."""
    with bench.opened() as device:
        clock, rows = device.clock(), device.monitor()
    for row in rows:
        where = f" ({row.invoice_type})"
        for name in ("invoicing_deadline", "report_from", "report_to", "last_report"):
            instance(name, getattr(row, name), dt.date)
        if row.upload_deadline is not None:
            instance("upload_deadline", row.upload_deadline, dt.date)
        days = f"{row.report_from}..{row.report_to}"
        ruled("report_from..report_to" + where, days, "from <= to", kept=row.report_from <= row.report_to)
        ruled(
            "last_report" + where, row.last_report, f"<= {clock.date()}", kept=row.last_report <= clock.date()
        )
        deadline = row.invoicing_deadline
        ruled("invoicing_deadline" + where, deadline, "> last_report", kept=deadline > row.last_report)
        same("report_from" + where, reported_until(row, bench.quirks), row.report_from)
    return ""


def limits_are_possible(bench: Bench) -> str:
    """Limits are whole numbers of fen, hours and invoices; what is left is within them."""
    for row in _monitor(bench):
        for name in (
            "single_limit",
            "pending_uploads",
            "capacity_left",
            *(n for pair in _LEFT_OF for n in pair),
        ):
            number = getattr(row, name)
            instance(name, number, int)
            ruled(f"{name} ({row.invoice_type})", number, ">= 0", kept=number >= 0)
        for left, limit in _LEFT_OF:
            ruled(left, getattr(row, left), f"<= {limit}", kept=getattr(row, left) <= getattr(row, limit))
    return ""


def statistics_are_described(bench: Bench) -> str:
    """statistics() answers for the type and the days that were asked: counts, and sums with their sign."""
    read = 0
    for kind, (day_from, day_to), row in _statistics(bench):
        instance("statistics()", row, Statistics)
        same("invoice_type, date_from, date_to", (kind, day_from, day_to), _asked(row))
        for name in _COUNTS:
            instance(name, getattr(row, name), int)
            ruled(name, getattr(row, name), ">= 0", kept=getattr(row, name) >= 0)
        for name in _SUMS:
            instance(name, getattr(row, name), int)
            red = name.startswith("negative")
            kept = getattr(row, name) <= 0 if red else getattr(row, name) >= 0
            ruled(name, getattr(row, name), "<= 0" if red else ">= 0", kept=kept)
        read += 1
    return f"statistics={read}"


def stock_identity_holds(bench: Bench) -> str:
    """Of each type and month: closing = opening + bought - returned - all that were used."""
    for _, _, row in _statistics(bench):
        wrong = stock_difference(row)
        demand(
            not wrong, "sums_differ", invoice_type=row.invoice_type, differences="; ".join(map(str, wrong))
        )
    return ""


def statistics_add_up(bench: Bench) -> str:
    """The parts of a month add up to the month: sums of both, opening of the first, closing of the last."""
    with bench.opened() as device:
        clock = device.clock()
        first, last = bench.days(bench.months(clock)[0], clock)
        middle = first.replace(day=15)
        for kind in _types(device):
            whole = device.statistics(kind, first, last)
            try:
                early = device.statistics(kind, first, middle)
                late = device.statistics(kind, middle + dt.timedelta(days=1), last)
            except DeviceRefused as refusal:
                bench.errors.append(refusal)
                raise NotTried("whole_months_alone", error=refusal) from refusal
            for name in (set(_COUNTS) | set(_SUMS)) - {"opening", "closing"}:
                same(f"{name} ({kind})", getattr(whole, name), getattr(early, name) + getattr(late, name))
            same("opening, closing", (whole.opening, whole.closing), (early.opening, late.closing))
            same("opening after the 15th", early.closing, late.opening)
    return ""


def stock_is_described(bench: Bench) -> str:
    """stock() has ranges of a 10 or 12 digit code, an 8 digit number and a count; no blank is there twice."""
    with bench.opened() as device:
        stocks = {kind: device.stock(kind) for kind in _types(device)}
    for kind, stock in stocks.items():
        instance("stock()", stock, Stock)
        same("invoice_type", kind, stock.invoice_type)
        ends: list[tuple[str, int, int]] = []
        for run in stock.ranges:
            coded = re.fullmatch(r"[0-9]{10}|[0-9]{12}", run.code) and re.fullmatch(
                r"[0-9]{8}", run.number_from
            )
            ruled("code, number_from", f"{run.code} {run.number_from}", "[0-9]{10|12} [0-9]{8}", kept=coded)
            ruled("count", run.count, ">= 1", kept=run.count >= 1)
            begin = int(run.number_from)
            twice = [
                end for end in ends if end[0] == run.code and begin < end[2] and end[1] < begin + run.count
            ]
            demand(not twice, "blank_twice", code=run.code, number=run.number_from)
            ends.append((run.code, begin, begin + run.count))
    return f"types={len(stocks)}"


def stock_is_the_closing_one(bench: Bench) -> str:
    """The blanks in stock() are as many as this month's statistics end with."""
    with bench.opened() as device:
        clock = device.clock()
        for kind in _types(device):
            closing = device.statistics(kind, *bench.days(bench.months(clock)[1], clock)).closing
            same(f"stock ({kind})", closing, sum(run.count for run in device.stock(kind).ranges))
    return ""


def unknown_type_is_refused(bench: Bench) -> str:
    """A type that the device does not have is DeviceRefused, not an empty answer."""
    with bench.opened() as device:
        bench.refusal(lambda: device.stock(_NO_TYPE), f"stock({_NO_TYPE!r})", DeviceRefused)
        day = device.clock().date()
        call = f"statistics({_NO_TYPE!r})"
        bench.refusal(lambda: device.statistics(_NO_TYPE, day, day), call, DeviceRefused)
    return ""


def self_test_is_plain(bench: Bench) -> str:
    """self_test() returns None, or raises DeviceRefused where the device is broken or full."""
    with bench.opened() as device:
        try:
            instance("self_test()", device.self_test(), type(None))  # type: ignore[func-returns-value]
        except DeviceRefused as refusal:
            bench.errors.append(refusal)
            return f"fault={refusal.fault}"
    return ""


def _asked(row: Statistics) -> tuple[str, dt.date, dt.date]:
    return (row.invoice_type, row.date_from, row.date_to)


def _monitor(bench: Bench) -> tuple[MonitorData, ...]:
    with bench.opened() as device:
        return device.monitor()


def _types(device: Device) -> tuple[str, ...]:
    return tuple(row.invoice_type for row in device.monitor())


def _statistics(bench: Bench) -> list[tuple[str, tuple[dt.date, dt.date], Statistics]]:
    with bench.opened() as device:
        clock = device.clock()
        return [
            (kind, days, device.statistics(kind, *days))
            for kind in _types(device)
            for days in (bench.days(month, clock) for month in bench.months(clock))
        ]
