"""The back-up archive: one zip, streamed to disk, fsynced, renamed into place and read back."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from taxagent.model.errors import Refusal

_CHUNK = 64 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: equal content gives equal bytes


class ZipArchives:
    """procedures.work.Archives in a folder. A file that has its final name is whole and was read back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self, name: str, manifest: dict[str, str], parts: Iterable[tuple[str, Iterator[bytes]]]
    ) -> tuple[str, str]:
        """Write the parts and a manifest of their SHA-256; return (absolute path, SHA-256 of the file).

        Raises Refusal("BACKUP_FAILED", path=, error=) where the disk or the read-back fails; what `parts`
        raises passes through. Nothing half-written keeps a name that looks whole.
        """
        target = self._folder / name
        partial = target.with_suffix(".partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._write(partial, manifest, parts)
            digest = verified(partial)
            partial.replace(target)
            _sync_folder(target.parent)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise Refusal("BACKUP_FAILED", path=str(target), error=str(error)) from error
        finally:
            partial.unlink(missing_ok=True)
        return str(target), digest

    def _write(
        self, path: Path, manifest: dict[str, str], parts: Iterable[tuple[str, Iterator[bytes]]]
    ) -> None:
        digests: dict[str, str] = {}
        with open(path, "wb", opener=_private) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for part, chunks in parts:
                    digest = hashlib.sha256()
                    with archive.open(_entry(part), "w", force_zip64=True) as out:
                        for chunk in chunks:
                            digest.update(chunk)
                            out.write(chunk)
                    digests[part] = digest.hexdigest()
                body = json.dumps({**manifest, "sha256": digests}, ensure_ascii=False, indent=1)
                archive.writestr(_entry("manifest.json"), body.encode())
            file.flush()
            os.fsync(file.fileno())


def verified(path: Path) -> str:
    """Read an archive back and return the SHA-256 hex of the file.

    Raises ValueError or zipfile.BadZipFile where the parts are not what the manifest says.
    """
    with zipfile.ZipFile(path) as archive:
        expected: dict[str, str] = json.loads(archive.read("manifest.json"))["sha256"]
        found = {name for name in archive.namelist() if name != "manifest.json"}
        if found != set(expected):
            msg = f"parts differ from the manifest: {sorted(found ^ set(expected))}"
            raise ValueError(msg)
        for part, digest in expected.items():
            with archive.open(part) as stream:
                if _digest(iter(lambda: stream.read(_CHUNK), b"")) != digest:
                    msg = f"{part} is not what was written"
                    raise ValueError(msg)
    with path.open("rb") as file:
        return _digest(iter(lambda: file.read(_CHUNK), b""))


def _digest(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o640 << 16
    return entry


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the platform lets a folder be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
