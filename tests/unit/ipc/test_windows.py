"""window.explain: what is shut for a device that was read, and the year's deadlines."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from taxagent.ipc.windows import Explainer
from taxagent.jobs.asks import DeskStatus, TypeView
from taxagent.model.device import DeviceInfo, DeviceKind, DeviceState, Hello
from taxagent.model.errors import Refusal
from taxagent.model.period import period
from taxagent.model.windows import Rules
from taxclient.protocol import messages as m
from tests.builders.ipc import DEVICE, TAXPAYER, FakeClock, FakeDesk, device_view
from tests.builders.model import monitor


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


@pytest.mark.parametrize(
    "args, code",
    [(m.WindowArgs(year=1900), "BAD_REQUEST"), (m.WindowArgs(device_no="0" * 12), "DEVICE_UNKNOWN")],
)
def test_a_question_out_of_reach_is_refused(args: m.WindowArgs, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        Explainer(Rules(), FakeClock())(args, FakeDesk().status(), "en")
