"""The windows: which are open at a moment, how hard they are, and when they open."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from taxagent.model.bureau import Maintenance
from taxagent.model.device import QUIRKS, DeviceKind
from taxagent.model.faults import codes, facts_of, fault
from taxagent.model.filing import FilingDeadline, Source
from taxagent.model.period import Period, period_of
from taxagent.model.simtime import SHANGHAI
from taxagent.model.windows import (
    Act,
    Finding,
    Moment,
    WindowRule,
    blocking,
    findings,
    opens_at,
    warnings,
    window,
)
from taxagent.model.words import kinds
from tests.builders.model import monitor
from tests.builders.vectors import case, rows

NOON = dt.datetime(2026, 11, 3, 12, 0)
VECTORS = rows("model/windows.toml", "window")


def moment(facts: dict[str, Any]) -> Moment:
    device = facts.get("device", NOON)
    row = monitor(
        last_report=facts.get("last_report", dt.date(2026, 9, 30)),
        invoicing_deadline=facts.get("deadline", dt.date(2026, 11, 16)),
        upload_deadline=facts.get("upload_deadline"),
        pending_uploads=facts.get("pending", 0),
    )
    filing = FilingDeadline(
        month=period_of(device),
        deadline=facts.get("filing", dt.date(2026, 11, 16)),
        source=Source(facts.get("source", "official")),
        provisional=facts.get("provisional", False),
    )
    return Moment(
        host_now=facts.get("host", device).replace(tzinfo=SHANGHAI),
        device_clock=device,
        rows=(row,),
        periods=tuple(Period(month) for month in facts.get("periods", ["2026-10"])),
        quirks=QUIRKS[DeviceKind.CONTROL_DISK],
        filing=filing,
        maintenance=maintenance(facts.get("maintenance")),
        report_until_hour=facts.get("report_until_hour", 24),
        late=facts.get("late", False),
    )


def maintenance(times: list[str] | None) -> Maintenance | None:
    if times is None:
        return None
    begins, ends = (round(dt.datetime.fromisoformat(time).timestamp() * 1000) for time in times)
    return Maintenance(from_ms=begins, until_ms=ends, text="系统升级")


def named(finding: Finding) -> str:
    return finding.rule + ("!" if finding.hard else "")


@pytest.mark.parametrize("facts", VECTORS, ids=case)
def test_vector(facts: dict[str, Any]) -> None:
    found = findings(Act(facts.get("act", "report")), moment(facts))
    closed = [finding for finding in found if not finding.open]
    assert [named(finding) for finding in closed] == facts["closed"]
    opens = opens_at(found)
    assert (opens.isoformat(sep=" ", timespec="minutes") if opens else "") == facts["opens_at"]
    if closed:
        assert facts.get("facts", {}).items() <= closed[0].facts.items()
    assert [f for f in found if f in blocking(found) or f in warnings(found)] == closed


def test_every_window_is_closed_in_some_vector() -> None:
    assert {name.rstrip("!") for facts in VECTORS for name in facts["closed"]} == set(WindowRule)


@pytest.mark.parametrize("act", list(Act))
def test_every_window_is_found_for_every_act_in_one_order(act: Act) -> None:
    assert [finding.rule for finding in findings(act, moment({}))] == list(WindowRule)


def test_every_window_names_a_fault_of_the_catalogue_and_has_a_name_for_people() -> None:
    for finding in findings(Act.REPORT, moment({})):
        assert finding.fault in codes()
        assert finding.rule in kinds()["window"]


def test_what_is_found_can_be_shown_by_the_faults_words() -> None:
    for facts in VECTORS:
        for finding in findings(Act.REPORT, moment(facts)):
            if not finding.open and finding.opens_at and finding.rule is not WindowRule.PERIOD_ENDED:
                assert "opens_at" in facts_of(fault(finding.fault).code)


def test_a_host_in_another_time_zone_is_the_same_moment() -> None:
    here = moment({})
    there = Moment(
        host_now=here.host_now.astimezone(dt.UTC),
        device_clock=here.device_clock,
        rows=here.rows,
        periods=here.periods,
        quirks=here.quirks,
        filing=here.filing,
    )
    assert findings(Act.REPORT, here) == findings(Act.REPORT, there)


def test_maintenance_peaks_and_clocks_go_by_the_host_all_else_by_the_device() -> None:
    by_host = {rule for rule in WindowRule if window(rule).clock == "host"}
    assert by_host == {WindowRule.CLOCKS_AGREE, WindowRule.BUREAU_OPEN, WindowRule.OFF_PEAK}


def test_only_the_filing_window_can_be_taken_upon_oneself() -> None:
    assert [rule for rule in WindowRule if window(rule).late] == [WindowRule.FILING_WINDOW]
