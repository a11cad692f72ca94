"""`taxagent explain`: a fault in words, without an agent."""

from __future__ import annotations

import json

import pytest

from taxagent.cli.main import main
from taxagent.model.faults import codes


def test_one_code_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=en", "explain", "PASSWORD_BLOCKED"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("PASSWORD_BLOCKED: The device's password is blocked\n")
    assert "the tax hall" in out
    assert "无法登录" in out
    assert "{" not in out


def test_small_letters_and_dashes_will_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=zh", "explain", "nothing-due"]) == 0
    assert "NOTHING_DUE: 没有需要办理的所属期" in capsys.readouterr().out


def test_a_line_of_the_guide_lists_what_stands_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "清卡失败", "--json"]) == 0
    found = {entry["code"] for entry in json.loads(capsys.readouterr().out)}
    assert {"TICKET_REJECTED", "TICKET_STALE", "ALREADY_CLEARED"} <= found
    assert "DEVICE_ABSENT" not in found


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=zh", "explain"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(codes())


def test_what_is_neither_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=en", "explain", "FLAT_TYRE"]) == 2
    err = capsys.readouterr().err
    assert "FLAT_TYRE is neither" in err
    assert "清卡失败" in err
