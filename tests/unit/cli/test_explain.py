"""`taxagent explain`: a fault in words, without an agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from taxagent.cli.main import main
from taxagent.model.faults import Prompt, codes, fault

OWN = ["AGENT_UNAVAILABLE", "TIMEOUT", "PROTOCOL_ERROR"]  # what only a client can meet


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
    found = {entry["code"] for entry in json.loads(capsys.readouterr().out)["faults"]}
    assert {"TICKET_REJECTED", "TICKET_STALE", "ALREADY_CLEARED"} <= found
    assert "DEVICE_ABSENT" not in found


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=zh", "explain"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*codes(), *OWN]


def test_what_is_neither_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=en", "explain", "FLAT_TYRE"]) == 2
    err = capsys.readouterr().err
    assert "FLAT_TYRE: neither" in err
    assert "nine prompts" in err


def found(capsys: pytest.CaptureFixture[str], what: str) -> list[dict[str, Any]]:
    assert main(["--lang=en", "explain", what, "--json"]) == 0
    entries: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["faults"]
    return entries


@pytest.mark.parametrize("prompt", [prompt for prompt in Prompt if prompt])
def test_each_of_the_nine_prompts_is_found(capsys: pytest.CaptureFixture[str], prompt: Prompt) -> None:
    expected = [code for code in codes() if fault(code).prompt is prompt]
    for said in (prompt, prompt[1:], f"提示：{prompt}！"):
        assert [entry["code"] for entry in found(capsys, said)] == expected


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("时钟", "CLOCK_WRONG"),
        ("电池", "CLOCK_WRONG"),
        ("离线", "UPLOAD_PENDING"),
        ("没有上传", "UPLOAD_PENDING"),
        ("锁死", "DEVICE_LOCKED"),
        ("90 天", "OVERDUE"),
        ("已经抄", "ALREADY_SEALED"),
        ("没有需要", "NOTHING_DUE"),
        ("已满", "DEVICE_FULL"),
        ("版本", "BUREAU_VERSION"),
        ("正忙", "DEVICE_BUSY"),
        ("维护", "BUREAU_MAINTENANCE"),
        ("Maintenance", "BUREAU_MAINTENANCE"),
        ("另一个纳税人", "TAXPAYER_WRONG"),
    ],
)
def test_the_frequent_ones_are_found_by_a_part_of_their_words(
    capsys: pytest.CaptureFixture[str], said: str, code: str
) -> None:
    assert code in [entry["code"] for entry in found(capsys, said)]


def test_a_vendors_code_is_shown_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=zh", "explain", "09D118"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ALREADY_CLEARED: 设备已经清过卡\n")
    assert "厂商代码  09d118（税控盘、税务UKey）：已经清卡\n" in out
    assert main(["--lang=en", "explain", "195"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("NOTHING_DUE: ")
    assert "195 (golden disk): nothing to report\n" in out
    assert "09d11b" not in out


def test_the_tries_left_in_a_vendors_code_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    (entry,) = found(capsys, "09d1c3")
    (vendor,) = entry["vendor_codes"]
    assert (entry["code"], vendor["code"], vendor["tries_left"]) == ("PASSWORD_WRONG", "09d1c3", 3)
    assert vendor["words"] == "the device's password is wrong, 3 tries left"


def test_one_letter_is_part_of_everything_and_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=en", "explain", "e"]) == 2
    assert "e: neither" in capsys.readouterr().err


@pytest.mark.parametrize("code", OWN)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_only_a_client_can_meet_is_explained_without_an_agent(
    code: str, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", lang, "explain", code]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{code}: ")
    assert ("由谁处理" if lang == "zh" else "who can mend it") in out


def test_cause_who_outcome_and_retry_are_told_of_each_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=en", "explain", "--json"]) == 0
    for entry in json.loads(capsys.readouterr().out)["faults"]:
        for name in ("title", "message", "remedy", "who", "outcome", "retry"):
            assert entry[name], (entry["code"], name)


def test_what_may_have_been_done_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=zh", "explain", "ANSWER_LOST"]) == 0
    assert "不要另行重做" in capsys.readouterr().out
