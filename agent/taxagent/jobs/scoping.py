"""What exactly is asked for: types and periods pinned to what the device shows. Pure."""

from __future__ import annotations

import datetime as dt
import functools

import msgspec

from taxagent.jobs.asks import Ask, DeviceView
from taxagent.model.device import QUIRKS, DeviceState, Quirks
from taxagent.model.errors import Refusal
from taxagent.model.job import JobKind, Scope
from taxagent.model.period import Period, period, period_of, plus
from taxagent.model.period_state import PeriodState, due_periods, period_state


def pinned(ask: Ask, state: DeviceState) -> Scope:
    """Return the ask's scope: all types where none is named, all that is due where no period is.

    Types that report together are sealed and cleared together: who names one of a group means the group.

    Where nothing is due, the last closed month is meant, so that "already done" can be shown and recorded.
    Raises Refusal with TAXPAYER_WRONG, TYPE_UNKNOWN, BAD_REQUEST, PERIOD_NOT_ENDED or OLDER_PERIOD_DUE.
    """
    taxpayer = state.info.taxpayer_id
    if ask.taxpayer_id and ask.taxpayer_id != taxpayer:
        raise Refusal("TAXPAYER_WRONG", expected=ask.taxpayer_id, found=taxpayer)
    types = _types(ask, state)
    due = due_of(state, types)
    last_closed = plus(period_of(state.clock.date()), -1)
    periods = _periods(ask) or due or (last_closed,)
    if periods[-1] > last_closed:
        raise Refusal("PERIOD_NOT_ENDED", period=periods[-1])
    older = [month for month in due if month < periods[-1] and month not in periods]
    if older and ask.kind.irreversible:
        raise Refusal("OLDER_PERIOD_DUE", periods=", ".join(older))
    return Scope(device_no=ask.device_no, taxpayer_id=taxpayer, types=types, periods=periods)


@functools.lru_cache(64)  # a snapshot serves many requests
def due_of(state: DeviceState, types: tuple[str, ...]) -> tuple[Period, ...]:
    """Return the closed months that are not settled for one of `types`, oldest first."""
    quirks = _quirks(state)
    months = {
        month
        for row in state.monitor
        if row.invoice_type in types
        for month in due_periods(state.clock, row, quirks)
    }
    return tuple(sorted(months))


def claims_of(kind: JobKind, scope: Scope, state: DeviceState) -> tuple[tuple[str, str], ...]:
    """Return the (group, period) pairs that only one live job may have; none for a kind that only reads."""
    if not kind.irreversible:
        return ()
    groups = dict.fromkeys(row.group for row in state.monitor if row.invoice_type in scope.types)
    return tuple((group, month) for group in groups for month in scope.periods)


def consequences_of(kind: JobKind, scope: Scope, state: DeviceState) -> tuple[str, ...]:
    """Return what will be done, as codes in the order of the work.

    SEAL:<group>:<month> and SUBMIT:<group>:<month> for what the device does not show as done, and
    CLEAR:<group>: once a group, for one clear settles all its months; the bureau sets the new deadline.
    """
    quirks = _quirks(state)
    codes: dict[JobKind, list[str]] = {JobKind.REPORT: [], JobKind.CLEAR: []}
    groups = dict.fromkeys(row.group for row in state.monitor if row.invoice_type in scope.types)
    for group in groups:
        rows = [row for row in state.of_group(group) if row.invoice_type in scope.types]
        seen = {
            month: {period_state(month, state.clock, row, quirks) for row in rows} for month in scope.periods
        }
        for month, states in seen.items():
            if PeriodState.REPORT_DUE in states:
                codes[JobKind.REPORT].append(f"SEAL:{group}:{month}")
            if states & {PeriodState.REPORT_DUE, PeriodState.CLEAR_DUE}:
                codes[JobKind.REPORT].append(f"SUBMIT:{group}:{month}")
        if any(states != {PeriodState.SETTLED} for states in seen.values()):
            codes[JobKind.CLEAR].append(f"CLEAR:{group}:")
    if kind is JobKind.SETTLE:
        return (*codes[JobKind.REPORT], *codes[JobKind.CLEAR])
    return tuple(codes.get(kind, ()))


def _quirks(state: DeviceState) -> Quirks:
    quirks = QUIRKS.get(state.hello.kind)
    if quirks is None:
        raise Refusal("KIND_UNKNOWN", kind=state.hello.kind.value, device_no=state.hello.device_no)
    return quirks


def _types(ask: Ask, state: DeviceState) -> tuple[str, ...]:
    there = tuple(row.invoice_type for row in state.monitor)
    missing = [kind for kind in ask.types if kind not in there]
    if missing:
        raise Refusal("TYPE_UNKNOWN", invoice_type=", ".join(missing), types=", ".join(there))
    groups = {row.group for row in state.monitor if row.invoice_type in (ask.types or there)}
    return tuple(row.invoice_type for row in state.monitor if row.group in groups)


def _periods(ask: Ask) -> tuple[Period, ...]:
    try:
        return tuple(sorted({period(month) for month in ask.periods}))
    except ValueError as error:
        raise Refusal("BAD_REQUEST", field="periods", what=str(error)) from None


def state_of(view: DeviceView | None, device_no: str, now_ms: int, host_now: dt.datetime) -> DeviceState:
    """Return what is known of a device; Refusal("DEVICE_UNKNOWN") where it was never seen or never read.

    A month may have ended since the reading: then its clock is taken as the later of what the device's must
    show by now (`now_ms`, UTC) and what the host's shows (`host_now`, naive, Asia/Shanghai). The job itself
    reads the device again: a clock that is really behind is refused there.
    """
    if view is None:
        raise Refusal("DEVICE_UNKNOWN", device_no=device_no)
    if view.state is None:
        fault = view.problem.fault if view.problem is not None else "DEVICE_UNKNOWN"
        detail = view.problem.detail if view.problem is not None else {}
        raise Refusal(fault, **{"device_no": device_no, **detail})
    age = dt.timedelta(milliseconds=max(0, now_ms - view.as_of_ms))
    now = max(view.state.clock + age, host_now)
    if period_of(now.date()) == period_of(view.state.clock.date()):
        return view.state  # the month is all that counts here, and a snapshot serves many requests
    return msgspec.structs.replace(view.state, clock=now)
