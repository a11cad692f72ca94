"""The back-up archive: one zip, streamed to disk, fsynced, renamed into place and read back."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from taxagent.model.errors import Refusal

_CHUNK = 64 * 1024
_MANIFEST = "manifest.json"
_UNREADABLE = (  # what zipfile and json raise on the way through damaged bytes
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
)
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
            _made(target.parent)
            digest = self._write(partial, manifest, parts)
            if verified(partial) != digest:
                msg = "the file is not what was written"
                raise ValueError(msg)
            partial.replace(target)
        except (OSError, ValueError) as error:
            raise Refusal("BACKUP_FAILED", path=str(target), error=str(error)) from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        _kept(target)
        return str(target), digest

    def _write(
        self, path: Path, manifest: dict[str, str], parts: Iterable[tuple[str, Iterator[bytes]]]
    ) -> str:
        """Write and sync the file; return its SHA-256 as it was written, not as it may read."""
        digests: dict[str, str] = {}
        with open(path, "wb", opener=_private) as file:
            stream = _Hashed(file)
            with zipfile.ZipFile(cast("IO[bytes]", stream), "w", zipfile.ZIP_DEFLATED) as archive:
                for part, chunks in parts:
                    digest = hashlib.sha256()
                    with archive.open(_entry(part), "w", force_zip64=True) as out:
                        for chunk in chunks:
                            digest.update(chunk)
                            out.write(chunk)
                    digests[part] = digest.hexdigest()
                body = json.dumps({**manifest, "sha256": digests}, ensure_ascii=False, indent=1)
                archive.writestr(_entry(_MANIFEST), body.encode())
            file.flush()
            os.fsync(file.fileno())
            _forget(file.fileno())
        return stream.digest.hexdigest()


class _Hashed:
    """A stream to a file that cannot go back, so that what was written has one digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def verified(path: Path) -> str:
    """Read an archive back and return the SHA-256 hex of the file.

    Raises ValueError where the parts are not what the manifest says, or the file is no such archive.
    """
    try:
        _same_parts(path)
    except _UNREADABLE as error:
        msg = f"the archive cannot be read back: {error}"
        raise ValueError(msg) from error
    with path.open("rb") as file:
        return _digest(iter(lambda: file.read(_CHUNK), b""))


def _same_parts(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        expected: dict[str, str] = json.loads(archive.read(_MANIFEST))["sha256"]
        found = sorted(archive.namelist())
        if found != sorted([*expected, _MANIFEST]):
            msg = f"the parts {', '.join(found)} are not those of the manifest"
            raise ValueError(msg)
        for part, digest in expected.items():
            with archive.open(part) as stream:
                if _digest(iter(lambda: stream.read(_CHUNK), b"")) != digest:
                    msg = f"{part} is not what was written"
                    raise ValueError(msg)


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


def _made(folder: Path) -> None:
    """Make a folder and what is above it, so that a power cut does not take them away again."""
    if not folder.is_dir():
        _made(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o750)
        _sync_folder(folder.parent)


def _kept(target: Path) -> None:
    """Make the rename durable, or take the name back."""
    try:
        _sync_folder(target.parent)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise Refusal("BACKUP_FAILED", path=str(target), error=str(error)) from error


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the platform lets a folder be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _forget(descriptor: int) -> None:
    """Drop what memory has of a synced file, so that the read-back asks the disk, where it can."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
