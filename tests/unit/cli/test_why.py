"""taxagent why at the terminal: the same lines as taxctl's, and what a case number means."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from taxagent.cli.main import main
from taxagent.cli.reading import alone
from taxagent.cli.setup_choices import Choices, put
from taxagent.config import Settings
from taxagent.host.secret_files import SecretFiles
from tests.builders.jobs import DEVICE_NO, PASSWORD
from tests.builders.one_bus import Bus, plugged

TOLD = Choices(url="https://gateway.example", ca="ca", certificate="crt", key="key")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A configuration with the device's password, and the device plugged in."""
    plugged(monkeypatch, Bus())
    SecretFiles(tmp_path / "secrets").set(f"device-{DEVICE_NO}", PASSWORD)
    return put(msgspec.structs.replace(TOLD, state_dir=str(tmp_path / "state")), tmp_path / "agent.toml")


def test_the_verdict_stands_in_the_first_line_of_a_type(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", "--config", str(settings.path), "--lang", "zh"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(DEVICE_NO)
    assert "开票" in second
    assert "007" in second


def test_beside_an_agent_it_names_the_command_to_use(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with alone(settings):
        assert main(["why", "--config", str(settings.path), "--lang", "en"]) == 75
    assert "taxctl why" in capsys.readouterr().out


def test_a_case_code_is_explained_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "--case", "007-11-21", "--lang", "zh"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("11  LOCKED")
    assert "离线" in second


def test_a_type_without_causes_has_nothing_to_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "--case", "007-00", "--lang", "en"]) == 0
    assert "no cause" in capsys.readouterr().out


@pytest.mark.parametrize("code", ["99", "x", "007-99"])
def test_a_code_that_is_none_is_bad_input(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "--case", code, "--lang", "en"]) == 2
    assert "no such case" in capsys.readouterr().err
