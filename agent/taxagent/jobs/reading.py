"""What the desk has read in a device's thread: an invoice, and what a person must see before confirming."""

from __future__ import annotations

import hashlib
import secrets as random_bytes

from taxagent.jobs.asks import Ask, FoundInvoice, InvoiceAsk, Prepared, Principal
from taxagent.jobs.device_views import view_of
from taxagent.jobs.finding import Wanted, find
from taxagent.jobs.office import Office
from taxagent.jobs.scoping import consequences_of, pinned
from taxagent.model.device import DeviceState
from taxagent.model.events import TokenIssued
from taxagent.model.job import Confirmed
from taxagent.ports import Device
from taxagent.procedures.guard import confirmed_by
from taxagent.procedures.preflight import foreseen, moment
from taxagent.procedures.session import greet, open_session, read_state
from taxagent.procedures.work import totals

_TOKEN_MS = 10 * 60_000


def found(office: Office, looked_for: Wanted, ask: InvoiceAsk, device: Device, location: str) -> FoundInvoice:
    """Look the invoice up; raises what opening and reading raise, and INVOICE_UNKNOWN."""
    state = _opened(office, device, ask.device_no)
    invoice = find(device, state, looked_for)
    device.close()
    office.mailbox.post(lambda: office.roster.took(location, state))
    return invoice


def _opened(office: Office, device: Device, device_no: str) -> DeviceState:
    hello = greet(device, device_no, simulation=office.simulation)
    open_session(device, hello, office.secrets, office.latch)
    return read_state(device, hello)


def prepared(office: Office, principal: Principal, ask: Ask, device: Device, location: str) -> Prepared:
    """Give a token for what the device shows; raises what opening and reading raise, and each shut window."""
    state = _opened(office, device, ask.device_no)
    scope = pinned(ask, state)
    at = moment(scope, state, office.clock.local(), office.rules, None, late=ask.late)
    warnings = foreseen(ask.kind, scope, at, state)
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
    office.journal.append(
        TokenIssued(
            token_sha256=hashlib.sha256(token.encode()).hexdigest(),
            principal=principal.name,
            kind=ask.kind,
            scope=scope,
            confirmed=confirmed,
            expires_ms=now + _TOKEN_MS,
            at_ms=now,
            sim_ms=office.clock.sim_ms(),
        )
    )
    office.mailbox.post(lambda: office.roster.took(location, state))
    return Prepared(
        token=token,
        expires_ms=now + _TOKEN_MS,
        kind=ask.kind,
        scope=scope,
        device=view_of(location, state, now),
        totals=sums,
        confirmed=confirmed,
        consequences=consequences_of(ask.kind, scope, state),
        warnings=warnings,
    )
