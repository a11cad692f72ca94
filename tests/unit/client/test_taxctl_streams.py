"""taxctl without a console: closed, broken or strange streams change no exit code's meaning."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from taxagent.model.job import JobState, Outcome
from taxclient.cli import console
from taxclient.cli.exits import NotSent
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech
from tests.builders.ipc import DEVICE, House, house

MAIN = (sys.executable, "-m", "taxclient.cli.main")


def shell(h: House, folder: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell line in which $TAXCTL is the command."""
    environment = {
        **os.environ,
        "TAXCTL": f"{' '.join(MAIN)} --endpoint {h.endpoint}",
        "XDG_STATE_HOME": str(folder / "state"),
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        ["bash", "-c", line],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )


def unread(h: House, folder: Path, *argv: str) -> tuple[int, bytes]:
    """Run taxctl with an output that nobody reads any more; return its code and what it said of errors."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            [*MAIN, "--endpoint", h.endpoint, *argv],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr


def end(h: House, state: JobState, outcome: Outcome) -> None:
    live = h.desk.live

    def ended(job_id: str) -> object:
        found = live(job_id)
        return found and msgspec.structs.replace(found, state=state, outcome=outcome)

    h.desk.live = ended  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("form", ["", "--json "])
def test_streams_that_cron_closed_change_nothing(tmp_path: Path, closed: str, form: str) -> None:
    with house(tmp_path) as h:
        done = shell(h, tmp_path, f"$TAXCTL {form}status {closed}")
        assert (done.returncode, done.stderr) == (0, b"")
        assert (DEVICE.encode() in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
        done = shell(h, tmp_path, f"$TAXCTL {form}settle {DEVICE} --yes --no-wait {closed}")
        assert (done.returncode, len(h.desk.asked)) == (30, 1)


def test_a_work_command_whose_reader_left_exits_by_the_jobs_state(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        assert unread(h, tmp_path, "check", DEVICE) == (30, b"")
        end(h, JobState.REFUSED, Outcome.NOT_EXECUTED)
        assert unread(h, tmp_path, "--json", "settle", DEVICE, "--yes") == (11, b"")


@pytest.mark.parametrize(
    "argv", [["status"], ["--json", "status"], ["settle", DEVICE, "--prepare"], ["job", "list"]]
)
def test_an_answer_that_reached_nobody_is_74(tmp_path: Path, argv: list[str]) -> None:
    with house(tmp_path) as h:
        code, said = unread(h, tmp_path, *argv)
        assert (code, said) == (74, b"")


def test_a_full_disk_behind_the_output_is_no_word_about_the_request(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        done = shell(h, tmp_path, "$TAXCTL status > /dev/full")
        assert (done.returncode, done.stderr) == (74, b"")
        done = shell(h, tmp_path, f"$TAXCTL settle {DEVICE} --yes --no-wait > /dev/full")
        assert (done.returncode, len(h.desk.asked)) == (30, 1)


def test_an_error_that_cannot_be_said_keeps_its_code(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        done = shell(h, tmp_path, "$TAXCTL job get 00000000000000000000000000 2>/dev/full")
        assert (done.returncode, done.stdout) == (10, b"")


def test_on_a_console_without_our_letters_people_read_and_json_stays_utf_8(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        ascii_only = "PYTHONIOENCODING=ascii PYTHONUTF8=0"
        done = shell(h, tmp_path, f"{ascii_only} $TAXCTL --lang zh status")
        assert (done.returncode, done.stderr) == (0, b"")
        assert DEVICE.encode() in done.stdout
        done = shell(h, tmp_path, f"{ascii_only} $TAXCTL --lang zh --json status")
        assert json.loads(done.stdout.decode("utf-8"))["devices"][0]["taxpayer_name"] == "测试商店"
        done = shell(h, tmp_path, "PYTHONIOENCODING=gbk $TAXCTL --lang zh status")
        assert "税控盘" in done.stdout.decode("gbk")
        done = shell(h, tmp_path, f"{ascii_only} $TAXCTL --help")
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_word_that_is_no_text_is_a_usage_error_and_nothing_is_sent(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        done = shell(h, tmp_path, f"$TAXCTL check {DEVICE} --ref $'\\xff'")
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
        assert h.desk.asked == []


@pytest.mark.parametrize("endpoint", ["nowhere", "ipc:///" + "x" * 200, "foo://1.2.3.4:5"])
def test_an_endpoint_that_is_none_has_no_agent(tmp_path: Path, endpoint: str) -> None:
    with house(tmp_path) as h:
        done = shell(h, tmp_path, f"$TAXCTL --endpoint {endpoint} --json status")
        assert done.returncode == 69
        assert json.loads(done.stdout)["error"]["code"] == "AGENT_UNAVAILABLE"


def test_a_question_that_nobody_sees_is_answered_with_no() -> None:
    class Broken(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            raise BrokenPipeError

    out = console.Channel(io.BufferedWriter(Broken(), 1))
    screen = Screen(Speech("en"), json=False, out=out, err=console.Channel(io.BytesIO()), terminal=True)
    assert screen.ask("Go on? ") == ""
    screen.error(NotSent("TOKEN_NEEDED", "token_needed", "token_how"))
