"""Secrets as files: systemd's credentials first, else a private folder. Knows no configuration."""

from __future__ import annotations

import os
import re
import secrets as random_bytes
import stat
from collections.abc import Mapping
from pathlib import Path

from taxagent.model.errors import Refusal

CREDENTIAL = "secret_"
"""What stands before a file's name where the unit loads a whole folder: LoadCredential=secret:FOLDER."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # a device names itself: its name must stay a name


def credentials(environment: Mapping[str, str]) -> Path | None:
    """Return the folder in which systemd hands this process its credentials, or None."""
    folder = environment.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None


class SecretFiles:
    """ports.Secrets over `$CREDENTIALS_DIRECTORY` and a folder that only its owner may read."""

    def __init__(self, folder: Path, credentials: Path | None = None) -> None:
        self._folder = folder
        self._credentials = credentials

    def get(self, name: str) -> str | None:
        """Return the secret without its last line end, or None where there is none or an empty one.

        Raises Refusal: SECRET_EXPOSED (path=) for a file in the folder that others than its owner may read,
        SECRET_STORE_UNUSABLE (path=, what=) for one that cannot be read as text.
        """
        _checked(name)
        if self._credentials is not None:
            for given in (name, f"{CREDENTIAL}{name}"):
                if value := _read(self._credentials / given, private=False):
                    return value
        return _read(self._folder / name, private=True) or None

    def given(self, name: str) -> str:
        """Return the mark of the last `set` of this secret, "" where it was put there by other means."""
        try:
            return (self._folder / f".{_checked(name)}.given").read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return ""

    def set(self, name: str, value: str) -> Path:
        """Write a secret, readable by its owner alone; return its path. The old one stands until it is whole.

        Raises Refusal("SECRET_STORE_UNUSABLE", path=, what=).
        """
        path = self._folder / _checked(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(path, value)
            _replace(path.with_name(f".{name}.given"), random_bytes.token_hex(8))
            _sync(self._folder)
        except OSError as error:
            raise _unusable(path, error) from error
        return path


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, in a folder like it; the old one stands until it is whole.

    Raises Refusal("SECRET_STORE_UNUSABLE", path=, what=).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(path, text)
        _sync(path.parent)
    except OSError as error:
        raise _unusable(path, error) from error


def read_private(path: Path) -> str | None:
    """Return the text of such a file, or None where there is none.

    Raises Refusal: SECRET_EXPOSED (path=) where others may read it, SECRET_STORE_UNUSABLE (path=, what=).
    """
    return _read(path, private=True)


def write_public(path: Path, text: str) -> None:
    """Write a file that everybody may read and its owner may change; a folder that lacks is made (0755).

    Raises Refusal("SECRET_STORE_UNUSABLE", path=, what=).
    """
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)  # whatever the umask says
        _replace(path, text, 0o644)
    except OSError as error:
        raise _unusable(path, error) from error


def _replace(path: Path, value: str, mode: int = 0o600) -> None:
    """Write a file with this mode; the old one stands until the new one is whole."""
    partial = path.with_name(f".{path.name.lstrip('.')}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        _give_to_owner_of(path.parent, file.fileno())
        if os.name == "posix":
            os.fchmod(file.fileno(), mode)  # whatever the umask says
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _give_to_owner_of(folder: Path, descriptor: int) -> None:
    """What root writes into the folder of the agent's user belongs to that user, who is to read it.

    The open file and not its name: in that folder the user could put another file under it meanwhile.
    """
    if os.name == "posix" and os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _read(path: Path, *, private: bool) -> str | None:
    """Return the text of a file that exists; its permissions are those of the very file that is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        with os.fdopen(descriptor, "rb") as file:
            if private and _exposed(os.fstat(file.fileno())):
                raise Refusal("SECRET_EXPOSED", path=str(path))
            text = file.read().decode("utf-8-sig")  # editors of Windows put a BOM before it
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error
    return text.removesuffix("\n").removesuffix("\r")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Refusal("BAD_REQUEST", field="name", what=f"{name[:40]!r} is no name of a secret")
    return name


def _unusable(path: Path, error: Exception) -> Refusal:
    """The reason without the bytes: a decoding error would show some of the secret."""
    what = error.strerror or "it cannot be used" if isinstance(error, OSError) else "it is not UTF-8"
    return Refusal("SECRET_STORE_UNUSABLE", path=str(path), what=what)


def _exposed(status: os.stat_result) -> bool:
    return os.name == "posix" and bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _sync(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
