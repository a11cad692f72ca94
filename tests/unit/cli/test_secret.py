"""`taxagent secret` takes a password from a terminal or a pipe, never from an argument."""

from __future__ import annotations

import getpass
import io
import sys
from pathlib import Path

import pytest

from taxagent.cli.main import main
from taxagent.host.secret_files import SecretFiles

NAME = "device-661234567890"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "taxagent.toml"
    bureau = 'url = "https://h"\nca = "a"\ncertificate = "b"\nkey = "c"'
    path.write_text(f'[agent]\nstate_dir = "state"\n[bureau]\n{bureau}\n', encoding="utf-8")
    return path


def secret(config: Path, *words: str) -> int:
    return main(["--lang", "en", "secret", *words, "--config", str(config)])


def test_a_password_comes_by_a_pipe_and_is_not_shown(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("88888888\r\n"))
    assert secret(config, "status", NAME) == 10
    assert secret(config, "set", NAME) == 0
    assert secret(config, "status", NAME) == 0
    assert SecretFiles(config.parent / "secrets").get(NAME) == "88888888"
    assert "88888888" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "typed, code, kept", [(("1", "1"), 0, "1"), (("1", "2"), 2, None), (("", ""), 2, None)]
)
def test_at_a_terminal_it_is_asked_for_twice(
    config: Path, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, str], code: int, kept: str | None
) -> None:
    answers = list(typed)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: answers.pop(0))
    assert secret(config, "set", NAME) == code
    assert SecretFiles(config.parent / "secrets").get(NAME) == kept


@pytest.mark.parametrize(
    "name", ["661234567890", "device-1", "device-66123456789x", "../device-661234567890"]
)
def test_only_a_device_has_a_secret(config: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert secret(config, "status", name) == 2
    assert "12 digits" in capsys.readouterr().err


def test_there_is_no_argument_for_the_password(config: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        secret(config, "set", NAME, "88888888")
    assert stopped.value.code == 2
