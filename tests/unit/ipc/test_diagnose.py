"""diagnose: the snapshots of the desk become an answer a type, in words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec

from taxagent.ipc.diagnose import Diagnoser
from taxagent.jobs.asks import DeskStatus
from taxagent.jobs.device_views import view_of
from taxagent.model.device import DeviceState
from taxagent.model.simtime import SimulatedTime
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.model.windows import Rules
from taxclient.protocol import messages as m
from taxclient.sync import Client
from tests.builders.diagnosis import DEVICE, TAXPAYER, healthy_state, live_job, problem
from tests.builders.ipc import FakeClock, FakeDesk, device_view, house

NISEC = "税控盘（NISEC） / tax-control disk (NISEC)"


def at(clock: FakeClock, state: DeviceState | None = None, **changes: Any) -> DeskStatus:
    """What the desk has right after the device was read."""
    view = view_of("1-1", state or healthy_state(), clock.now_ms)
    return msgspec.structs.replace(FakeDesk().status(), devices=(view,), **changes)


def real_clock() -> FakeClock:
    """A clock whose UTC and wall clock agree: 2026-11-03 09:30 in Shanghai."""
    clock = FakeClock()
    clock.now_ms = round(clock.local().timestamp() * 1000)
    return clock


def ask(status: DeskStatus, clock: FakeClock, device_no: str = "") -> tuple[m.AnswerView, ...]:
    return Diagnoser(Rules(), clock)(m.DiagnoseArgs(device_no=device_no), status, "en").answers


def test_a_healthy_device_can_and_says_whose_it_is_and_when_it_was_read() -> None:
    clock = real_clock()
    (answer,) = ask(at(clock), clock)
    assert (answer.device_no, answer.taxpayer_id, answer.invoice_type) == (DEVICE, TAXPAYER, "007")
    assert (answer.verdict, answer.case_code, answer.causes) == ("can", "007-00", ())
    assert (answer.as_of_ms, answer.stale, answer.simulated) == (clock.now_ms, False, True)


def test_a_cause_comes_in_words_with_who_and_the_next_command() -> None:
    clock = real_clock()
    (answer,) = ask(at(clock, healthy_state(month_limit_left=0)), clock)
    (cause,) = answer.causes
    assert (cause.case, cause.number, cause.blocks, cause.who) == ("MONTH_LIMIT", "51", "yes", "tax_hall")
    assert cause.title
    assert "999999999.99 yuan" in cause.message
    assert cause.remedy


def test_the_live_job_that_runs_is_named() -> None:
    clock = real_clock()
    (answer,) = ask(at(clock, live_jobs=(live_job("waiting"), live_job("running"))), clock)
    assert [cause.case for cause in answer.causes] == ["HELD_BY_AGENT"]


def test_another_devices_job_is_no_cause() -> None:
    clock = real_clock()
    job = live_job("running")
    other = msgspec.structs.replace(job, scope=msgspec.structs.replace(job.scope, device_no="661234567899"))
    (answer,) = ask(at(clock, live_jobs=(other,)), clock)
    assert answer.causes == ()


def test_a_device_that_was_never_opened_is_answered_as_a_whole() -> None:
    clock = real_clock()
    status = msgspec.structs.replace(
        FakeDesk().status(), devices=(device_view(problem=problem("PASSWORD_MISSING")),)
    )
    (answer,) = ask(status, clock)
    assert (answer.invoice_type, answer.verdict, answer.as_of_ms) == ("", "unknown", 0)
    assert [cause.case for cause in answer.causes] == ["PASSWORD_MISSING"]


def test_where_no_device_is_known_the_answer_says_what_is_plugged() -> None:
    clock = real_clock()
    nisec = SeenDevice(
        location="1-2", vendor_id=0x1432, product_id=0x07DC, recognised=Recognised.VENDOR, name=NISEC
    )
    status = msgspec.structs.replace(FakeDesk().status(), devices=(), seen=(nisec,))
    (answer,) = ask(status, clock)
    assert [cause.case for cause in answer.causes] == ["NEVER_SEEN", "VENDOR_DEVICE"]
    assert NISEC in answer.causes[1].message


def test_a_device_that_was_never_seen_is_no_error() -> None:
    clock = real_clock()
    (answer,) = ask(at(clock), clock, "000000000001")
    assert (answer.device_no, answer.verdict) == ("000000000001", "unknown")
    assert [cause.case for cause in answer.causes] == ["NEVER_SEEN"]


def test_in_simulation_a_reading_is_as_old_as_simulated_time_says() -> None:
    clock = real_clock()
    started = clock.now_ms - 60_000
    simulation = SimulatedTime(start_ms=started - 3_600_000, origin_ms=started, rate=61)
    assert simulation.at(clock.now_ms) == clock.now_ms  # an hour passed in this minute
    state = healthy_state(
        clock=dt.datetime(2026, 11, 3, 8, 29), upload_deadline=dt.date(2026, 11, 3), pending_uploads=1
    )
    view = view_of("1-1", state, started)
    status = msgspec.structs.replace(FakeDesk().status(), devices=(view,))
    (answer,) = Diagnoser(Rules(), clock, simulation)(m.DiagnoseArgs(), status, "en").answers
    assert answer.causes[0].detail["hours_left"] == "14"  # it is 09:29 on the device by now


def test_the_op_is_answered_to_a_client(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        assert client.diagnose(DEVICE) == m.DiagnoseResult(answers=())
