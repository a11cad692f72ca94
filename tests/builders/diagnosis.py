"""Situations for the question whether a shop can issue invoices: a healthy device, and changes to it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from taxagent.model.device import DeviceInfo, DeviceKind, DeviceState, Hello, Stock, StockRange
from taxagent.model.job import Job, JobKind, JobState, Outcome, Problem, Scope
from taxagent.model.obstacles import Situation
from taxagent.model.period import period
from tests.builders.model import monitor

DEVICE = "661234567890"
TAXPAYER = "91440300123456789A"
CLOCK = dt.datetime(2026, 11, 3, 9, 30)
JOB_ID = f"{1:026d}"


def healthy_state(
    clock: dt.datetime = CLOCK,
    *,
    info: dict[str, Any] | None = None,
    stock: int = 500,
    device_no: str = DEVICE,
    **changes: Any,
) -> DeviceState:
    """Return a control_disk whose October is done, with `changes` of its one type's monitor data.

    `stock` blank invoices are left; -1: the device knows no stock of the type.
    """
    done = {"invoicing_deadline": dt.date(2026, 12, 15), "last_report": dt.date(2026, 10, 31)}
    owner = DeviceInfo(
        device_no=device_no,
        taxpayer_id=TAXPAYER,
        taxpayer_name="测试商店",
        terminal_no=0,
        registered=True,
        certificate_from=dt.date(2024, 1, 1),
        certificate_to=dt.date(2030, 1, 1),
    )
    numbers = StockRange(code="044002000111", number_from="00001000", count=stock)
    return DeviceState(
        hello=Hello(
            device_no=device_no,
            kind=DeviceKind.CONTROL_DISK,
            simulated=True,
            firmware="1.0",
            tries_left=5,
            session="00" * 8,
        ),
        info=msgspec.structs.replace(owner, **(info or {})),
        clock=clock,
        monitor=(monitor(**{**done, **changes}),),
        stock=(Stock(invoice_type="007", ranges=(numbers,) if stock else ()),) if stock >= 0 else (),
    )


def problem(fault: str, **detail: str) -> Problem:
    """Return the fault, not executed."""
    return Problem(fault=fault, outcome=Outcome.NOT_EXECUTED, detail=detail)


def live_job(state: str = "running") -> Job:
    """Return a settle job on the device."""
    return Job(
        job_id=JOB_ID,
        kind=JobKind.SETTLE,
        scope=Scope(device_no=DEVICE, taxpayer_id=TAXPAYER, types=("007",), periods=(period("2026-10"),)),
        principal="uid:0",
        key="key-of-sixteen-chars",
        ref="",
        accepted_ms=1_795_000_000_000,
        state=JobState(state),
    )


def situation(state: DeviceState | None, now: dt.datetime = CLOCK, **changes: Any) -> Situation:
    """Return the situation right after `state` was read; None: the device was never read."""
    values: dict[str, Any] = {
        "now": now,
        "device_no": DEVICE,
        "plugged": True,
        "read_at": now if state is not None else None,
        "state": state,
    }
    return Situation(**{**values, **changes})
