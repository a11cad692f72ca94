"""Loss and latency of the way to the gateway, names that get a role, and the newest back-up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from taxagent.host.probes import accounts, backups, latency, users
from taxagent.model.job import Backup, Job, JobKind, JobState, Scope, Step
from taxagent.model.lines import CheckLine, CheckState
from tests.builders.probes import cases
from tests.builders.scenario import DEVICE_NO, OCTOBER, TAXPAYER_ID, StillClock

URL = "https://gateway.test:8443/tca"


class Stopwatch(StillClock):
    """A clock whose time passes only where a connection takes it."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def trips(*takes_ms: int | None) -> CheckLine:
    """Return what is said of connections that take so long; None is one that is lost."""
    clock, left = Stopwatch(), list(takes_ms)

    def connect(host: str, port: int) -> None:
        assert (host, port) == ("gateway.test", 8443)
        taken = left.pop(0)
        clock.seconds += 1.0 if taken is None else taken / 1000
        if taken is None:
            raise TimeoutError

    (line,) = latency.trips(URL, clock, connect)
    return line


def test_a_good_way_says_median_and_slowest() -> None:
    line = trips(10, 30, 20, 40, 25)
    assert (line.code, line.state) == ("LATENCY_OK", CheckState.OK)
    assert line.facts == {"tries": "5", "lost": "0", "p50_ms": "25", "most_ms": "40"}


def test_a_slow_way_warns() -> None:
    assert trips(500, 500, 500, 500, 500).code == "LATENCY_SLOW"


def test_one_lost_of_five_warns_and_all_lost_fails() -> None:
    line = trips(10, None, 12, 11, 10)
    assert (line.code, line.state, line.facts["lost"]) == ("LATENCY_LOSS", CheckState.WARN, "1")
    assert trips(None, None, None, None, None).code == "LATENCY_ALL_LOST"


def of_roles(users: dict[str, str], groups: dict[str, str]) -> list[CheckLine]:
    known = {"alice", "staff"}
    return list(accounts.roles(users, groups, known.__contains__, known.__contains__))


def test_a_name_that_the_system_does_not_know_gets_no_role_and_is_named() -> None:
    user, group = of_roles({"alice": "viewer", "bob": "operator"}, {"staf": "technician"})
    assert (user.code, user.facts) == ("USER_UNKNOWN", {"name": "bob", "role": "operator"})
    assert (group.code, group.facts) == ("GROUP_UNKNOWN", {"name": "staf", "role": "technician"})


def test_names_that_are_all_known_are_counted_and_none_at_all_is_said() -> None:
    (line,) = of_roles({"alice": "viewer"}, {"staff": "operator"})
    assert (line.code, line.facts) == ("ACCESS_OK", {"count": "2"})
    assert cases(of_roles({}, {})) == ["ACCESS_NOBODY"]


@pytest.mark.parametrize(("name", "there"), [("root", True), ("0", True), ("no-such-user", False)])
def test_the_systems_own_users_are_asked(name: str, there: bool) -> None:
    assert users.has_user(name) is there
    assert users.has_group("no-such-group") is False


class Kept:
    """The jobs of a journal, newest first: all that the probe asks a reader for."""

    def __init__(self, *kept: Backup) -> None:
        self._jobs = [with_backups(), with_backups(*kept)]

    def jobs(
        self, *, device_no: str = "", live: bool = False, before: str = "", limit: int = 100
    ) -> Sequence[Job]:
        assert (device_no, live, before) == (DEVICE_NO, False, "")
        return self._jobs[:limit]


def with_backups(*kept: Backup) -> Job:
    scope = Scope(device_no=DEVICE_NO, taxpayer_id=TAXPAYER_ID, types=("007",), periods=(OCTOBER,))
    return Job(
        job_id="01JOB000000000000000000000",
        kind=JobKind.BACKUP,
        scope=scope,
        principal="shop",
        key="key-0000000000000001",
        ref="",
        accepted_ms=StillClock().utc_ms(),
        state=JobState.DONE,
        backups=kept,
    )


def kept(path: Path, data: bytes = b"the back-up") -> Backup:
    return Backup(period=OCTOBER, path=str(path), sha256=hashlib.sha256(data).hexdigest(), before=Step.SEAL)


def test_the_newest_back_up_says_when_of_which_month_and_that_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(b"the back-up")
    (line,) = backups.newest(DEVICE_NO, Kept(kept(path)))
    assert (line.code, line.facts["period"]) == ("BACKUP_OK", OCTOBER)
    assert line.facts["written"] == "2026-11-03 12:00"


def test_a_back_up_that_was_changed_fails_and_one_that_is_gone_or_was_never_made_warns(
    tmp_path: Path,
) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(b"something else")
    (changed,) = backups.newest(DEVICE_NO, Kept(kept(path)))
    (gone,) = backups.newest(DEVICE_NO, Kept(kept(tmp_path / "none.zip")))
    (none,) = backups.newest(DEVICE_NO, Kept())
    assert (changed.code, changed.state) == ("BACKUP_CHANGED", CheckState.FAIL)
    assert (gone.code, gone.state, none.code) == ("BACKUP_GONE", CheckState.WARN, "BACKUP_NONE")
