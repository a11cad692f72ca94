"""The command `taxagent`: finds its commands, speaks two languages, and lets no traceback out."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import taxagent
from taxagent.cli import main as cli
from taxagent.cli import usage
from taxagent.cli.screen import default_lang, exit_code
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    BureauDown,
    BureauRefused,
    JournalRefused,
    JournalUnknown,
    Refusal,
)
from taxclient.cli import usage as taxctl_usage

HEAVY = ("usb", "zmq", "sqlite3", "httpx", "structlog", "tenacity", "usbip")


def command(run: Any) -> SimpleNamespace:
    """A command's module whose `run` is this."""

    def add(subparsers: Any) -> None:
        subparsers.add_parser("window", help="a test").add_argument("--json", action="store_true")

    return SimpleNamespace(add=add, run=run)


def given(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    monkeypatch.setattr(cli, "_module", lambda _: command(run))


def raising(error: BaseException) -> Any:
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


def test_what_the_system_keeps_shut_is_a_matter_of_permission_and_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, raising(PermissionError(13, "Permission denied", "/var/lib/taxagent/journal.db")))
    assert cli.main(["--lang", "en", "window"]) == 77
    said = capsys.readouterr().err
    assert "/var/lib/taxagent/journal.db" in said
    assert "as root or as the agent's user" in said


def test_the_exit_code_is_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, lambda args: 30)
    assert cli.main(["window"]) == 30


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BureauDown("BUREAU_DOWN"), 10),
        (BureauRefused("BUREAU_REFUSED"), 11),
        (Refusal("OVERDUE"), 11),
        (AnswerLost("ANSWER_LOST"), 20),
        (JournalUnknown("JOURNAL_UNKNOWN"), 20),
        (Refusal("CONFIG_INVALID"), 2),
        (Refusal("SCENARIO_INVALID"), 2),
        (Refusal("AGENT_ABSENT"), 69),
        (JournalRefused("INSTANCE_RUNNING"), 75),
        (Refusal("NOT_ALLOWED"), 77),
    ],
)
def test_each_fault_has_its_exit_code(
    error: AgentError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, raising(error))
    assert cli.main(["window"]) == exit_code(error) == code
    assert error.fault in capsys.readouterr().err


def test_a_fault_is_told_as_title_cause_and_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, raising(Refusal("INSTANCE_RUNNING", pid="812")))
    cli.main(["--lang", "en", "window"])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("INSTANCE_RUNNING: An agent is already running\n")
    assert "(process 812)" in err
    assert "stop it first" in err


@pytest.mark.parametrize(
    "words", [["--lang", "zh", "window"], ["window", "--lang=zh"], ["window", "--lang", "zh"]]
)
def test_the_language_may_stand_anywhere(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, raising(Refusal("INSTANCE_RUNNING")))
    cli.main(words)
    assert "已有一个代理在运行" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "lang"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "C"}, "en"),
        ({}, "en"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US"}, "zh"),
    ],
)
def test_without_it_the_environment_decides(
    variables: dict[str, str], lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_lang() == lang


def test_with_json_a_fault_is_one_object_with_the_protocols_fields(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, raising(BureauDown("BUREAU_DOWN", what="timeout")))
    cli.main(["--lang", "en", "window", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "error"
    error = told["error"]
    assert (error["code"], error["outcome"], error["retry"], error["who"], error["detail"]) == (
        "BUREAU_DOWN",
        "not_executed",
        "after_ms",
        "bureau",
        {"what": "timeout"},
    )
    assert error["message"]
    assert error["remedy"]


def test_what_nobody_foresaw_is_internal_and_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, raising(ZeroDivisionError("division by zero")))
    assert cli.main(["window"]) == 20
    err = capsys.readouterr().err
    assert err.startswith("INTERNAL")
    assert "ZeroDivisionError: division by zero (test_main.py:" in err
    assert "Traceback" not in err


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given(monkeypatch, raising(KeyboardInterrupt()))
    assert cli.main(["window"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_part_that_is_not_installed_spoils_only_its_own_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = cli.Command("taxagent.cli.nowhere", "无", "nothing")
    monkeypatch.setattr(cli, "COMMANDS", {**cli.COMMANDS, "lost": lost})
    assert cli.main(["--lang=en", "lost"]) == 11
    assert "taxagent.cli.nowhere" in capsys.readouterr().err
    assert cli.main(["window", "--year", "2025", "--json"]) == 0


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["window", "--year", "soon"], ["window", "--lang", "fr"]]
)
def test_bad_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert "usage: taxagent" in capsys.readouterr().err


def test_help_lists_every_command_in_the_language_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for lang in ("zh", "en"):
        with pytest.raises(SystemExit) as end:
            cli.main(["--lang", lang, "--help"])
        assert end.value.code == 0
        shown = capsys.readouterr().out.replace("\n", "").replace(" ", "")
        for name, row in cli.COMMANDS.items():
            assert name in shown
            assert (row.zh if lang == "zh" else row.en).replace(" ", "") in shown


def test_every_command_of_the_table_has_its_file() -> None:
    folder = Path(taxagent.__file__).parent / "cli"
    for row in cli.COMMANDS.values():
        assert (folder / f"{row.module.rpartition('.')[2]}.py").exists(), row.module


def test_window_loads_no_usb_no_zeromq_and_no_database() -> None:
    script = (
        "import sys; from taxagent.cli.main import main; main(['window', '--year', '2025', '--json'])\n"
        f"sys.exit(' '.join(set({HEAVY!r}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_a_reader_that_goes_away_hears_no_complaint() -> None:
    script = "import sys; from taxagent.cli.main import main; sys.exit(main(['window', '--year', '2025']))"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=30)
    assert err == b""


@pytest.mark.parametrize(("lang", "word"), [("zh", "地方延期"), ("en", "postponed")])
def test_the_help_of_a_command_is_in_the_language_asked_for(
    lang: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["window", "--help", "--lang", lang])
    assert word in capsys.readouterr().out


def test_usage_errors_are_told_in_chinese_as_taxctl_tells_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--lang", "zh", "window", "--bogus"])
    assert end.value.code == 2
    assert "错误：不认识的参数：--bogus" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["--lang", "en", "window", "--bogus"])
    assert "unrecognized arguments: --bogus" in capsys.readouterr().err
    assert vars(usage)["_ZH"] == vars(taxctl_usage)["_ZH"]


@pytest.mark.parametrize("code", ["JOB_UNKNOWN", "RECORD_UNKNOWN", "DEVICE_UNKNOWN"])
def test_what_is_not_there_exits_as_in_taxctl(code: str) -> None:
    assert exit_code(Refusal(code)) == 10


@pytest.mark.parametrize("words", [(), ("device",), ("control",), ("bureau",), ("file-return",)])
def test_the_help_of_simulate_is_in_chinese_where_that_is_asked_for(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--lang", "zh", "simulate", *words, "--help"])
    said = capsys.readouterr().out
    assert not {" run ", " send ", " the ", " what ", " where ", " an "} & {f" {w} " for w in said.split()}
