"""Secrets as files: systemd's credentials first, else a private folder. Knows no configuration."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from taxagent.model.errors import Refusal


class SecretFiles:
    """ports.Secrets over `$CREDENTIALS_DIRECTORY` and a folder that only its owner may read."""

    def __init__(self, folder: Path, credentials: Path | None = None) -> None:
        self._folder = folder
        self._credentials = credentials

    def get(self, name: str) -> str | None:
        """Return the secret without its last line end, or None where there is none.

        Raises Refusal("SECRET_EXPOSED", path=) for a file in the folder that others than its owner may read.
        """
        for folder in (self._credentials, self._folder):
            path = folder / name if folder is not None else None
            if path is not None and path.is_file():
                if folder is self._folder and _exposed(path):
                    raise Refusal("SECRET_EXPOSED", path=str(path))
                return path.read_text(encoding="utf-8").removesuffix("\n")
        return None

    def set(self, name: str, value: str) -> Path:
        """Write a secret, readable by its owner alone; return its path."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / name
        partial = path.with_name(f".{name}.partial")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return path


def _exposed(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
