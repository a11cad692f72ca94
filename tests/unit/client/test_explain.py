"""taxctl explain: the agent's catalogue at a terminal, and the client's own codes without an agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxclient.cli.main import main
from tests.builders.command import run
from tests.builders.ipc import house


def test_the_agents_words_come_over_the_wire(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        code, found = run(h, capsysbinary, "explain", "清卡失败")
    assert code == 0
    assert {"TICKET_REJECTED", "TICKET_STALE"} <= {fault["code"] for fault in found["faults"]}
    assert {fault["prompt"] for fault in found["faults"]} == {"清卡失败"}


def test_one_fault_is_told_in_full_in_the_callers_language(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with house(tmp_path) as h:
        assert main(["--endpoint", h.endpoint, "--lang", "zh", "explain", "09d1c3"]) == 0
    out = capfd.readouterr().out
    for fact in (
        "PASSWORD_WRONG: ",
        "怎么办：",
        "由谁处理  本单位",
        "重试",
        "09d1c3（税控盘、税务UKey）：",
        "无法登录",
    ):
        assert fact in out


def test_words_that_mean_nothing_are_bad_usage(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        code, found = run(h, capsysbinary, "explain", "FLAT_TYRE")
    assert (code, found["error"]["code"]) == (2, "MEANING_UNKNOWN")


def test_the_whole_catalogue_ends_with_the_clients_own(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        _, found = run(h, capsysbinary, "explain")
    assert [fault["code"] for fault in found["faults"][-3:]] == [
        "AGENT_UNAVAILABLE",
        "TIMEOUT",
        "PROTOCOL_ERROR",
    ]


@pytest.mark.parametrize("said", ["AGENT_UNAVAILABLE", "timeout", "protocol-error"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_clients_own_codes_need_no_agent(
    said: str, lang: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"ipc://{tmp_path}/none.sock"
    assert main(["--endpoint", nowhere, "--lang", lang, "explain", said]) == 0
    assert capfd.readouterr().out.startswith(said.upper().replace("-", "_"))


def test_without_an_agent_it_names_the_command_that_needs_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["--endpoint", f"ipc://{tmp_path}/none.sock", "--lang", "en", "explain", "DEVICE_ABSENT"]) == 69
    )
    assert "taxagent explain DEVICE_ABSENT" in capfd.readouterr().err


def test_each_fault_behind_a_prompt_is_told_in_full(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with house(tmp_path) as h:
        assert main(["--endpoint", h.endpoint, "--lang", "zh", "explain", "未完成报税"]) == 0
    out = capfd.readouterr().out
    for code in ("NOT_DECLARED", "DECLARATION_MISMATCH"):
        assert f"{code}: " in out
    for fact in ("怎么办：", "由谁处理", "结果", "重试", "对应提示"):
        assert out.count(fact) == 2
