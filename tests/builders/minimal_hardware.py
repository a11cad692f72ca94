"""The thing that the minimal driver drives: a control_disk in memory, its invoices and what it remembers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NoReturn

from taxagent.model.device import Statistics, WriteKind, WriteRecord
from taxagent.model.errors import DeviceRefused
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.period import Period
from taxagent.model.stock import Tally

DEVICE_NO, TAXPAYER_ID, PASSWORD, CODE = "661700000037", "91370102MA3CXK7T44", "12345678", "3700221320"
BLANKS = 100  # of CODE, from number 1 on
M = InvoiceMark


def _invoice(number: int, month: int, day: int, mark: M = M.POSITIVE) -> Invoice:
    amount = {M.NEGATIVE: -100_00, M.BLANK_VOIDED: 0}.get(mark, 100_00)
    return Invoice(
        invoice_type="007",
        code=CODE,
        number=f"{number:08d}",
        issued_at=dt.datetime(2026, month, day, 10, 0),
        mark=mark,
        amount=amount,
        tax=amount * 13 // 100,
        buyer="个人",
        uploaded=True,
    )


INVOICES = (
    _invoice(1, 9, 30),
    _invoice(2, 10, 1),
    _invoice(3, 10, 9, M.POSITIVE_VOIDED),
    _invoice(4, 10, 15, M.NEGATIVE),
    _invoice(5, 10, 16, M.BLANK_VOIDED),
    _invoice(6, 10, 31),
    _invoice(7, 11, 2),
)


class Hardware:
    """The thing on the desk: it outlives sources and sessions, and one hold at a time has it."""

    def __init__(self, clock: dt.datetime = dt.datetime(2026, 11, 3, 11, 30)) -> None:
        self.clock = clock
        self.plugged, self.arrival, self.held = True, 1, False
        self.watchers: list[Callable[[], None]] = []
        self.tries_left, self.session, self.opened = 5, "", False
        self.last_report, self.deadline = dt.date(2026, 9, 30), dt.date(2026, 11, 16)
        self.summaries: dict[Period, bytes] = {}
        self.writes: tuple[WriteRecord, ...] = ()
        self.let_in = ""  # the clear ticket that the clock ticket came with

    def plug(self, *, into: bool) -> None:
        """Plug in, or unplug."""
        self.arrival += into
        self.plugged, self.session, self.opened = into, "", False
        for call in tuple(self.watchers):
            call()

    def remember(
        self, kind: WriteKind, sha256: str, before: dt.date, after: dt.date, *, accepted: bool = True
    ) -> None:
        """Store a write before it is answered."""
        number = len(self.writes) + 1
        write = WriteRecord(
            write_no=number,
            kind=kind,
            payload_sha256=sha256,
            session=self.session,
            sequence=number,
            accepted=accepted,
            before=before,
            after=after,
        )
        self.writes = (write, *self.writes)

    def refuse(self, kind: WriteKind, sha256: str, standing: dt.date, fault: str) -> NoReturn:
        """Store a write as refused, and say no."""
        self.remember(kind, sha256, standing, standing, accepted=False)
        raise DeviceRefused(fault)


def counted(invoice_type: str, days: tuple[dt.date, dt.date], opening: int, tally: Tally) -> Statistics:
    """Return the statistics that a tally makes."""
    sums = {f"{mark}_amount": tally.amounts[mark] for mark in M if mark is not M.BLANK_VOIDED}
    sums |= {f"{mark}_tax": tally.taxes[mark] for mark in M if mark is not M.BLANK_VOIDED}
    counts = {mark.value: tally.counts[mark] for mark in M}
    return Statistics(
        invoice_type=invoice_type,
        date_from=days[0],
        date_to=days[1],
        opening=opening,
        bought=0,
        returned=0,
        closing=opening - sum(counts.values()),
        **counts,
        **sums,
    )
