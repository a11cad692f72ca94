"""`taxagent journal`: reads a journal that may be in use, and says whether it can be trusted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from taxagent.cli.journal_words import said
from taxagent.cli.main import main
from taxagent.journal import JOURNAL_NAME
from taxagent.model.events import AgentStopped, AnyEvent
from tests.builders import journal as build

ROWS = len(build.varied())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with build.journal(tmp_path) as writer:
        writer.append(*build.varied())
    return tmp_path


def damaged(folder: Path) -> None:
    path = folder / JOURNAL_NAME
    path.write_bytes(path.read_bytes().replace(b'"version":"0.1.0"', b'"version":"0.1.1"'))


def test_verify_says_rows_and_head(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "journal", "verify", "--state", str(folder)]) == 0
    with build.reading(folder) as reader:
        head = reader.head()
    assert capsys.readouterr().out == f"journal {journal_id(folder)} holds: {ROWS} rows\nhead {head}\n"
    assert main(["journal", "verify", "--state", str(folder), "--anchor", str(head), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "verified": True,
        "journal_id": journal_id(folder),
        "rows": ROWS,
        "last_seq": ROWS,
        "head_hash": head.hash.hex(),
    }


def journal_id(folder: Path) -> str:
    with build.reading(folder) as reader:
        return reader.journal_id()


def test_verify_names_the_first_bad_row_and_exits_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged(folder)
    assert main(["--lang", "en", "journal", "verify", "--state", str(folder)]) == 1
    assert "first bad row 1: a row does not match its hash" in capsys.readouterr().err
    assert main(["journal", "verify", "--state", str(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first_bad_seq"] == 1


def test_verify_finds_a_cut_tail_by_an_anchor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    anchor = f"{ROWS + 1}:{'00' * 32}"
    assert main(["journal", "verify", "--state", str(folder), "--anchor", anchor, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first_bad_seq"] == ROWS + 1


@pytest.mark.parametrize("anchor", ["12", "x:" + "00" * 32, "12:00", "12:" + "zz" * 32])
def test_an_anchor_that_is_none_is_a_usage_error(folder: Path, anchor: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["journal", "verify", "--state", str(folder), "--anchor", anchor])
    assert ended.value.code == 2


def test_no_journal_is_no_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", "--state", str(tmp_path)]) == 10
    assert "JOURNAL_REFUSED" in capsys.readouterr().err


def test_show_prints_a_line_a_row_while_the_agent_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(*build.varied())
        assert main(["--lang", "en", "journal", "show", "--state", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == ROWS
    assert re.fullmatch(
        r" +1  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  agent started, version 0.1.0, process 1", lines[0]
    )


def test_show_can_be_narrowed_to_a_job_and_to_newer_rows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--state", str(folder), "--json"]
    assert main(["journal", "show", *where, "--job", build.job_id(2)]) == 0
    of_job = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["event"]["event"] for row in of_job] == ["job.accepted", "job.running", "step.begun"]
    assert main(["journal", "show", *where, "--job", build.job_id(2), "--since", str(of_job[0]["seq"])]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["journal", "show", *where, "--since", str(ROWS - 1)]) == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [ROWS]
    assert main(["journal", "show", *where, "--job", "01NONE"]) == 10


def test_a_snapshot_is_verified_and_never_overwrites(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder / "copy.db"
    command = ["journal", "snapshot", "--state", str(folder), "--json", str(target)]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == ROWS
    content = target.read_bytes()
    assert main(command) == 11
    assert target.read_bytes() == content


def test_a_snapshot_of_a_damaged_journal_is_not_kept(folder: Path) -> None:
    damaged(folder)
    assert main(["journal", "snapshot", "--state", str(folder), str(folder / "copy.db")]) == 1
    assert not (folder / "copy.db").exists()


NO_ROOM = """
import resource, sys
from taxagent.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960))
sys.exit(main(["journal", "snapshot", "--state", sys.argv[1], sys.argv[1] + "/copy.db", "--json"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_snapshot_that_finds_no_room_does_not_blame_the_journal(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(folder)],
        cwd=build.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert run.returncode == 11
    assert json.loads(run.stdout)["error"]["code"] == "SNAPSHOT_FAILED"
    assert not (folder / "copy.db").exists()


def test_every_event_has_words() -> None:
    assert {type(event) for event in build.varied()} == set(get_args(AnyEvent))
    for event in build.varied():
        chinese, english = said(event, "zh"), said(event, "en")
        assert english.isascii() or "某" in english
        assert chinese
        assert "\n" not in chinese + english


def test_why_the_agent_stopped_is_told_in_words() -> None:
    stopped = AgentStopped(at_ms=1, boot="boot-1", reason="device_hung")
    assert said(stopped, "zh") == "代理停止：为没有反应的设备重启"
    assert said(stopped, "en") == "agent stopped: to start again for a device that hangs"
