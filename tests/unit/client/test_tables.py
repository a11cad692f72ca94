"""Tables: drawn at a terminal, plain columns for pipes, and nothing but JSON for programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from taxagent.model.job import JobState, Outcome
from taxclient.cli.columns import Table, plain, width
from taxclient.cli.drawn import drawn
from tests.builders.command import run
from tests.builders.ipc import DEVICE, House, house, job
from tests.builders.terminals import read_until, terminal

RULE = "─"


def with_a_job(h: House) -> None:
    ended = msgspec.structs.replace(job(), state=JobState.DONE, outcome=Outcome.EXECUTED)
    h.reader.kept[ended.job_id] = ended


def test_a_chinese_character_is_two_wide() -> None:
    assert width("清卡 007") == 8
    rows = [("清卡", "1"), ("seal it", "200")]
    assert list(Table(rows, right=(1,)).plain()) == ["清卡       1", "seal it  200"]


def test_lines_and_tables_become_lines() -> None:
    assert list(plain(["a", Table([("b", "c")], ("B", "C"), indent=" ")])) == ["a", " B  C", " b  c"]


def test_at_a_terminal_a_list_is_drawn(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        with_a_job(h)
        with terminal(h, "job", "list") as (fd, child):
            shown = read_until(fd, "executed")
            child.wait(10)
    assert RULE in shown
    assert DEVICE in shown


def test_a_pipe_gets_plain_columns_and_loads_no_rich(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom taxclient.cli.main import main\nmain(sys.argv[1:])\n"
        "print('rich' in sys.modules, file=sys.stderr)\n"
    )
    with house(tmp_path) as h:
        with_a_job(h)
        command = [sys.executable, "-c", script, "--endpoint", h.endpoint, "--lang", "zh", "job", "list"]
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
    head, row = done.stdout.decode().splitlines()
    assert head.split() == ["任务", "受理时间", "业务", "设备", "月份", "状态（结果）"]
    assert row.endswith("  已完成（已执行）（这是模拟）")
    assert RULE not in done.stdout.decode()
    assert done.stderr.decode().strip() == "False"


def test_json_is_json_at_a_terminal_as_well(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        with_a_job(h)
        assert len(run(h, capsysbinary, "job", "list")[1]["jobs"]) == 1


def test_brackets_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", "80")
    text = drawn(Table([("[bold]a[/]", "[PEAK_HOURS]")], ("A", "B")))
    assert "[bold]a[/]" in text
    assert "[PEAK_HOURS]" in text


def test_a_job_id_is_never_cut_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", "60")
    row = (
        "01M88A6GNE0859D9ETPKHQR97R",
        "2026-11-25 10:57:44",
        "月结（抄报并清卡）",
        "661700000011",
        "已完成",
    )
    text = drawn(Table([row], ("任务", "受理时间", "业务", "设备", "状态")))
    for cell in row:
        assert cell in text
