"""Log lines as the system journal's own entries: each fact a field that journalctl can select by.

The native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) and not JSON lines on stderr: `journalctl
TAXAGENT_JOB_ID=...` finds all that was said of a job, and priorities are the journal's. Knows no event.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

SOCKET = Path("/run/systemd/journal/socket")
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_LONGEST = 60_000  # bytes of a field: an entry must fit into one datagram


def wanted(environment: Mapping[str, str], descriptor: int) -> bool:
    """Return whether what is written to this descriptor goes to the journal: systemd says which it is."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


class Journald:
    """structlog's last processor: sends an event as an entry; what is not taken goes on as a line."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = str(path)

    def __call__(self, _logger: object, _method: str, event: Mapping[str, object]) -> str:
        """Raise DropEvent once it is sent; else return the line for stderr, its priority in front."""
        line = as_line(event)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.settimeout(0)  # a journal that does not read must not stop the work
                door.sendto(encoded(event, line), self._path)
        except OSError:  # gone, full, or the entry is too long for it
            return f"<{_priority(event)}>{line}"
        raise structlog.DropEvent


def as_line(event: Mapping[str, object]) -> str:
    """Return an event as a person reads it: its name, then its facts."""
    facts = (
        f"{name}={_text(value)}"
        for name, value in event.items()
        if name not in ("event", "level", "timestamp") and value not in ("", None)
    )
    return " ".join([str(event.get("event", "")), *facts]).replace("\n", " ")


def encoded(event: Mapping[str, object], line: str) -> bytes:
    """Return the journal's form of an event: MESSAGE, PRIORITY, and a field TAXAGENT_* a fact."""
    fields = {
        "MESSAGE": line,
        "PRIORITY": str(_priority(event)),
        "SYSLOG_IDENTIFIER": "taxagent",
    }
    for name, value in event.items():
        if name not in ("level", "timestamp"):
            fields[f"TAXAGENT_{_name(name)}"] = _text(value)
    return b"".join(_field(name, value) for name, value in fields.items())


def _priority(event: Mapping[str, object]) -> int:
    return _PRIORITIES.get(str(event.get("level")), 6)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()


def _name(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in text.upper())[:50]


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "replace")[:_LONGEST]
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
