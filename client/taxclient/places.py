"""Where an agent is found when nobody says: the environment, the ipc socket, the agent's endpoint.json."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from taxclient.caller import DEFAULT_ENDPOINT
from taxclient.protocol import keyfile
from taxclient.protocol.errors import ProtocolError

ENDPOINT = "TAXAGENT_ENDPOINT"
ENDPOINT_FILE = "TAXAGENT_ENDPOINT_FILE"


def endpoint(environment: Mapping[str, str]) -> str:
    """Return $TAXAGENT_ENDPOINT, else the ipc socket where there is one, else what endpoint.json says.

    Where nothing is found it is the default ipc endpoint, at which nobody answers then.
    """
    if given := environment.get(ENDPOINT):
        return given
    if os.name != "nt" and Path(DEFAULT_ENDPOINT.removeprefix("ipc://")).exists():
        return DEFAULT_ENDPOINT
    found = published(environment)
    return found.endpoint if found is not None else DEFAULT_ENDPOINT


def published(environment: Mapping[str, str]) -> keyfile.Published | None:
    """Return what the agent's endpoint.json says; None where there is none that can be read."""
    try:
        return keyfile.published(file_of(environment).read_bytes())
    except (OSError, ProtocolError):
        return None


def file_of(environment: Mapping[str, str]) -> Path:
    """Return where endpoint.json is looked for."""
    if given := environment.get(ENDPOINT_FILE):
        return Path(given)
    if os.name == "nt":
        return Path(environment.get("PROGRAMDATA", "C:\\ProgramData")) / "TaxAgent" / keyfile.ENDPOINT_FILE
    return Path(DEFAULT_ENDPOINT.removeprefix("ipc://")).with_name(keyfile.ENDPOINT_FILE)
