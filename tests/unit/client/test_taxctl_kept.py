"""A kept key finds the job of the request that got no answer, once; it never stands for a later request."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from taxagent.jobs.asks import Accepted, Ask, Principal
from taxagent.model.errors import AgentError
from taxagent.model.job import JobState, Outcome
from tests.builders.command import run
from tests.builders.ipc import DEVICE, FakeDesk, House, house

SETTLE = ("settle", DEVICE, "--yes", "--no-wait")
DAYS_40_MS, HOURS_2_MS, MINUTE_MS = 40 * 86_400_000, 7_200_000, 60_000


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


def lose_the_answer(desk: FakeDesk) -> None:
    """The next request is accepted, and its caller does not learn it."""
    well = desk.accept

    def accept(principal: Principal, ask: Ask, done: Callable[[Accepted | AgentError], None]) -> None:
        desk.accept = well  # type: ignore[method-assign]
        well(principal, ask, lambda _: None)
        raise ZeroDivisionError

    desk.accept = accept  # type: ignore[method-assign]


def all_are(h: House, state: JobState, outcome: Outcome = Outcome.UNKNOWN) -> None:
    for job_id, job in h.desk.jobs.items():
        h.desk.jobs[job_id] = msgspec.structs.replace(job, state=state, outcome=outcome)
    h.reader.kept = dict(h.desk.jobs)


def time_passes(folder: Path, ms: int) -> None:
    (path,) = (folder / "state/taxctl/requests").iterdir()
    entry = json.loads(path.read_bytes())
    entry["sent_at"] -= ms
    path.write_text(json.dumps(entry))


def asked(h: House) -> int:
    return len({ask.key for _, ask in h.desk.asked})


def test_the_job_of_a_lost_answer_is_found_and_shown_with_its_end(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        lose_the_answer(h.desk)
        assert run(h, capsysbinary, *SETTLE)[0] == 20
        all_are(h, JobState.DONE, Outcome.EXECUTED)
        code, shown = run(h, capsysbinary, *SETTLE)
        assert (code, shown["job"]["state"], asked(h)) == (0, "done", 1)


def test_its_end_is_the_answer_once_and_the_next_request_is_a_new_one(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        lose_the_answer(h.desk)
        run(h, capsysbinary, *SETTLE)
        all_are(h, JobState.DONE, Outcome.EXECUTED)
        run(h, capsysbinary, *SETTLE)
        assert (run(h, capsysbinary, *SETTLE)[0], asked(h)) == (30, 2)


@pytest.mark.parametrize("more", [(), ("--limit", "0")])
@pytest.mark.parametrize("months", [1, 2, 3])
def test_each_later_month_is_submitted_although_an_answer_was_lost_before(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], months: int, more: tuple[str, ...]
) -> None:
    with house(tmp_path) as h:
        lose_the_answer(h.desk)
        run(h, capsysbinary, *SETTLE)
        for month in range(months):
            all_are(h, JobState.DONE, Outcome.EXECUTED)
            time_passes(tmp_path, DAYS_40_MS)
            command = SETTLE if month or not more else (*SETTLE[:-1], *more)
            assert (run(h, capsysbinary, *command)[0], asked(h)) == (30, month + 2)


def test_a_live_job_of_another_month_does_not_stand_for_this_months_request(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        run(h, capsysbinary, *SETTLE)
        all_are(h, JobState.WAITING)
        time_passes(tmp_path, DAYS_40_MS)
        assert (run(h, capsysbinary, *SETTLE)[0], asked(h)) == (30, 2)


def test_a_request_that_names_its_month_finds_its_live_job_at_any_time(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        run(h, capsysbinary, *SETTLE, "--period", "2026-10")
        all_are(h, JobState.WAITING)
        time_passes(tmp_path, DAYS_40_MS)
        code, shown = run(h, capsysbinary, *SETTLE, "--period", "2026-10")
        assert (code, shown["job"]["state"], asked(h)) == (30, "waiting", 1)


@pytest.mark.parametrize("ago_ms, requests", [(MINUTE_MS, 1), (HOURS_2_MS, 2)])
def test_an_end_that_nobody_saw_answers_the_same_command_for_an_hour(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], ago_ms: int, requests: int
) -> None:
    command = ("check", DEVICE, "--no-wait", "--period", "2026-10")
    with house(tmp_path) as h:
        lose_the_answer(h.desk)
        run(h, capsysbinary, *command)
        all_are(h, JobState.DONE, Outcome.EXECUTED)
        time_passes(tmp_path, ago_ms)
        run(h, capsysbinary, *command)
        assert asked(h) == requests
