"""A back-up with its final name is whole, was read back, and took no memory to write."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.model.errors import DeviceAbsent, Refusal
from taxagent.records import archive
from taxagent.records.archive import ZipArchives, verified

NAME = "661234567890/2026-10/a.zip"
PARTS = {"state.json": b'{"a":1}', "invoices-007.jsonl": b'{"number":"1"}\n' * 500}


def parts(**changed: bytes) -> Iterator[tuple[str, Iterator[bytes]]]:
    for name, body in {**PARTS, **changed}.items():
        yield name, iter([body[:10], body[10:]])


def written(folder: Path) -> Path:
    path, _ = ZipArchives(folder).write(NAME, {"period": "2026-10"}, parts())
    return Path(path)


def named(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_it_holds_its_parts_and_a_manifest_of_their_digests(tmp_path: Path) -> None:
    path, digest = ZipArchives(tmp_path).write(NAME, {"period": "2026-10"}, parts())
    assert Path(path) == tmp_path / NAME
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest == verified(Path(path))
    with zipfile.ZipFile(path) as kept:
        manifest = json.loads(kept.read("manifest.json"))
        assert {name: kept.read(name) for name in PARTS} == PARTS
    assert manifest == {
        "period": "2026-10",
        "sha256": {name: hashlib.sha256(body).hexdigest() for name, body in PARTS.items()},
    }


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first = ZipArchives(tmp_path / "a").write(NAME, {}, parts())
    assert ZipArchives(tmp_path / "b").write(NAME, {}, parts())[1] == first[1]


def test_a_job_that_is_run_again_writes_it_anew(tmp_path: Path) -> None:
    written(tmp_path)
    path, digest = ZipArchives(tmp_path).write(NAME, {}, parts(**{"state.json": b"{}"}))
    assert verified(Path(path)) == digest
    assert named(tmp_path) == ["a.zip"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_only_the_agent_and_its_group_can_read_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0


def test_a_hundred_thousand_invoices_take_no_memory(tmp_path: Path) -> None:
    line = b'{"code":"044001900111","number":"%08d","amount":1130000,"tax":130000}\n'
    lines = (line % number for number in range(200_000))
    tracemalloc.start()
    try:
        ZipArchives(tmp_path).write(NAME, {}, [("invoices-007.jsonl", lines)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -30])
def test_a_cut_file_is_not_read_back(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    with pytest.raises(ValueError, match=r"cannot be read back|not"):
        verified(path)


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    path, digest = ZipArchives(tmp_path).write(NAME, {"period": "2026-10"}, parts())
    whole = Path(path).read_bytes()
    for at in range(len(whole)):
        Path(path).write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            assert verified(Path(path)) != digest
        except ValueError:
            continue


def test_a_changed_part_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("state.json", b"{}")
        made.writestr("manifest.json", json.dumps({"sha256": {"state.json": "00" * 32}}))
    with pytest.raises(ValueError, match=r"state\.json is not what was written"):
        verified(path)


@pytest.mark.parametrize("manifest", [None, b"{}", b"[]", b'{"sha256": {}}', b'{"sha256": 3}', b"not json"])
def test_parts_that_the_manifest_does_not_vouch_for_are_noticed(
    tmp_path: Path, manifest: bytes | None
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("state.json", b"{}")
        if manifest is not None:
            made.writestr("manifest.json", manifest)
    with pytest.raises(ValueError, match=r".+"):
        verified(path)


def test_a_disk_that_writes_something_else_fails_the_back_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying(path: Path) -> str:
        whole = bytearray(path.read_bytes())
        whole[len(whole) // 3] ^= 0xFF
        path.write_bytes(whole)
        return verified(path)

    monkeypatch.setattr(archive, "verified", lying)
    with pytest.raises(Refusal, match="BACKUP_FAILED"):
        written(tmp_path)
    assert named(tmp_path) == []


def failing(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("deed", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_no_file_with_a_name_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    if deed == "fsync":
        monkeypatch.setattr(os, "fsync", failing)
    else:
        monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(Refusal, match="BACKUP_FAILED") as caught:
        written(tmp_path)
    assert "No space left" in caught.value.detail["error"]
    assert named(tmp_path) == []


def test_a_rename_that_is_not_durable_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = (tmp_path / NAME).parent
    folder.mkdir(parents=True)
    monkeypatch.setattr(archive, "_sync_folder", failing)
    with pytest.raises(Refusal, match="BACKUP_FAILED"):
        written(tmp_path)
    assert named(tmp_path) == []


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "661234567890").write_bytes(b"a file")
    with pytest.raises(Refusal, match="BACKUP_FAILED") as caught:
        written(tmp_path)
    assert caught.value.detail["path"] == str(tmp_path / NAME)


def test_what_the_device_says_meanwhile_passes_through(tmp_path: Path) -> None:
    def lost() -> Iterator[bytes]:
        yield b"x"
        raise DeviceAbsent("DEVICE_ABSENT")

    with pytest.raises(DeviceAbsent):
        ZipArchives(tmp_path).write(NAME, {}, [("invoices-007.jsonl", lost())])
    assert named(tmp_path) == []
