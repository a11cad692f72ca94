"""A check: one line for each thing that could stand in the way, well and not; nothing is written by it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from taxagent import __version__
from taxagent.model.checks import made
from taxagent.model.device import DeviceKind
from taxagent.model.errors import BureauDown, DeviceAbsent, DeviceRefused
from taxagent.model.job import Job, JobKind, JobState, Outcome, Step
from taxagent.model.known import Cycle, KnownDevice
from taxagent.model.lines import CheckLine, CheckState, worst
from taxagent.model.windows import WindowRule
from taxagent.simulator.bureau_conditions import Conditions, MaintenanceTime
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.scenario import ClockScenario, Generated
from tests.builders import world
from tests.builders.scenario import DEVICE_NO, NOON, OCTOBER, TAXPAYER_ID, type_007
from tests.builders.tap import raising
from tests.builders.work import SEPTEMBER, Bench

OK, WARN, FAIL, UNKNOWN = CheckState.OK, CheckState.WARN, CheckState.FAIL, CheckState.UNKNOWN


class Here:
    """ports.Surroundings of a computer on which all is well."""

    def way(self) -> tuple[CheckLine, ...]:
        return (made("latency", "LATENCY_OK", tries="5", lost="0", p50_ms="12", most_ms="15"),)

    def place(self, device_no: str) -> tuple[CheckLine, ...]:
        return (made("backup", "BACKUP_NONE", device_no=device_no),)


def checked(bench: Bench, **scope: Any) -> Job:
    bench.accept(JobKind.CHECK, **scope)
    job = bench.run()
    assert bench.writes() == []
    return job


def line(job: Job, name: str, subject: str = "") -> CheckLine:
    """Return the one line of that name, and subject."""
    (found,) = [each for each in job.lines if (each.line, each.subject) == (name, subject)]
    return found


def seen(job: Job, name: str, subject: str = "") -> tuple[str, CheckState]:
    found = line(job, name, subject)
    return found.code, found.state


def conditions(**changes: Any) -> BureauScenario:
    return BureauScenario(conditions=Conditions(**changes))


# ---- all is well


def test_on_a_good_day_every_line_is_there_and_none_is_bad(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.surroundings = Here()
    bench.file_return()
    job = checked(bench)
    assert (job.state, job.outcome) == (JobState.DONE, Outcome.EXECUTED)
    assert {each.line for each in job.lines} >= {
        *("device", "firmware", "password", "registered", "training", "taxpayer", "certificate"),
        *("self_test", "capacity", "clock", "window", "uploads", "stock", "sums", "login", "maintenance"),
        *("notices", "agent_version", "return", "latency", "backup"),
    }
    assert {each.code for each in job.lines if each.state is not OK} == {"BACKUP_NONE"}


def test_the_lines_are_durable_and_stand_in_the_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    job = checked(bench)
    assert job.lines
    record = bench.record()
    assert record.lines == job.lines
    assert record.filing is not None
    assert record.filing.deadline == dt.date(2026, 11, 16)
    assert [run.id.step for run in job.steps] == [Step.IDENTIFY, Step.PREFLIGHT]


# ---- the device


def test_the_device_and_its_firmware_are_named(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path, firmware="2.0.16"))
    assert line(job, "device").facts == {"device_no": DEVICE_NO, "kind": "control_disk"}
    assert line(job, "firmware").facts == {"firmware": "2.0.16"}


def test_an_absent_device_is_waited_for_and_no_line_is_made_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.tap.on("before hello", raising(DeviceAbsent("DEVICE_ABSENT")))
    job = checked(bench)
    assert (job.state, job.lines) == (JobState.WAITING, ())


def test_a_wrong_password_is_tried_once_and_the_bureau_and_the_computer_are_looked_at(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.surroundings = Here()
    bench.secrets.password = "11111111"
    job = checked(bench)
    assert seen(job, "password") == ("PASSWORD_WRONG", FAIL)
    assert line(job, "password").facts["tries_left"] == "4"
    assert seen(job, "capacity") == ("NOT_ASKED", CheckState.NOT_ASKED)
    assert line(job, "capacity").facts == {"because": "PASSWORD_WRONG"}
    assert (seen(job, "login"), seen(job, "latency")) == (("LOGIN_OK", OK), ("LATENCY_OK", OK))
    assert (job.state, job.problem and job.problem.fault) == (JobState.REFUSED, "PASSWORD_WRONG")
    bench.next_job()
    assert seen(checked(bench), "password") == ("PASSWORD_LATCHED", FAIL)
    assert bench.device.memory.tries_left == 4


def test_a_good_password_says_how_often_it_could_be_tried(tmp_path: Path) -> None:
    assert line(checked(Bench(tmp_path)), "password").facts == {"tries_left": "5"}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"registered": False}, "never_issued"),
        ({"registration_code": False}, "no_registration_code"),
        ({"training": True}, "training_device"),
    ],
)
def test_each_way_of_not_being_registered_is_told_apart(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    job = checked(Bench(tmp_path, **changes))
    assert seen(job, "registered") == ("DEVICE_UNREGISTERED", FAIL)
    assert line(job, "registered").facts["what"] == what
    assert (seen(job, "training")[0] == "TRAINING_DEVICE") is (what == "training_device")
    assert job.problem is not None
    assert job.problem.fault == "DEVICE_UNREGISTERED"


def test_a_registered_device_is_said_to_be(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path))
    assert (seen(job, "registered")[1], seen(job, "training")[1]) == (OK, OK)


def test_another_taxpayers_device_fails_against_what_was_asked(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path), taxpayer_id="91370103MA3EFLH017")
    assert seen(job, "taxpayer") == ("TAXPAYER_WRONG", FAIL)
    assert line(job, "taxpayer").facts == {"expected": "91370103MA3EFLH017", "found": TAXPAYER_ID}


@pytest.mark.parametrize("kind", [JobKind.CHECK, JobKind.SETTLE])
def test_another_taxpayers_device_fails_against_what_is_configured(tmp_path: Path, kind: JobKind) -> None:
    bench = Bench(tmp_path)
    bench.known = {DEVICE_NO: KnownDevice(device_no=DEVICE_NO, taxpayer_id="91370103MA3EFLH017")}
    bench.accept(kind)
    job = bench.run()
    assert (job.state, job.problem and job.problem.fault) == (JobState.REFUSED, "TAXPAYER_WRONG")
    assert bench.writes() == []


def test_a_number_whose_check_character_is_wrong_fails(tmp_path: Path) -> None:
    wrong = TAXPAYER_ID[:-1] + "5"
    job = checked(Bench(tmp_path, taxpayer_id=wrong), taxpayer_id=wrong)
    assert seen(job, "taxpayer") == ("TAXPAYER_MALFORMED", FAIL)


@pytest.mark.parametrize(
    ("days", "code", "state"),
    [
        (31, "DEVICE_CERTIFICATE_OK", OK),
        (30, "DEVICE_CERTIFICATE_30_DAYS", WARN),
        (7, "DEVICE_CERTIFICATE_7_DAYS", WARN),
        (1, "DEVICE_CERTIFICATE_1_DAY", FAIL),
        (-1, "DEVICE_CERTIFICATE_EXPIRED", FAIL),
    ],
)
def test_the_devices_certificate_warns_30_7_and_1_days_before(
    tmp_path: Path, days: int, code: str, state: CheckState
) -> None:
    job = checked(Bench(tmp_path, certificate_to=NOON.date() + dt.timedelta(days=days)))
    assert seen(job, "certificate", "device") == (code, state)


def test_a_device_that_finds_itself_broken_fails_its_self_test(tmp_path: Path) -> None:
    assert seen(checked(Bench(tmp_path)), "self_test") == ("SELF_TEST_OK", OK)
    assert seen(checked(Bench(tmp_path / "broken", broken=True)), "self_test") == ("DEVICE_FAULTY", FAIL)


@pytest.mark.parametrize(
    ("capacity", "code", "state"),
    [(10_000, "CAPACITY_OK", OK), (90, "CAPACITY_LOW", WARN), (40, "CAPACITY_FULL", FAIL)],
)
def test_the_room_that_is_left_is_said_by_type(
    tmp_path: Path, capacity: int, code: str, state: CheckState
) -> None:
    job = checked(Bench(tmp_path, capacity=capacity))
    assert seen(job, "capacity", "007") == (code, state)


@pytest.mark.parametrize(
    ("error_s", "code", "state"),
    [(20, "CLOCK_CLOSE", OK), (-600, "CLOCK_OFF", WARN), (13 * 3600, "CLOCK_WRONG", FAIL)],
)
def test_the_devices_clock_is_compared_in_seconds_with_this_computers_and_the_bureaus(
    tmp_path: Path, error_s: int, code: str, state: CheckState
) -> None:
    job = checked(Bench(tmp_path, clock=ClockScenario(error_s=error_s)))
    assert seen(job, "clock", "host") == (code, state)
    assert line(job, "clock", "bureau").facts["seconds"] == str(abs(error_s))


# ---- the windows


def test_each_window_of_the_calendar_has_its_line(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path))
    assert {each.subject for each in job.lines if each.line == "window"} == {
        rule.value for rule in WindowRule
    }


SHUT = [
    (
        WindowRule.DAY_BEGUN,
        dt.datetime(2026, 11, 3, 0, 1),
        "TOO_EARLY_IN_DAY",
        dt.datetime(2026, 11, 3, 0, 5),
    ),
    (
        WindowRule.FILING_WINDOW,
        dt.datetime(2026, 11, 20, 12),
        "WINDOW_CLOSED",
        dt.datetime(2026, 12, 1, 0, 5),
    ),
]


@pytest.mark.parametrize(("rule", "now", "fault", "opens"), SHUT)
def test_a_hard_window_that_is_shut_fails_and_says_when_it_opens(
    tmp_path: Path, rule: WindowRule, now: dt.datetime, fault: str, opens: dt.datetime
) -> None:
    job = checked(Bench(tmp_path, now=now))
    assert seen(job, "window", rule) == (fault, FAIL)
    assert line(job, "window", rule).opens == opens
    assert job.state is JobState.DONE


@pytest.mark.parametrize(
    ("rule", "now", "fault"),
    [
        (WindowRule.OFF_PEAK, dt.datetime(2026, 11, 3, 9, 30), "PEAK_HOURS"),
        (WindowRule.NOT_LOCKED, dt.datetime(2026, 11, 17, 12), "DEVICE_LOCKED"),
    ],
)
def test_a_soft_window_only_warns(tmp_path: Path, rule: WindowRule, now: dt.datetime, fault: str) -> None:
    job = checked(Bench(tmp_path, now=now))
    assert seen(job, "window", rule) == (fault, WARN)


def test_a_filing_day_that_nobody_has_published_warns(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=dt.datetime(2027, 2, 3, 12))
    bench.tap.on("before status", raising(BureauDown("BUREAU_DOWN")))
    job = checked(bench)
    assert seen(job, "window", WindowRule.FILING_DAY_KNOWN) == ("FILING_WINDOW_PROVISIONAL", WARN)


def test_overdue_clocks_and_uploads_fail_as_windows_too(tmp_path: Path) -> None:
    overdue = checked(Bench(tmp_path / "a", now=dt.datetime(2027, 1, 5, 12)))
    apart = checked(Bench(tmp_path / "b", clock=ClockScenario(error_s=13 * 3600)))
    pending = checked(Bench(tmp_path / "c", types=(_pending(),)))
    assert seen(overdue, "window", WindowRule.NOT_OVERDUE) == ("OVERDUE", FAIL)
    assert seen(apart, "window", WindowRule.CLOCKS_AGREE) == ("CLOCK_WRONG", FAIL)
    assert seen(pending, "window", WindowRule.UPLOADS_DONE) == ("UPLOAD_PENDING", FAIL)


def test_where_nothing_is_due_a_shut_window_holds_nothing_up(tmp_path: Path) -> None:
    settled = type_007(last_report=dt.date(2026, 10, 31), invoicing_deadline=dt.date(2026, 12, 15))
    job = checked(Bench(tmp_path, now=dt.datetime(2026, 11, 20, 12), types=(settled,)))
    assert seen(job, "window", WindowRule.FILING_WINDOW) == ("WINDOW_NOT_NEEDED", OK)
    assert worst(job.lines) in (OK, WARN)


# ---- uploads and figures


def _pending() -> Any:
    return type_007(generate=Generated(seed=1, months=("2026-10",), per_month=20, pending=3))


def test_pending_uploads_fail_with_their_number_and_none_is_well(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path / "a", types=(_pending(),)))
    assert seen(job, "uploads", "007") == ("UPLOAD_PENDING", FAIL)
    assert line(job, "uploads", "007").facts["pending"] == "3"
    assert seen(checked(Bench(tmp_path / "b")), "uploads", "007") == ("UPLOADS_NONE", OK)


def test_the_stock_shows_its_sum_and_fails_where_it_does_not_add_up(tmp_path: Path) -> None:
    good = line(checked(Bench(tmp_path / "a")), "stock", "007")
    facts = {name: int(good.facts[name]) for name in ("opening", "bought", "returned", "used", "closing")}
    assert facts["opening"] + facts["bought"] - facts["returned"] - facts["used"] == facts["closing"]
    bad = checked(Bench(tmp_path / "b", types=(type_007(closing_error=2),)))
    assert seen(bad, "stock", "007") == ("STOCK_MISMATCH", FAIL)
    assert "closing" in line(bad, "stock", "007").facts["differences"]


def test_the_totals_are_held_against_each_invoice(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path))
    assert seen(job, "sums", "007") == ("SUMS_OK", OK)
    assert int(line(job, "sums", "007").facts["count"]) >= 20


def test_figures_that_cannot_be_read_are_unknown_and_the_others_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.tap.on("before statistics", raising(DeviceRefused("NO_SUCH_DATA")))
    job = checked(bench)
    assert seen(job, "stock", "007") == ("NO_SUCH_DATA", UNKNOWN)
    assert seen(job, "sums", "007")[0] == "NOT_ASKED"
    assert seen(job, "login") == ("LOGIN_OK", OK)
    assert job.state is JobState.DONE


# ---- the bureau


def test_a_bureau_that_cannot_be_reached_is_unknown_and_the_device_is_looked_at(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.tap.on("before status", raising(BureauDown("BUREAU_DOWN")))
    job = checked(bench)
    assert seen(job, "login") == ("BUREAU_DOWN", UNKNOWN)
    assert seen(job, "window", WindowRule.BUREAU_OPEN) == ("BUREAU_DOWN", UNKNOWN)
    assert seen(job, "notices")[0] == "NOT_ASKED"
    assert seen(job, "self_test") == ("SELF_TEST_OK", OK)
    assert job.state is JobState.DONE


def test_a_bureau_that_lets_us_not_in_fails(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path, bureau=conditions(refuses_login=True)))
    assert seen(job, "login") == ("BUREAU_AUTH", FAIL)


def test_maintenance_that_is_announced_warns_and_one_that_runs_fails(tmp_path: Path) -> None:
    hour = dt.timedelta(hours=1)
    later = MaintenanceTime(from_=NOON + hour, until=NOON + 2 * hour)
    now = MaintenanceTime(from_=NOON - hour, until=NOON + hour)
    planned = checked(Bench(tmp_path / "a", bureau=conditions(maintenance=later)))
    running = checked(Bench(tmp_path / "b", bureau=conditions(maintenance=now)))
    assert seen(planned, "maintenance") == ("MAINTENANCE_PLANNED", WARN)
    assert seen(running, "maintenance") == ("BUREAU_MAINTENANCE", FAIL)
    assert seen(running, "window", WindowRule.BUREAU_OPEN) == ("BUREAU_MAINTENANCE", FAIL)
    assert seen(checked(Bench(tmp_path / "c")), "maintenance") == ("MAINTENANCE_NONE", OK)


def test_each_notice_is_shown_in_the_bureaus_words(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path, bureau=conditions(notices=("十一月征期至十六日",))))
    assert seen(job, "notices") == ("NOTICE", WARN)
    assert line(job, "notices").facts == {"bureau_text": "十一月征期至十六日"}


def test_an_agent_that_is_too_old_fails_with_both_versions(tmp_path: Path) -> None:
    job = checked(Bench(tmp_path, bureau=conditions(minimum_agent_version="99.0.0")))
    assert seen(job, "agent_version") == ("BUREAU_VERSION", FAIL)
    assert line(job, "agent_version").facts == {"expected": "99.0.0", "found": __version__}
    assert seen(checked(Bench(tmp_path / "b")), "agent_version") == ("VERSION_OK", OK)


def test_the_return_is_filed_or_to_be_filed_or_not_due(tmp_path: Path) -> None:
    filed = Bench(tmp_path / "a")
    filed.file_return()
    assert seen(checked(filed), "return", OCTOBER) == ("RETURN_FILED", OK)
    assert seen(checked(Bench(tmp_path / "b")), "return", OCTOBER) == ("RETURN_TO_FILE", WARN)
    quarterly = Bench(tmp_path / "c", bureau=BureauScenario(quarterly=(TAXPAYER_ID,)))
    quarterly.known = {DEVICE_NO: KnownDevice(device_no=DEVICE_NO, cycle=Cycle.QUARTER)}
    job = checked(quarterly)
    assert seen(job, "return", OCTOBER) == ("RETURN_NOT_DUE", OK)
    assert line(job, "return", OCTOBER).facts["with_period"] == "2026-12"


def test_a_configured_quarter_that_the_bureau_does_not_know_of_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.known = {DEVICE_NO: KnownDevice(device_no=DEVICE_NO, cycle=Cycle.QUARTER)}
    assert seen(checked(bench), "return", OCTOBER) == ("CYCLE_DISAGREES", WARN)


def test_a_quarters_last_month_wants_its_return_all_the_same(tmp_path: Path) -> None:
    types = (world.due("007", SEPTEMBER, OCTOBER),)
    bench = Bench(tmp_path, types=types, bureau=BureauScenario(quarterly=(TAXPAYER_ID,)))
    bench.known = {DEVICE_NO: KnownDevice(device_no=DEVICE_NO, cycle=Cycle.QUARTER)}
    job = checked(bench, periods=(SEPTEMBER, OCTOBER))
    assert seen(job, "return", SEPTEMBER) == ("RETURN_TO_FILE", WARN)
    assert seen(job, "return", OCTOBER) == ("RETURN_NOT_DUE", OK)


# ---- every kind


@pytest.mark.parametrize("kind", list(DeviceKind))
def test_a_check_writes_nothing_to_a_device_of_any_kind(tmp_path: Path, kind: DeviceKind) -> None:
    bench = Bench(tmp_path, kind=kind)
    before = bench.device.memory
    job = checked(bench)
    assert job.state is JobState.DONE
    assert (bench.device.memory.groups, bench.device.memory.writes) == (before.groups, before.writes)
