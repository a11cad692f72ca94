"""Types and periods are pinned to what the device shows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from taxagent.jobs.asks import Ask
from taxagent.jobs.device_views import view_of
from taxagent.jobs.scoping import claims_of, consequences_of, pinned, state_of
from taxagent.model.device import DeviceState, MonitorData
from taxagent.model.errors import Refusal
from taxagent.model.job import JobKind
from taxagent.model.period import Period
from tests.builders.journal import DEVICE_NO, seen_state
from tests.builders.model import monitor

OCTOBER, SEPTEMBER = Period("2026-10"), Period("2026-09")
SETTLED = {"last_report": dt.date(2026, 10, 31), "invoicing_deadline": dt.date(2026, 12, 15)}
BEHIND = {"last_report": dt.date(2026, 8, 31), "invoicing_deadline": dt.date(2026, 10, 26)}


def state(*rows: MonitorData) -> DeviceState:
    return msgspec.structs.replace(seen_state().state, monitor=rows or (monitor(),))


def ask(**changes: Any) -> Ask:
    return Ask(**{"kind": JobKind.SETTLE, "device_no": DEVICE_NO, **changes})


def test_nothing_named_means_all_types_and_all_that_is_due() -> None:
    scope = pinned(ask(), state(monitor(**BEHIND), monitor(invoice_type="004", group="004")))
    assert scope.types == ("007", "004")
    assert scope.periods == (SEPTEMBER, OCTOBER)
    assert scope.taxpayer_id == seen_state().state.info.taxpayer_id


def test_where_nothing_is_due_the_last_closed_month_is_meant() -> None:
    assert pinned(ask(), state(monitor(**SETTLED))).periods == (OCTOBER,)


def test_what_is_named_is_sorted_and_said_once() -> None:
    asked = ask(types=("007", "007"), periods=(OCTOBER, SEPTEMBER, OCTOBER))
    scope = pinned(asked, state(monitor(**BEHIND)))
    assert (scope.types, scope.periods) == (("007",), (SEPTEMBER, OCTOBER))


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"types": ("025",)}, "TYPE_UNKNOWN"),
        ({"periods": (Period("2026-11"),)}, "PERIOD_NOT_ENDED"),
        ({"periods": ("2026-13",)}, "BAD_REQUEST"),
        ({"periods": (OCTOBER,)}, "OLDER_PERIOD_DUE"),
        ({"taxpayer_id": "91310000MA1FL00002"}, "TAXPAYER_WRONG"),
    ],
)
def test_what_the_device_does_not_have_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(Refusal) as caught:
        pinned(ask(**changes), state(monitor(**BEHIND)))
    assert caught.value.fault == fault


def test_a_job_that_writes_nothing_may_look_at_one_month_of_several() -> None:
    scope = pinned(ask(kind=JobKind.BACKUP, periods=(OCTOBER,)), state(monitor(**BEHIND)))
    assert scope.periods == (OCTOBER,)
    assert claims_of(JobKind.BACKUP, scope, state()) == ()


def test_claims_are_by_group_and_month() -> None:
    together = state(monitor(group="004+007"), monitor(invoice_type="004", group="004+007"))
    scope = pinned(ask(), together)
    assert claims_of(JobKind.SETTLE, scope, together) == (("004+007", OCTOBER),)


def test_who_names_one_type_of_a_group_means_the_group() -> None:
    device = state(
        monitor(invoice_type="004", group="004+007"),
        monitor(invoice_type="026", group="026"),
        monitor(invoice_type="007", group="004+007"),
    )
    for kind in (JobKind.SETTLE, JobKind.BACKUP):
        assert pinned(ask(kind=kind, types=("007",)), device).types == ("004", "007")
    scope = pinned(ask(types=("026",)), device)
    assert scope.types == ("026",)
    assert consequences_of(JobKind.CLEAR, scope, device) == ("CLEAR:026:",)
    both = pinned(ask(types=("004",)), device)
    assert consequences_of(JobKind.SETTLE, both, device) == (
        "SEAL:004+007:2026-10",
        "SUBMIT:004+007:2026-10",
        "CLEAR:004+007:",
    )


READ_MS = 1_793_462_160_000  # any instant: only what passed since counts


def known_at(clock: dt.datetime, *, read: dt.datetime, minutes: int) -> DeviceState:
    """What is known `minutes` after the device showed `read`, where the host's clock is `clock`."""
    device = msgspec.structs.replace(state(monitor(last_report=dt.date(2026, 9, 30))), clock=read)
    view = view_of("1-1", device, READ_MS)
    return state_of(view, DEVICE_NO, READ_MS + minutes * 60_000, clock)


LAST_MINUTES = dt.datetime(2026, 10, 31, 23, 56)


@pytest.mark.parametrize(
    "host, minutes",
    [
        (dt.datetime(2026, 11, 1, 0, 6), 10),
        (dt.datetime(2026, 11, 1, 0, 1), 1),  # the device is slow: its own midnight is still to come
        (dt.datetime(2026, 10, 31, 23, 59), 5),  # the host is slow: the device's month is over
    ],
)
def test_a_month_that_ended_since_the_reading_is_due_however_new_that_is(
    host: dt.datetime, minutes: int
) -> None:
    assert pinned(ask(), known_at(host, read=LAST_MINUTES, minutes=minutes)).periods == (OCTOBER,)


def test_before_midnight_it_is_not() -> None:
    shown = known_at(dt.datetime(2026, 10, 31, 23, 58), read=LAST_MINUTES, minutes=2)
    assert shown.clock == LAST_MINUTES
    with pytest.raises(Refusal, match="PERIOD_NOT_ENDED"):
        pinned(ask(periods=(OCTOBER,)), shown)


def test_a_host_whose_clock_was_set_back_does_not_turn_the_devices_month_back() -> None:
    shown = known_at(dt.datetime(2026, 9, 1), read=dt.datetime(2026, 11, 1, 0, 5), minutes=-9999)
    assert shown.clock == dt.datetime(2026, 11, 1, 0, 5)
