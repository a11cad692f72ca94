"""Passwords lie in files that their owner alone can read, and nothing of them is ever shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from taxagent.host.secret_files import SecretFiles
from taxagent.model.errors import Refusal

NAME = "device-661234567890"
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


def kept(folder: Path, body: bytes, mode: int = 0o600) -> SecretFiles:
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_bytes(body)
    (folder / NAME).chmod(mode)
    return SecretFiles(folder)


def test_what_was_set_is_got(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    assert files.get(NAME) is None
    files.set(NAME, "8888 税控\r")
    assert files.get(NAME) == "8888 税控"
    files.set(NAME, "9999")
    assert files.get(NAME) == "9999"
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == {NAME, f".{NAME}.given"}


def test_each_giving_has_its_own_mark_also_of_the_same_secret(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    marks = [files.given(NAME)]
    for _ in range(2):
        files.set(NAME, "8888")
        marks.append(files.given(NAME))
    assert marks[0] == ""
    assert len(set(marks)) == 3


@posix
def test_folder_and_file_are_the_owners_alone(tmp_path: Path) -> None:
    path = SecretFiles(tmp_path / "secrets").set(NAME, "8888")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("body", [b"8888\n", b"8888\r\n", b"8888"])
def test_the_last_line_end_is_no_part_of_a_secret(tmp_path: Path, body: bytes) -> None:
    assert kept(tmp_path, body).get(NAME) == "8888"


def test_the_mark_that_editors_of_windows_put_first_is_no_part_of_a_secret(tmp_path: Path) -> None:
    assert kept(tmp_path, b"\xef\xbb\xbf8888\r\n").get(NAME) == "8888"
    assert kept(tmp_path, b"\xef\xbb\xbf").get(NAME) is None


@pytest.mark.parametrize("body", [b"", b"\n"])
def test_an_empty_secret_is_none_and_costs_no_try(tmp_path: Path, body: bytes) -> None:
    assert kept(tmp_path, body).get(NAME) is None


def test_the_systems_credential_comes_first(tmp_path: Path) -> None:
    kept(tmp_path / "credentials", b"1111", 0o644)
    kept(tmp_path / "secrets", b"2222")
    assert SecretFiles(tmp_path / "secrets", tmp_path / "credentials").get(NAME) == "1111"
    (tmp_path / "credentials" / NAME).unlink()
    assert SecretFiles(tmp_path / "secrets", tmp_path / "credentials").get(NAME) == "2222"


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Refusal, match="SECRET_EXPOSED"):
        kept(tmp_path, b"8888", mode).get(NAME)


def test_what_is_no_text_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="SECRET_STORE_UNUSABLE") as caught:
        kept(tmp_path, b"\xff\xfe8888").get(NAME)
    assert "8888" not in str(caught.value.detail)
    assert "xff" not in str(caught.value.detail)


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_bytes(b"a file")
    files = SecretFiles(tmp_path / "secrets")
    for deed in (lambda: files.set(NAME, "8888"), lambda: files.get(NAME)):
        with pytest.raises(Refusal, match="SECRET_STORE_UNUSABLE") as caught:
            deed()
        assert caught.value.detail["path"] == str(tmp_path / "secrets" / NAME)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "device-\n", ".hidden", "x" * 200])
def test_a_device_cannot_name_itself_out_of_the_folder(tmp_path: Path, name: str) -> None:
    for deed in (SecretFiles(tmp_path).get, lambda name: SecretFiles(tmp_path).set(name, "8888")):
        with pytest.raises(Refusal, match="BAD_REQUEST"):
            deed(name)


def test_a_credential_of_a_whole_folder_has_the_units_word_before_its_name(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / f"secret_{NAME}").write_text("8888\n")
    assert SecretFiles(tmp_path / "secrets", credentials).get(NAME) == "8888"
    (credentials / NAME).write_text("9999\n")  # one that the unit names itself
    assert SecretFiles(tmp_path / "secrets", credentials).get(NAME) == "9999"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_what_root_sets_belongs_to_the_user_who_is_to_read_it(tmp_path: Path) -> None:
    os.chown(tmp_path, 4242, 4243)
    path = SecretFiles(tmp_path).set(NAME, "8888")
    for written in (path, tmp_path / f".{NAME}.given"):
        assert (written.stat().st_uid, written.stat().st_gid) == (4242, 4243)
