"""window.explain: what is shut for a device that was read, and the year's deadlines."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from taxagent.ipc.windows import Explainer
from taxagent.jobs.asks import DeskStatus, Role, TypeView
from taxagent.model.device import DeviceInfo, DeviceKind, DeviceState, Hello
from taxagent.model.errors import Refusal
from taxagent.model.period import period
from taxagent.model.simtime import SimulatedTime
from taxagent.model.windows import Rules, WindowRule
from taxclient.protocol import messages as m
from tests.builders.ipc import DEVICE, TAXPAYER, FakeClock, FakeDesk, device_view
from tests.builders.model import monitor


class SimulatedClock(FakeClock):
    """The same, where a minute is an hour."""

    def __init__(self) -> None:
        super().__init__()
        start_ms = round(super().local().timestamp() * 1000)
        self.simulation = SimulatedTime(start_ms=start_ms, origin_ms=self.now_ms, rate=60)

    def sim_ms(self) -> int | None:
        return self.simulation.at(self.now_ms)


def status_at(clock: dt.datetime, as_of_ms: int) -> DeskStatus:
    state = DeviceState(
        hello=Hello(
            device_no=DEVICE,
            kind=DeviceKind.CONTROL_DISK,
            simulated=True,
            firmware="1.0",
            tries_left=5,
            session="00" * 8,
        ),
        info=DeviceInfo(
            device_no=DEVICE,
            taxpayer_id=TAXPAYER,
            taxpayer_name="测试商店",
            terminal_no=0,
            registered=True,
            certificate_from=dt.date(2024, 1, 1),
            certificate_to=dt.date(2030, 1, 1),
        ),
        clock=clock,
        monitor=(monitor(),),
    )
    view = TypeView(
        invoice_type="007",
        group="007",
        invoicing_deadline=monitor().invoicing_deadline,
        last_report=monitor().last_report,
        pending_uploads=0,
        locked=False,
        overdue=False,
        periods=((period("2026-10"), "report_due"),),
    )
    device = device_view(state=state, types=(view,), as_of_ms=as_of_ms)
    return msgspec.structs.replace(FakeDesk().status(), devices=(device,))


def test_the_years_deadlines_follow_the_overrides() -> None:
    explain = Explainer(Rules(overrides={period("2026-11"): dt.date(2026, 11, 18)}), FakeClock())
    result = explain(m.WindowArgs(year=2026), FakeDesk().status(), "en")
    assert [row.month for row in result.deadlines] == list(range(1, 13))
    november = result.deadlines[10]
    assert (november.deadline, november.source) == ("2026-11-18", "override")


def test_what_is_shut_says_which_window_why_and_when_it_opens() -> None:
    clock = FakeClock()
    midnight = dt.datetime(2026, 11, 3, 0, 1)
    found = Explainer(Rules(), clock)(m.WindowArgs(), status_at(midnight, clock.now_ms), "en").findings
    early = next(finding for finding in found if finding.code == "TOO_EARLY_IN_DAY")
    assert (early.device_no, early.hard, early.acts) == (DEVICE, True, ("report", "clear"))
    assert early.opens == "2026-11-03T00:05:00"
    assert early.title
    assert early.remedy


def test_the_devices_clock_goes_on_since_it_was_read() -> None:
    clock = FakeClock()
    ten_minutes_ago = status_at(dt.datetime(2026, 11, 3, 0, 1), clock.now_ms - 600_000)
    found = Explainer(Rules(), clock)(m.WindowArgs(device_no=DEVICE), ten_minutes_ago, "zh").findings
    assert "TOO_EARLY_IN_DAY" not in [finding.code for finding in found]


@pytest.mark.parametrize("simulated", [False, True])
def test_a_device_whose_clock_is_wrong_is_told_so_in_a_simulation_too(simulated: bool) -> None:
    clock = SimulatedClock() if simulated else FakeClock()
    wrong = status_at(dt.datetime(2027, 3, 20, 9, 30), clock.now_ms - 60_000)
    simulation = clock.simulation if isinstance(clock, SimulatedClock) else None
    found = Explainer(Rules(), clock, simulation)(m.WindowArgs(device_no=DEVICE), wrong, "en")
    shut = {window.rule: window.code for window in found.windows if not window.open}
    assert shut["clocks_agree"] == "CLOCK_WRONG"
    assert shut["not_overdue"] == "OVERDUE"
    agree = next(window for window in found.windows if window.rule == "clocks_agree")
    minutes = 60 if simulated else 1
    assert (
        agree.detail["device_clock"] == f"2027-03-20 {9 + (30 + minutes) // 60:02d}:{(30 + minutes) % 60:02d}"
    )


@pytest.mark.parametrize(
    "args, code",
    [(m.WindowArgs(year=1900), "BAD_REQUEST"), (m.WindowArgs(device_no="0" * 12), "DEVICE_UNKNOWN")],
)
def test_a_question_out_of_reach_is_refused(args: m.WindowArgs, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        Explainer(Rules(), FakeClock())(args, FakeDesk().status(), "en")


def at(moment: str, role: Role = Role.VIEWER, status: DeskStatus | None = None) -> dict[str, m.WindowView]:
    """The windows at a moment; the device is as it was read on the 3rd of November, half past nine."""
    clock = FakeClock()
    read = status or status_at(dt.datetime(2026, 11, 3, 9, 30), clock.now_ms)
    result = Explainer(Rules(), clock)(m.WindowArgs(at=moment), read, "en", role)
    return {window.rule: window for window in result.windows}


def test_every_window_is_told_open_or_shut_with_the_time_that_is_left() -> None:
    windows = at("2026-11-13 10:30")
    assert set(windows) == {rule.value for rule in WindowRule} - {"bureau_open"}  # only the bureau knows
    filing = windows["filing_window"]
    assert (filing.open, filing.closes, filing.opens) == (True, "2026-11-17T00:00:00", "")
    assert filing.closes_in_s == (3 * 24 + 13) * 3600 + 1800
    assert (filing.code, filing.title, filing.remedy) == ("", "", "")


def test_a_shut_window_says_in_how_many_seconds_it_opens() -> None:
    filing = at("2026-11-28 19:05")["filing_window"]
    assert (filing.open, filing.hard, filing.opens) == (False, True, "2026-12-01T00:05:00")
    assert filing.opens_in_s == (2 * 24 + 5) * 3600
    assert (filing.code, filing.who) == ("WINDOW_CLOSED", "bureau")


@pytest.mark.parametrize("role, told", [(Role.OPERATOR, False), (Role.TECHNICIAN, True), (Role.ADMIN, True)])
def test_late_work_is_told_to_who_may_do_it(role: Role, told: bool) -> None:
    windows = at("2026-11-28 19:05", role)
    assert windows["filing_window"].late is told
    assert not windows["not_locked"].late


def test_the_peak_hours_warn_and_say_when_they_end() -> None:
    peak = at("2026-11-13 10:30")["off_peak"]
    assert (peak.open, peak.hard, peak.opens, peak.opens_in_s) == (False, False, "2026-11-13T11:00:00", 1800)
    assert at("2026-11-13 12:00")["off_peak"].closes == "2026-11-13T14:00:00"


@pytest.mark.parametrize("text", ["2026-11-13T02:30:00Z", "2026-11-13T10:30:00+08:00", "2026-11-13 10:30"])
def test_a_moment_is_of_shanghai_unless_it_says_otherwise(text: str) -> None:
    result = Explainer(Rules(), FakeClock())(m.WindowArgs(at=text), FakeDesk().status(), "zh")
    assert result.at == "2026-11-13T10:30:00"


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "0001-01-01T00:00:00+23:00", "2400-01-01"])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="BAD_REQUEST"):
        Explainer(Rules(), FakeClock())(m.WindowArgs(at=text), FakeDesk().status(), "zh")


def test_where_no_device_was_read_the_calendar_is_told() -> None:
    windows = at("2026-11-28 19:05", status=FakeDesk().status())
    assert set(windows) == {"day_begun", "filing_window", "filing_day_known", "off_peak"}
    assert {window.device_no for window in windows.values()} == {""}


def test_the_years_rows_are_those_of_the_moment() -> None:
    result = Explainer(Rules(), FakeClock())(m.WindowArgs(at="2025-05-01"), FakeDesk().status(), "zh")
    assert (result.year, result.deadlines[4].deadline) == (2025, "2025-05-22")
