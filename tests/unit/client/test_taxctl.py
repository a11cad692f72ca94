"""taxctl: what people and programs see, and the exit code that scripts go by."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from taxagent.model.errors import AnswerLost, DeviceAbsent, Refusal
from taxagent.model.job import (
    Backup,
    JobState,
    Outcome,
    Problem,
    Reading,
    Step,
    StepId,
    StepRun,
    Wait,
    WaitReason,
)
from taxagent.model.period import period
from taxclient.cli.forms import months_of
from taxclient.cli.main import main
from taxclient.sync import Client
from tests.builders.command import run, the_object
from tests.builders.diagnosis import healthy_state
from tests.builders.ipc import DEVICE, FakeDesk, device_view, house, job
from tests.builders.terminals import read_until, terminal


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


def end(desk: FakeDesk, state: JobState, outcome: Outcome) -> None:
    """Every job is at its end by the time it is looked at."""
    original = desk.live

    def live(job_id: str) -> object:
        found = original(job_id)
        return found and msgspec.structs.replace(found, state=state, outcome=outcome)

    desk.live = live  # type: ignore[method-assign,assignment]


def test_status_is_one_object_with_the_protocols_fields(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        code, shown = run(h, capsysbinary, "status")
        assert code == 0
        assert shown["devices"][0]["device_no"] == DEVICE


def test_status_for_people_is_in_their_language(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        assert main(["status", "--endpoint", h.endpoint, "--lang", "zh"]) == 0
        assert "税控盘" in capsysbinary.readouterr().out.decode()


def test_no_agent_is_69(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["--endpoint", f"ipc://{tmp_path}/none", "--json", "status"]) == 69
    error = the_object(capsysbinary.readouterr().out)["error"]
    assert (error["code"], error["outcome"]) == ("AGENT_UNAVAILABLE", "not_executed")


@pytest.mark.parametrize(
    "state, outcome, code",
    [
        (JobState.DONE, Outcome.EXECUTED, 0),
        (JobState.DONE, Outcome.NOT_EXECUTED, 0),
        (JobState.REFUSED, Outcome.NOT_EXECUTED, 11),
        (JobState.REFUSED, Outcome.PARTLY_EXECUTED, 21),
        (JobState.STOPPED, Outcome.NOT_EXECUTED, 10),
        (JobState.CLOSED, Outcome.UNKNOWN, 20),
    ],
)
def test_a_jobs_end_is_the_exit_code(
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    state: JobState,
    outcome: Outcome,
    code: int,
) -> None:
    with house(tmp_path) as h:
        end(h.desk, state, outcome)
        got, shown = run(h, capsysbinary, "settle", DEVICE, "--yes")
        assert got == code
        assert shown["job"]["state"] == state


@pytest.mark.parametrize(
    "refusal, code",
    [
        (Refusal("TOO_EARLY_IN_DAY"), 11),
        (Refusal("NOT_ALLOWED"), 77),
        (Refusal("RATE_LIMITED"), 10),
        (AnswerLost("JOURNAL_UNKNOWN"), 20),
        (Refusal("BAD_REQUEST"), 2),
        (DeviceAbsent("DEVICE_ABSENT"), 10),
    ],
)
def test_a_refused_request_is_the_exit_code(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], refusal: Refusal, code: int
) -> None:
    with house(tmp_path) as h:
        h.desk.refusal = refusal
        got, shown = run(h, capsysbinary, "backup", DEVICE)
        assert (got, shown["error"]["code"]) == (code, refusal.fault)


def test_without_a_terminal_nothing_irreversible_goes_unconfirmed(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        code, shown = run(h, capsysbinary, "settle", DEVICE)
        assert (code, shown["error"]["code"]) == (2, "TOKEN_NEEDED")
        assert f"taxctl settle {DEVICE} --prepare" in shown["error"]["remedy"]
        assert h.desk.asked == []
        assert h.desk.prepared == 0


def test_a_program_prepares_and_submits_the_token(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        code, shown = run(h, capsysbinary, "settle", DEVICE, "--prepare")
        assert (code, shown["token"]) == (0, "token-1")
        code, _ = run(h, capsysbinary, "settle", DEVICE, "--token", "token-1", "--no-wait")
        assert (code, h.desk.asked[0][1].token) == (30, "token-1")


def test_the_one_device_need_not_be_named(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with house(tmp_path) as h:
        assert run(h, capsysbinary, "check", "--no-wait")[0] == 30
        assert h.desk.asked[0][1].device_no == DEVICE
        h.desk.devices = ()
        assert run(h, capsysbinary, "check", "--no-wait")[0] == 2


def test_a_command_that_is_run_again_finds_its_job(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        first = run(h, capsysbinary, "settle", DEVICE, "--yes", "--no-wait")[1]
        h.reader.kept = dict(h.desk.jobs)
        again = run(h, capsysbinary, "settle", DEVICE, "--yes", "--no-wait")[1]
        assert again["job"]["job_id"] == first["job"]["job_id"]
        assert len(h.desk.asked) == 1


def test_a_job_whose_end_was_answered_is_not_found_again(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        first = run(h, capsysbinary, "settle", DEVICE, "--yes", "--no-wait")[1]
        for job_id, job in list(h.desk.jobs.items()):
            h.desk.jobs[job_id] = msgspec.structs.replace(job, state=JobState.DONE)
        h.reader.kept = dict(h.desk.jobs)
        again = run(h, capsysbinary, "settle", DEVICE, "--yes", "--no-wait")[1]
        assert again["job"]["job_id"] != first["job"]["job_id"]


def test_a_key_that_never_arrived_is_used_again(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        h.desk.explode = True
        assert run(h, capsysbinary, "settle", DEVICE, "--yes")[0] == 20
        h.desk.explode = False
        (kept,) = (tmp_path / "state/taxctl/requests").iterdir()
        key = json.loads(kept.read_bytes())["key"]
        run(h, capsysbinary, "settle", DEVICE, "--yes", "--no-wait")
        assert [ask.key for _, ask in h.desk.asked] == [key]
        assert kept.stat().st_mode & 0o777 == 0o600


def test_nothing_is_sent_where_the_key_cannot_be_stored(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "state").write_text("a file, no folder")
    with house(tmp_path) as h:
        assert run(h, capsysbinary, "settle", DEVICE, "--yes")[0] == 10
        assert h.desk.asked == []


def test_a_job_is_followed_step_by_step(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with house(tmp_path) as h:
        assert main(["--endpoint", h.endpoint, "settle", DEVICE, "--yes", "--no-wait"]) == 30
        (job,) = h.desk.jobs.values()
        seal = StepId(step=Step.SEAL, group="007", period="2026-10")
        run_of = StepRun(id=seal, outcome=Outcome.EXECUTED, begun_ms=1, ended_ms=2, note="reconciled")
        problem = Problem(fault="BUREAU_REFUSED", outcome=Outcome.NOT_EXECUTED)
        h.desk.jobs[job.job_id] = msgspec.structs.replace(
            job, state=JobState.REFUSED, outcome=Outcome.PARTLY_EXECUTED, steps=(run_of,), problem=problem
        )
        assert main(["--endpoint", h.endpoint, "job", "wait", job.job_id]) == 21
        out = capsysbinary.readouterr().out.decode()
        assert "seal 007 2026-10: executed (settled by reading)" in out
        assert "BUREAU_REFUSED" in out


def test_following_goes_on_when_the_agent_comes_back(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    codes: list[int] = []

    def wait_for(job_id: str) -> None:
        codes.append(main(["--endpoint", endpoint, "job", "wait", job_id]))

    waiting = job(1, state=JobState.WAITING)
    with house(tmp_path) as h:
        endpoint = h.endpoint
        h.desk.jobs[waiting.job_id] = waiting
        follower = threading.Thread(target=wait_for, args=(waiting.job_id,))
        follower.start()
        with Client(endpoint) as client:
            while not h.loop.parked:
                client.hello()
    with house(tmp_path, jobs=[msgspec.structs.replace(waiting, state=JobState.DONE)]):
        follower.join(20)
    assert codes == [0]
    assert b"done" in capsysbinary.readouterr().out


def test_a_job_that_waits_is_followed_for_as_long_as_one_has_patience(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        run(h, capsysbinary, "settle", DEVICE, "--yes", "--no-wait")
        (accepted,) = h.desk.jobs.values()
        h.reader.kept = {accepted.job_id: accepted}
        h.desk.jobs[accepted.job_id] = msgspec.structs.replace(accepted, state=JobState.WAITING)
        code, shown = run(h, capsysbinary, "settle", DEVICE, "--yes", "--patience", "0.02")
        assert (code, shown["job"]["state"]) == (30, "waiting")
        assert run(h, capsysbinary, "job", "wait", accepted.job_id, "--limit", "0.02")[0] == 30


def test_jobs_and_records_are_listed_and_shown(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        job_id = run(h, capsysbinary, "backup", DEVICE, "--no-wait")[1]["job"]["job_id"]
        ended = msgspec.structs.replace(h.desk.jobs[job_id], state=JobState.DONE, record_sha256="ab")
        h.reader.kept, h.reader.records = {job_id: ended}, {job_id: b'{"a":1}'}
        assert run(h, capsysbinary, "job", "list")[1]["jobs"][0]["job_id"] == job_id
        assert run(h, capsysbinary, "record", "list")[1]["records"][0]["sha256"] == "ab"
        assert run(h, capsysbinary, "record", "get", job_id)[1]["record"] == {"a": 1}
        assert run(h, capsysbinary, "job", "get", job_id)[1]["job"]["kind"] == "backup"
        assert run(h, capsysbinary, "job", "cancel", job_id)[0] == 0
        assert run(h, capsysbinary, "job", "get", "0" * 26)[0] == 10
        assert run(h, capsysbinary, "job", "get", "no-job-id")[0] == 2
        for argv in (["job", "list"], ["record", "list"], ["record", "get", job_id], ["job", "get", job_id]):
            assert main(["--endpoint", h.endpoint, *argv]) == 0


@pytest.mark.parametrize("answer, code, asked", [("yes\n", 30, 1), ("no\n", 10, 0)])
def test_at_a_terminal_it_shows_asks_and_submits(tmp_path: Path, answer: str, code: int, asked: int) -> None:
    with house(tmp_path) as h, terminal(h, "settle", "--no-wait") as (fd, child):
        shown = read_until(fd, "Type yes: ")
        assert "seal period 2026-10 of invoice types 007; this cannot be undone" in shown
        os.write(fd, answer.encode())
        assert child.wait(10) == code
        assert len(h.desk.asked) == asked


def test_status_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom taxclient.cli.main import main\ncode = main(sys.argv[1:])\n"
        "banned = {'structlog', 'tenacity', 'asyncio', 'rich', 'httpx', 'usb', 'sqlite3', 'taxagent'}\n"
        "print(sorted(banned & set(sys.modules)), code, file=sys.stderr)\n"
    )
    with house(tmp_path) as h:
        command = [sys.executable, "-c", script, "--endpoint", h.endpoint, "status"]
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
        assert done.stderr.decode().strip() == "[] 0"


def test_a_check_says_what_it_found_and_still_ends_with_0(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    found = tuple(Problem(fault=code, outcome=Outcome.NOT_EXECUTED) for code in ("BUREAU_DOWN", "PEAK_HOURS"))
    with house(tmp_path) as h:
        checked = job(
            1,
            kind="check",
            state=JobState.DONE,
            before=Reading(state=healthy_state(), totals=(), findings=found),
        )
        h.desk.jobs[checked.job_id] = checked
        assert main(["--endpoint", h.endpoint, "job", "wait", checked.job_id]) == 0
        out = capsysbinary.readouterr().out.decode()
        assert "[BUREAU_DOWN]" in out
        assert "[PEAK_HOURS]" in out
        shown = run(h, capsysbinary, "job", "get", checked.job_id)[1]["job"]
        assert [each["code"] for each in shown["findings"]] == ["BUREAU_DOWN", "PEAK_HOURS"]


def test_several_devices_are_named_with_the_command_to_type(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        h.desk.devices = (device_view(), device_view(device_no="661234567891"))
        assert main(["--endpoint", h.endpoint, "check"]) == 2
        said = capsysbinary.readouterr().err.decode()
        assert f"several devices: {DEVICE}, 661234567891" in said
        assert f"next: taxctl check {DEVICE}" in said


def test_a_quarter_is_its_three_months() -> None:
    assert months_of("2026Q3") == ("2026-07", "2026-08", "2026-09")
    assert months_of("2026Q4") == ("2026-10", "2026-11", "2026-12")
    assert months_of("") == ()


def test_prepare_says_how_the_token_is_used(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        argv = ["settle", DEVICE, "--period", "2026-10", "--prepare"]
        assert main(["--endpoint", h.endpoint, *argv]) == 0
        out = capsysbinary.readouterr().out.decode()
        assert f"next: taxctl settle {DEVICE} --period 2026-10 --token token-1" in out


def test_an_ended_backup_says_where_its_file_is(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        kept = Backup(period=period("2026-10"), path="/var/kept.zip", sha256="ab", before=Step.SEAL)
        ended = job(1, kind="backup", state=JobState.DONE, backups=(kept,))
        h.desk.jobs[ended.job_id] = ended
        assert main(["--endpoint", h.endpoint, "job", "wait", ended.job_id]) == 0
        assert "back-up 2026-10: /var/kept.zip" in capsysbinary.readouterr().out.decode()


def test_the_list_of_jobs_has_headings(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with house(tmp_path) as h:
        h.reader.kept = {job().job_id: job()}
        assert main(["--endpoint", h.endpoint, "job", "list"]) == 0
        assert ["job", "accepted", "work"] in [
            line.split()[:3] for line in capsysbinary.readouterr().out.decode().splitlines()
        ]


@pytest.mark.parametrize("simulated", [True, False])
def test_a_job_of_a_simulated_device_is_marked_in_the_list_and_alone(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], simulated: bool
) -> None:
    with house(tmp_path) as h:
        h.desk.devices = tuple(msgspec.structs.replace(v, simulated=simulated) for v in h.desk.devices)
        h.desk.jobs = h.reader.kept = {job().job_id: job()}
        for argv in (["job", "list"], ["job", "get", job().job_id]):
            assert main(["--endpoint", h.endpoint, *argv]) == 0
            shown = capsysbinary.readouterr().out.decode().splitlines()
            (line,) = (line for line in shown if line.startswith(job().job_id))
            assert line.endswith("(SIMULATION)") == simulated


def test_taxctl_has_a_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out.startswith("taxctl ")


def test_who_follows_a_waiting_job_sees_why_before_it_ends(tmp_path: Path) -> None:
    why = Wait(reason=WaitReason.DECLARATION, fault="NOT_DECLARED", since_ms=1, next_ms=2, until_ms=None)
    waiting = job(1, state=JobState.WAITING, wait=why)
    with house(tmp_path) as h:
        h.desk.jobs[waiting.job_id] = waiting
        with terminal(h, "job", "wait", waiting.job_id) as (fd, child):
            read_until(fd, "next attempt")
            child.send_signal(signal.SIGINT)
            read_until(fd, "goes on by itself")
            assert child.wait(10) == 130


def test_a_month_that_is_done_gets_no_token(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        h.desk.consequences = ()
        assert main(["--endpoint", h.endpoint, "--lang", "zh", "settle", DEVICE, "--prepare"]) == 0
    shown = capsysbinary.readouterr().out.decode()
    assert "此前已经办完" in shown
    assert "token-1" not in shown
