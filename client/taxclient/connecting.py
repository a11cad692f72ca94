"""One call for every way to an agent: ipc where there is a socket, else TCP with this client's key."""

from __future__ import annotations

import os

from taxclient import places
from taxclient.sync import Client


def connect(
    endpoint: str = "",
    *,
    key_file: str | os.PathLike[str] = "",
    timeout_ms: int = 10_000,
    connect_ms: int = 2_000,
    lang: str = "",
) -> Client:
    """Return a client of the agent at `endpoint`; for "" it is found.

    It is $TAXAGENT_ENDPOINT, else the ipc socket where there is one, else what the agent's endpoint.json
    says. By TCP the key is that of `key_file`, else the one that `taxctl pair` stored. Raises AuthError where
    there is no key; the connection itself comes up with the first request. taxclient.aio has the same call.
    """
    return Client(
        endpoint or places.endpoint(os.environ),
        key_file=key_file,
        timeout_ms=timeout_ms,
        connect_ms=connect_ms,
        lang=lang,
    )
