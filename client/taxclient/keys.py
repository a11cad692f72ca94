"""The client's key files on this computer: where they are, read and written for their owner alone.

One file an agent: $TAXAGENT_KEY_FILE, or HOST_PORT.json in ~/.config/taxagent/keys (Windows:
%APPDATA%/taxagent/keys). The format is docs/protocol.md, "Key files".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from taxclient.protocol import keyfile
from taxclient.protocol.errors import AuthError, ProtocolError

KEY_FILE = "TAXAGENT_KEY_FILE"


def path_for(endpoint: str, environment: Mapping[str, str]) -> Path:
    """Return where the key for an agent is looked for."""
    if given := environment.get(KEY_FILE):
        return Path(given)
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    name = f"{host.strip('[]').replace(':', '-')}_{port}.json"
    return _folder(environment) / name


def load(endpoint: str, path: Path) -> keyfile.KeyFile:
    """Return the key for an agent. Raises AuthError("no_key") or ("key_file")."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                raise AuthError(endpoint, "key_file", str(path), "others may read it: chmod 600")
            return keyfile.key_file(file.read(65_536))
    except FileNotFoundError:
        raise AuthError(endpoint, "no_key", str(path)) from None
    except OSError as error:
        raise AuthError(endpoint, "key_file", str(path), error.strerror or "") from error
    except ProtocolError as error:
        raise AuthError(endpoint, "key_file", str(path), str(error)) from error


def store(path: Path, file: keyfile.KeyFile) -> None:
    """Write a key file, 0600, in a folder that is made 0700 where it lacks; the old one stands until then.

    On Windows the file has the rights of its folder: below %APPDATA% that is its owner, SYSTEM and the
    administrators. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
        out.write(keyfile.text_of(file))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def _folder(environment: Mapping[str, str]) -> Path:
    if os.name == "nt":
        return Path(environment.get("APPDATA") or Path.home()) / "taxagent" / "keys"
    base = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return Path(base) / "taxagent" / "keys"
