"""Checks of the invoices that a device lists, against each other and against its statistics."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter

from taxagent.device.contract.bench import Bench
from taxagent.device.contract.verdict import NotTried, demand, instance, ruled, same
from taxagent.model.device import Statistics
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.stock import sums_difference, tallied
from taxagent.ports import Device

_SIGN = {InvoiceMark.NEGATIVE: -1, InvoiceMark.NEGATIVE_VOIDED: -1, InvoiceMark.BLANK_VOIDED: 0}
_SAMPLES = 5


def invoices_are_described(bench: Bench) -> str:
    """Each invoice is of the type and the days that were asked, its sums signed by its mark."""
    seen = 0
    for kind, (day_from, day_to), _, invoices in _listed(bench):
        for one in invoices:
            instance("invoices()[]", one, Invoice)
            same("invoice_type", kind, one.invoice_type)
            name = f"{one.code} {one.number}"
            coded = re.fullmatch(r"([0-9]{10}|[0-9]{12}) [0-9]{8}", name)
            ruled("code, number", name, "[0-9]{10|12} [0-9]{8}", kept=coded)
            instance("issued_at", one.issued_at, dt.datetime)
            ruled("issued_at.tzinfo", one.issued_at.tzinfo, "None", kept=one.issued_at.tzinfo is None)
            within = day_from <= one.issued_at.date() <= day_to
            ruled("issued_at", one.issued_at, f"{day_from}..{day_to}", kept=within)
            for money in (one.amount, one.tax):
                instance("amount, tax", money, int)
                ruled(f"amount, tax ({one.mark})", money, "sign of the mark", kept=_signed(one.mark, money))
            seen += 1
    return f"invoices={seen}"


def invoices_come_once(bench: Bench) -> str:
    """Paging yields each invoice once, and the same list in the same order when asked again."""
    with bench.opened() as device:
        for kind, days in _asked(bench, device):
            first = list(device.invoices(kind, *days))
            keys = [(one.code, one.number) for one in first]
            twice = [" ".join(key) for key, count in Counter(keys).items() if count > 1]
            demand(not twice, "invoice_twice", invoices=", ".join(twice[:3]))
            demand(first == list(device.invoices(kind, *days)), "list_changes", invoice_type=kind)
    return ""


def invoices_are_all_there(bench: Bench) -> str:
    """Counts and sums of the listed invoices, by mark, are those of the statistics."""
    for kind, _, statistics, invoices in _listed(bench):
        wrong = sums_difference(statistics, tallied(invoices))
        demand(not wrong, "sums_differ", invoice_type=kind, differences="; ".join(map(str, wrong[:4])))
    return ""


def interval_is_closed(bench: Bench) -> str:
    """The first and the last day belong to what is asked; a day has its own invoices and no others."""
    tried = 0
    with bench.opened() as device:
        for kind, days in _asked(bench, device):
            whole = list(device.invoices(kind, *days))
            for day in {one.issued_at.date() for one in (*whole[:1], *whole[-1:])}:
                own = [one for one in whole if one.issued_at.date() == day]
                found = list(device.invoices(kind, day, day))
                same(f"invoices of {day} ({kind})", _names(own), _names(found))
                tried += 1
    if not tried:
        raise NotTried("no_invoices")
    return f"days={tried}"


def list_may_be_left(bench: Bench) -> str:
    """A list that is not read to its end leaves the device usable; other reads may come between its pages."""
    with bench.opened() as device:
        for kind, days in _asked(bench, device):
            whole = _names(list(device.invoices(kind, *days)))
            left = device.invoices(kind, *days)
            next(left, None)
            device.clock()
            found: list[Invoice] = []
            for one in device.invoices(kind, *days):
                if not found:
                    device.monitor()
                found.append(one)
            same(f"invoices ({kind})", whole, _names(found))
            del left
    return ""


def invoices_are_found(bench: Bench) -> str:
    """find_invoice() finds what is listed, as it is listed, and None for a number that is not there."""
    tried = 0
    with bench.opened() as device:
        for kind, days in _asked(bench, device):
            whole = list(device.invoices(kind, *days))
            for one in whole[:: max(1, len(whole) // _SAMPLES)]:
                same(
                    f"find_invoice({one.code}, {one.number})", one, device.find_invoice(one.code, one.number)
                )
                tried += 1
        same("find_invoice(000000000000, 00000000)", None, device.find_invoice("0" * 12, "0" * 8))
    return f"found={tried}"


def _signed(mark: InvoiceMark, money: int) -> bool:
    sign = _SIGN.get(mark, 1)
    return money == 0 or money * sign > 0


def _names(invoices: list[Invoice]) -> list[str]:
    return [f"{one.code} {one.number}" for one in invoices]


def _asked(bench: Bench, device: Device) -> list[tuple[str, tuple[dt.date, dt.date]]]:
    """Return each type with the days of the month before the device's, and with those of its own month."""
    clock = device.clock()
    spans = [bench.days(month, clock) for month in bench.months(clock)]
    return [(row.invoice_type, days) for row in device.monitor() for days in spans]


def _listed(bench: Bench) -> list[tuple[str, tuple[dt.date, dt.date], Statistics, list[Invoice]]]:
    with bench.opened() as device:
        return [
            (kind, days, device.statistics(kind, *days), list(device.invoices(kind, *days)))
            for kind, days in _asked(bench, device)
        ]
