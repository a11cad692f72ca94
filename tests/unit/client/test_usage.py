"""taxctl's help and errors in the reader's language; what is not in form says how it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taxclient.cli import terms
from taxclient.cli.main import main
from taxclient.cli.words import Speech

COMMANDS = (
    "",
    "status",
    "why",
    "window",
    "explain",
    "invoice",
    "settle",
    "job list",
    "job close",
    "record get",
)
ENGLISH = re.compile(r"\b[a-z]{3,} [a-z]{3,}\b")


def said(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(list(words))
    out = capfd.readouterr()
    return code, out.out + out.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_chinese_has_no_english_sentence(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, text = said(capfd, "--lang", "zh", *command.split(), "--help")
    assert code == 0
    assert text.startswith("用法：taxctl")
    assert "选项：\n" in text
    assert not ENGLISH.findall(text.split("\n\n", 1)[1])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_english_has_no_chinese_heading(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, text = said(capfd, "--lang", "en", *command.split(), "--help")
    assert code == 0
    assert text.startswith("usage: taxctl")


@pytest.mark.parametrize(
    "words, text",
    [
        ((), "错误：缺少参数：命令"),
        (("settle", "--bogus"), "错误：不认识的参数：--bogus"),
        (("job", "get"), "错误：以下参数需要给出一个：任务编号 --key"),
        (("job", "list", "--number", "x"), "错误：参数 --number：值的格式不对：'x'"),
        (("settle", "--ref"), "错误：参数 --ref：需要一个值"),
        (("sattle",), "没有这个选择：'sattle'"),
    ],
)
def test_a_wrong_command_line_is_told_in_chinese(
    words: tuple[str, ...], text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, told = said(capfd, *words, "--lang", "zh")
    assert code == 2
    assert text in told


@pytest.mark.parametrize(
    "words, how",
    [
        (("settle", "--period", "202610"), "2026-10"),
        (("settle", "--period", "2026-13"), "2026-10"),
        (("settle", "--quarter", "2026Q5"), "2026Q3"),
        (("settle", "6612"), "12 位数字"),
        (("settle", "--type", "7"), "007"),
        (("settle", "--taxpayer", "abc"), "纳税人识别号"),
        (("job", "get", "abc"), "taxctl job list"),
        (("job", "wait", "--key", "k"), "16 到 64 位"),
        (("record", "list", "--before", "abc"), "taxctl job list"),
        (("invoice", "12", "34"), "10 或 12 位"),
    ],
)
def test_what_is_not_in_form_says_how_it_is_written_and_no_pattern(
    words: tuple[str, ...], how: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capfd, "--lang", "zh", "--endpoint", f"ipc://{tmp_path}/none.sock", *words)
    assert code == 2
    assert how in text
    assert "[0-9" not in text


def test_the_terms_are_explained_without_an_agent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, text = said(capfd, "--lang", "zh", "--endpoint", f"ipc://{tmp_path}/none.sock", "help")
    assert code == 0
    for term in ("抄报", "申报", "清卡", "抄税", "所属期", "锁死日期"):
        assert term in text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_term_stands_with_its_name_in_both_languages(lang: str) -> None:
    for line in terms.terms(Speech(lang)).plain():
        assert re.search("[一-鿿]", line)
        assert re.search("[a-z]{3}", line)
