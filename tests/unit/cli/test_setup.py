"""taxagent setup: what it was told becomes a configuration that holds, or nothing is changed."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path

import msgspec
import pytest

from taxagent import config
from taxagent.cli import setup_choices
from taxagent.cli.setup_choices import Choices, access_of, complaint, from_file, put, written
from taxagent.cli.setup_words import say, sentences, worded
from taxagent.cli.terminal import Terminal
from taxagent.model.errors import Refusal

TOLD = Choices(
    url="https://gateway.example:8443/bridge",
    ca="/etc/taxagent/bureau/ca.pem",
    certificate="/etc/taxagent/bureau/agent.pem",
    key="/etc/taxagent/bureau/agent.key",
    state_dir="/var/lib/taxagent",
    users={"shop": "operator", "1000": "technician"},
    groups={'od"d\\': "viewer"},
)


def test_what_is_written_is_what_was_told(tmp_path: Path) -> None:
    settings = put(TOLD, tmp_path / "etc" / "taxagent.toml")
    file = settings.file
    assert file == config.load(tmp_path / "etc" / "taxagent.toml").file
    assert (file.bureau.url, file.bureau.key) == (TOLD.url, TOLD.key)
    assert (file.access.users, file.access.groups) == (TOLD.users, TOLD.groups)
    assert (file.agent.language, str(settings.state_dir)) == ("zh", "/var/lib/taxagent")
    assert (file.usb.driver, file.usb.backend) == ("tcdp", "libusb")


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x7f", "税", "a = 1 # b", "\x01"])
def test_any_text_survives_the_file(text: str) -> None:
    told = msgspec.structs.replace(TOLD, ca=text)
    assert tomllib.loads(written(told))["bureau"]["ca"] == text


def test_a_configuration_that_does_not_hold_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "taxagent.toml"
    path.write_text("old")
    with pytest.raises(Refusal, match="CONFIG_INVALID"):
        put(msgspec.structs.replace(TOLD, url="http://plain.example"), path)
    assert [each.name for each in tmp_path.iterdir()] == ["taxagent.toml"]
    assert path.read_text() == "old"


def test_an_old_configuration_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "taxagent.toml"
    path.write_text("first")
    put(TOLD, path)
    assert (tmp_path / "taxagent.toml.old").read_text() == "first"
    put(msgspec.structs.replace(TOLD, language="en"), path)
    assert 'language"' in (tmp_path / "taxagent.toml.old").read_text()
    assert config.load(path).file.agent.language == "en"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal) as refused:
        put(TOLD, tmp_path / "file" / "taxagent.toml")
    assert refused.value.detail["what"]


def test_answers_come_from_a_file_with_paths_from_its_folder(tmp_path: Path) -> None:
    answers = tmp_path / "answers.toml"
    answers.write_text(
        'url = "https://g.example"\nca = "ca.pem"\ncertificate = "/abs/a.pem"\nkey = "a.key"\n'
        'language = "en"\noverwrite = true\n[users]\nshop = "operator"\n'
        '[passwords]\n661234567890 = "pw"\n'
    )
    told = from_file(answers)
    assert (told.ca, told.certificate) == (str(tmp_path / "ca.pem"), "/abs/a.pem")
    assert told.passwords == {"661234567890": str(tmp_path / "pw")}
    assert (told.language, told.overwrite, told.users) == ("en", True, {"shop": "operator"})


@pytest.mark.parametrize("text", ["url = 1", "nonsense", 'url = "https://x"\npassword = "secret"', "\udcff"])
def test_answers_that_are_wrong_are_refused_with_the_reason(tmp_path: Path, text: str) -> None:
    answers = tmp_path / "answers.toml"
    answers.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refusal) as refused:
        from_file(answers)
    assert refused.value.fault == "CONFIG_INVALID"
    assert refused.value.detail["what"]


def test_answers_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="No such file"):
        from_file(tmp_path / "none.toml")


def test_who_may_use_the_agent_is_one_line() -> None:
    assert access_of("shop=operator, @tax = viewer，1000=admin") == (
        {"shop": "operator", "1000": "admin"},
        {"tax": "viewer"},
    )
    assert access_of("") == ({}, {})


@pytest.mark.parametrize("text", ["shop", "shop=king", "=viewer", "@=viewer"])
def test_a_role_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        access_of(text)


@pytest.mark.parametrize(
    "section, key, value, well",
    [
        ("bureau", "url", "https://gateway.example", True),
        ("bureau", "url", "http://gateway.example", False),
        ("bureau", "url", "", False),
        ("agent", "language", "fr", False),
        ("ipc", "endpoint", "tcp://x", False),
        ("ipc", "endpoint", "ipc:///run/x.sock", True),
    ],
)
def test_a_value_is_checked_as_the_configuration_would(
    section: str, key: str, value: str, well: bool
) -> None:
    assert (complaint(section, key, value) == "") is well


def test_both_languages_say_every_sentence_with_the_same_facts() -> None:
    names = "name location path device_no kind tries taxpayer_id terminal title cause remedy"
    facts: dict[str, object] = dict.fromkeys(names.split(), "X")
    for sentence in sentences():
        assert say(sentence, "zh", **facts).count("X") == say(sentence, "en", **facts).count("X"), sentence


def test_the_terminal_asks_again_until_the_answer_is_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("bad\n\n"))
    answer = Terminal().ask("which", "good", lambda text: "" if text == "good" else "not that")
    assert answer == "good"
    assert "which [good]:" in (out := capsys.readouterr().out)
    assert "! not that" in out


@pytest.mark.parametrize("typed, agrees", [("yes\n", True), ("是\n", True), ("\n", False), ("no\n", False)])
def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, typed: str, agrees: bool) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert Terminal().agreed("?") is agrees


def test_an_end_of_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Refusal, match="BAD_REQUEST"):
        Terminal().ask("which")


def test_the_answers_are_what_the_documentation_says() -> None:
    assert set(Choices.__struct_fields__) >= {"url", "ca", "certificate", "key", "passwords", "overwrite"}
    assert setup_choices.OLD == ".old"


def test_what_does_not_fit_is_told_in_the_language_of_who_is_asked() -> None:
    allowed = complaint("bureau", "url", "http://gateway.example")
    assert worded(allowed, "zh").startswith("https://主机")
    assert worded(allowed, "en") == allowed
