"""What the desk has read in a device's thread: an invoice, and what a person must see before confirming."""

from __future__ import annotations

import hashlib
import secrets as random_bytes
from typing import Protocol

from taxagent.jobs.asks import Ask, FoundInvoice, InvoiceAsk, Prepared, Principal
from taxagent.jobs.device_views import view_of
from taxagent.jobs.fence import FencedJournal
from taxagent.jobs.finding import Wanted, find
from taxagent.jobs.office import Office
from taxagent.jobs.scoping import claims_of, consequences_of, pinned
from taxagent.model.device import DeviceState
from taxagent.model.errors import Refusal
from taxagent.model.events import TokenIssued
from taxagent.model.job import Confirmed, Problem
from taxagent.ports import Device, JournalTx
from taxagent.procedures.guard import confirmed_by
from taxagent.procedures.preflight import foreseen, moment
from taxagent.procedures.session import greet, open_session, read_state
from taxagent.procedures.work import totals

_TOKEN_MS = 10 * 60_000


class Place(Protocol):
    """The device's thread and where it stands, as a reading in it asks."""

    @property
    def location(self) -> str: ...

    def passed(self) -> None:
        """Raise Interrupted where the thread was given up: then nothing of the reading counts."""


def found(office: Office, looked_for: Wanted, ask: InvoiceAsk, device: Device, at: Place) -> FoundInvoice:
    """Look the invoice up; raises what opening and reading raise, and INVOICE_UNKNOWN."""
    state, read_ms = _opened(office, device, ask.device_no)
    invoice = find(device, state, looked_for)
    device.close()
    _show(office, at, state, read_ms)
    return invoice


def _show(office: Office, at: Place, state: DeviceState, read_ms: int) -> None:
    at.passed()
    office.mailbox.post(lambda: office.roster.took(at.location, state, read_ms))


def _opened(office: Office, device: Device, device_no: str) -> tuple[DeviceState, int]:
    """Return what the device shows, and when that was read (ms UTC)."""
    hello = greet(device, device_no, simulation=office.simulation)
    open_session(device, hello, office.secrets, office.latch)
    return read_state(device, hello), office.clock.utc_ms()


def prepared(office: Office, principal: Principal, ask: Ask, device: Device, at: Place) -> Prepared:
    """Give a token for what the device shows; raises what opening and reading raise, and each shut window."""
    state, read_ms = _opened(office, device, ask.device_no)
    scope = pinned(ask, state)
    now_there = moment(scope, state, office.clock.local(), office.rules, None, late=ask.late)
    warnings = foreseen(ask.kind, scope, now_there, state)
    sums = totals(device, scope.types, scope.periods)
    device.close()
    now = office.clock.utc_ms()
    confirmed = Confirmed(
        types=confirmed_by(state, scope.types, sums),
        by=principal.name,
        how="token",
        at_ms=now,
        device_clock=state.clock,
    )
    token = random_bytes.token_urlsafe(24)
    issued = TokenIssued(
        token_sha256=hashlib.sha256(token.encode()).hexdigest(),
        principal=principal.name,
        kind=ask.kind,
        scope=scope,
        confirmed=confirmed,
        expires_ms=now + _TOKEN_MS,
        at_ms=now,
        sim_ms=office.clock.sim_ms(),
    )
    under_way = FencedJournal(office.journal, at.passed).transact(lambda tx: _issue(tx, issued, state))
    _show(office, at, state, read_ms)
    return Prepared(
        token=token,
        expires_ms=now + _TOKEN_MS,
        kind=ask.kind,
        scope=scope,
        device=view_of(at.location, state, read_ms),
        totals=sums,
        confirmed=confirmed,
        consequences=consequences_of(ask.kind, scope, state),
        warnings=(*under_way, *warnings),
    )


def _issue(tx: JournalTx, token: TokenIssued, state: DeviceState) -> tuple[Problem, ...]:
    """Store the token; return the live job, if any, that would keep what it confirms from being accepted."""
    tx.append(token)
    for group, month in claims_of(token.kind, token.scope, state):
        holder = tx.claimed_by(token.scope.device_no, group, month)
        if holder is not None:
            return (Refusal("JOB_IN_PROGRESS", job_id=holder, group=group, period=month).problem(),)
    return ()
