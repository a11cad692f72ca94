"""Redeem a pairing code: make a key pair, have the agent take it, store it. docs/security.md says why so."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from taxclient import keys
from taxclient.protocol import codes
from taxclient.protocol.errors import AuthError, ConnectionLost, Timeout
from taxclient.protocol.keyfile import KeyFile
from taxclient.sync import Client


def pair(
    code: str, *, endpoint: str, server_key: str, key_file: Path | None = None, lang: str = ""
) -> tuple[KeyFile, Path]:
    """Redeem a code; return the key and the file in which it is stored now, 0600.

    `server_key` is the agent's public key (Z85), from its endpoint.json. The key is on the disk before it is
    sent, and the file is in its place once the agent has taken it. Raises codes.BadCode where nothing was
    sent; AuthError("code") where the code does not count (any more); OSError of the file; ClientError.
    """
    secret = z85.encode(codes.curve_secret(codes.read(code, server_key), server_key))
    door = _key(endpoint, server_key, zmq.curve_public(secret), secret)
    own = _key(endpoint, server_key, *zmq.curve_keypair())
    path = key_file or keys.path_for(endpoint, os.environ)
    fresh = path.with_name(f"{path.name}.new")
    keys.store(fresh, own)
    try:
        name = _redeemed(door, own, lang)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    own = msgspec.structs.replace(own, name=name)
    keys.store(path, own)
    fresh.unlink(missing_ok=True)
    return own, path


def _redeemed(door: KeyFile, own: KeyFile, lang: str) -> str:
    """Return the client's name. A lost answer is no doubt for long: the new key is let in, or it is not."""
    try:
        with Client(door.endpoint, key=door, lang=lang) as client:
            return client.redeem(own.public_key).client.name
    except AuthError as error:
        reason = "code" if error.reason == "refused" else error.reason
        raise AuthError(error.endpoint, reason) from error
    except (Timeout, ConnectionLost):
        with Client(own.endpoint, key=own, lang=lang) as client:
            return client.hello().principal.removeprefix("client:")


def _key(endpoint: str, server_key: str, public: bytes, secret: bytes) -> KeyFile:
    return KeyFile(
        name="",
        endpoint=endpoint,
        server_key=server_key,
        public_key=public.decode(),
        secret_key=secret.decode(),
    )
