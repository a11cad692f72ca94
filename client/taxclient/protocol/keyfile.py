"""A client's key file and the agent's endpoint.json (docs/protocol.md, "Key files"). Knows no disk."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from taxclient.protocol.base import Z85_KEY
from taxclient.protocol.errors import ProtocolError

KEY_FORMAT = "taxagent-key/1"
ENDPOINT_FORMAT = "taxagent-endpoint/1"
ENDPOINT_FILE = "endpoint.json"
ENDPOINT = r"^tcp://[^\s/]+:[0-9]{1,5}\Z"
Z85 = Annotated[str, Meta(pattern=Z85_KEY)]


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key it is, which agent it opens, and the pair itself. No print shows the secret one."""

    format: str = KEY_FORMAT
    name: str
    endpoint: Annotated[str, Meta(pattern=ENDPOINT)]
    server_key: Z85
    public_key: Z85
    secret_key: Z85

    def __repr__(self) -> str:
        """Name the client and its agent."""
        return f"KeyFile(name={self.name!r}, endpoint={self.endpoint!r})"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """endpoint.json: where an agent is, and by which key it is known."""

    format: str = ENDPOINT_FORMAT
    protocol: str = "TCA/1"
    endpoint: Annotated[str, Meta(pattern=ENDPOINT)]
    events: Annotated[str, Meta(pattern=ENDPOINT)]
    server_key: Z85


def key_file(data: bytes) -> KeyFile:
    """Return what a key file holds. Raises ProtocolError, which never shows the bytes."""
    try:
        found = msgspec.json.decode(data, type=KeyFile)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProtocolError("it is no key file (taxagent-key/1)") from None
    if found.format != KEY_FORMAT:
        raise ProtocolError(f"its format is {found.format[:40]!r} and not {KEY_FORMAT}")
    return found


def published(data: bytes) -> Published:
    """Return what an endpoint.json says. Raises ProtocolError."""
    try:
        found = msgspec.json.decode(data, type=Published)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"it is no endpoint.json: {error}") from None
    if found.format != ENDPOINT_FORMAT:
        raise ProtocolError(f"its format is {found.format[:40]!r} and not {ENDPOINT_FORMAT}")
    return found


def text_of(file: KeyFile | Published) -> str:
    """Return the file's text: JSON, a field a line."""
    return msgspec.json.format(msgspec.json.encode(file), indent=2).decode() + "\n"
