"""When a simulated device seals and clears: pure functions from its memory to the next one, by its kind.

Knows no disk, no session and no wire; each function raises Denied or returns what the group becomes.
"""

from __future__ import annotations

import datetime as dt
import hashlib

import msgspec

from taxagent.device import refusals
from taxagent.device.refusals import Refused
from taxagent.model.device import Quirks, SealOrder
from taxagent.model.period import first_day, last_day, period_of
from taxagent.simulator.denial import Denied
from taxagent.simulator.kinds import first_unreported, last_report_of
from taxagent.simulator.sealing import ClearTicket, ClockTicket, SealError, unsealed
from taxagent.simulator.state import TICKETS_KEPT, GroupMemory, Memory, Settling

DAY_BEGINS = dt.time(0, 5)  # nothing is sealed or cleared before it, by the device's clock
OVERDUE_DAYS = 90


def after_seal(
    group: GroupMemory,
    order: SealOrder,
    now: dt.datetime,
    quirks: Quirks,
    *,
    pending: Refused | None,
    settles_ms: int = 0,
    certified: bool = True,
) -> GroupMemory:
    """Return the group after the seal: the oldest closed month only, and only from the expected state.

    It shows only `settles_ms` later, by the device's clock. `pending` is the refusal where invoices still
    wait for their upload.
    """
    begins = first_unreported(group.last_report, quirks)
    if now.time() < DAY_BEGINS:
        raise Denied(refusals.TOO_EARLY)
    if order.period_to < begins:
        raise Denied(refusals.ALREADY_SEALED)
    if order.expected_last_report != group.last_report:
        raise Denied(refusals.CAS_FAILED)
    if group.settles(now):
        raise Denied(refusals.SETTLING)
    if (now.date() - begins).days > OVERDUE_DAYS:
        raise Denied(refusals.OVERDUE)
    if not certified:
        raise Denied(refusals.CERTIFICATE_OVER)
    _must_be_the_oldest_closed_month(order, begins, now)
    if pending is not None:
        raise Denied(pending)
    settling = None
    if settles_ms:
        until = now + dt.timedelta(milliseconds=settles_ms)
        settling = Settling(since=now, until=until, shown=group.last_report)
    last_report = last_report_of(period_of(order.period_to), quirks)
    return msgspec.structs.replace(group, last_report=last_report, settling=settling)


def _must_be_the_oldest_closed_month(order: SealOrder, begins: dt.date, now: dt.datetime) -> None:
    if order.period_from != begins or order.period_to != last_day(period_of(order.period_from)):
        raise Denied(refusals.OUT_OF_ORDER)
    if order.period_to >= first_day(period_of(now.date())):
        raise Denied(refusals.PERIOD_NOT_ENDED)


def after_clock_ticket(memory: Memory, data: bytes, now: dt.datetime) -> Memory:
    """Return the memory after the clock ticket: it lets its clear ticket in, and mends a clock that is slow.

    The clock never goes back: a ticket fetched at 23:59 and written at 00:01 must not turn the month back.
    """
    ticket = _genuine_clock_ticket(memory, data)
    digest = hashlib.sha256(data).hexdigest()
    if digest in memory.clock_tickets:
        raise Denied(refusals.CLOCK_TICKET_ALREADY)
    if ticket.serial <= memory.clock_serial:
        raise Denied(refusals.TICKET_STALE)
    behind_ms = max(0, (ticket.clock - now) // dt.timedelta(milliseconds=1))
    return msgspec.structs.replace(
        memory,
        clock_offset_ms=memory.clock_offset_ms + behind_ms,
        let_in=(ticket.ticket_no, *memory.let_in)[:TICKETS_KEPT],
        clock_serial=ticket.serial,
        clock_tickets=(digest, *memory.clock_tickets)[:TICKETS_KEPT],
    )


def after_clear(
    memory: Memory,
    ticket: ClearTicket,
    data: bytes,
    expected_deadline: dt.date,
    now: dt.datetime,
    quirks: Quirks,
    *,
    pending: Refused | None,
) -> GroupMemory:
    """Return the ticket's group after the clear: its deadline is the ticket's, nothing else changes."""
    group = memory.group(ticket.group)
    if ticket.device_no != memory.device_no or group is None:
        raise Denied(refusals.TICKET_FOREIGN)
    digest = hashlib.sha256(data).hexdigest()
    if digest in group.applied or group.invoicing_deadline >= ticket.deadline:
        raise Denied(refusals.ALREADY_CLEARED)
    if group.invoicing_deadline != expected_deadline:
        raise Denied(refusals.CAS_FAILED)
    if now.time() < DAY_BEGINS:
        raise Denied(refusals.TOO_EARLY)
    if ticket.serial <= group.ticket_serial:
        raise Denied(refusals.TICKET_STALE)
    if quirks.clock_ticket_first and ticket.ticket_no not in memory.let_in:
        raise Denied(refusals.CLOCK_TICKET_MISSING)
    if group.settles(now):
        raise Denied(refusals.SETTLING)
    if first_unreported(group.last_report, quirks) <= last_day(ticket.period):
        raise Denied(refusals.NOT_REPORTED)
    if pending is not None:
        raise Denied(pending)
    return msgspec.structs.replace(
        group,
        invoicing_deadline=ticket.deadline,
        ticket_serial=ticket.serial,
        applied=(digest, *group.applied)[:TICKETS_KEPT],
    )


def genuine_clear_ticket(data: bytes) -> ClearTicket:
    """Return the clear ticket in `data`. Raises Denied where the bureau did not sign it."""
    try:
        return unsealed(data, ClearTicket)
    except SealError as error:
        raise Denied(refusals.TICKET_FORGED) from error


def group_of(data: bytes) -> str:
    """Return the group that a clear ticket names, "" where it is none."""
    try:
        return unsealed(data, ClearTicket).group
    except SealError:
        return ""


def _genuine_clock_ticket(memory: Memory, data: bytes) -> ClockTicket:
    try:
        ticket = unsealed(data, ClockTicket)
    except SealError as error:
        raise Denied(refusals.TICKET_FORGED) from error
    if ticket.device_no != memory.device_no:
        raise Denied(refusals.TICKET_FOREIGN)
    return ticket
