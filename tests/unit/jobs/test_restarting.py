"""The agent ends itself for a device that hangs: seldom, never amid a write, where it is started again."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from taxagent.jobs.restarting import LEAST_MS, due, wanted
from taxagent.model.job import Job, JobKind, JobState, Outcome, Scope

NOW = 1_795_561_200_000


def job(**changes: Any) -> Job:
    made = Job(
        job_id=f"{1:026d}",
        kind=JobKind.SETTLE,
        scope=Scope(device_no="661234567891", taxpayer_id="91", types=("007",), periods=()),
        principal="shop",
        key="",
        ref="",
        accepted_ms=NOW,
        state=JobState.RUNNING,
        outcome=Outcome.NOT_EXECUTED,
    )
    return msgspec.structs.replace(made, **changes)


def test_where_nothing_hangs_there_is_no_reason() -> None:
    assert not due((), (), None, NOW)


def test_where_a_device_hangs_and_nothing_writes_it_is_time() -> None:
    assert due(("661234567890",), (), None, NOW)
    assert due(("661234567890",), (job(kind=JobKind.CHECK),), None, NOW)
    assert due(("661234567890",), (job(state=JobState.WAITING),), None, NOW)


def test_it_is_not_done_amid_another_devices_write() -> None:
    assert not due(("661234567890",), (job(),), None, NOW)


def test_the_job_of_the_device_that_hangs_does_not_keep_it_back() -> None:
    assert due(("661234567891",), (job(),), None, NOW)


def test_it_is_done_at_most_once_an_hour() -> None:
    assert not due(("661234567890",), (), NOW - LEAST_MS + 1, NOW)
    assert due(("661234567890",), (), NOW - LEAST_MS, NOW)


@pytest.mark.parametrize(
    "rule, environment, parent, expected",
    [
        ("under_systemd", {"INVOCATION_ID": "c0ffee", "SYSTEMD_EXEC_PID": "4711"}, 1, True),
        ("under_systemd", {"INVOCATION_ID": "c0ffee", "SYSTEMD_EXEC_PID": "4711"}, 812, True),
        ("under_systemd", {"INVOCATION_ID": "c0ffee"}, 1, True),
        ("under_systemd", {}, 1, False),
        ("always", {}, 812, True),
        ("never", {"INVOCATION_ID": "c0ffee", "SYSTEMD_EXEC_PID": "4711"}, 1, False),
    ],
)
def test_it_is_done_where_somebody_starts_it_again(
    rule: Literal["under_systemd", "always", "never"],
    environment: dict[str, str],
    parent: int,
    expected: bool,
) -> None:
    assert wanted(rule, environment, pid=4711, parent=parent) is expected


def test_a_terminal_or_a_cron_job_only_inherits_the_name_of_a_systemd_unit() -> None:
    inherited = {"INVOCATION_ID": "c0ffee", "SYSTEMD_EXEC_PID": "812"}
    assert not wanted("under_systemd", inherited, pid=4711, parent=812)
    assert not wanted("under_systemd", {"INVOCATION_ID": "c0ffee"}, pid=4711, parent=812)
