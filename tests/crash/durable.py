"""What of a world outlives the agent: copied at an instant, put back, and one hash for what is equal.

Times, nonces and salts differ between two runs that did the same: they are left out of the hash, or numbered.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from tests.builders.judge import STRANGERS

TOLD = "told.jsonl"  # belongs to the clients: it is kept with a world, and makes no difference to it
_QUERIES = (
    "SELECT body FROM job ORDER BY job_id",
    "SELECT device_no, grp, period, job_id FROM claim ORDER BY 1, 2, 3",
    "SELECT body, redeemed_by FROM token ORDER BY redeemed_by, body",
    "SELECT device_no, body FROM password ORDER BY 1, json_extract(body, '$.verdict')",
)
_NUMBERED = frozenset({"payload_sha256", "salted_sha256", "session", "token_sha256"})
_LEFT_OUT = frozenset(
    {"sequence", "salt", "sha256", "record_sha256", "request_sha256", "clock_ticket", "clock_tickets"}
    | {"body", "since", "until", "clock", "device_clock", "clock_offset_ms", "summary"}
)


def copy(world: Path, to: Path) -> None:
    """Copy all that a killed agent leaves."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(world, to, ignore=shutil.ignore_patterns("*-shm"))


def signature(world: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes, cheaply, whenever something durable does."""
    found = []
    for path in sorted(world.rglob("*")):
        if path.is_file() and not path.name.endswith("-shm") and path.name != TOLD:
            stat = path.stat()
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def digest(world: Path) -> str:
    """Return the hash of a world's durable state: of projections, devices, bureau and back-ups."""
    names: dict[str, int] = {}
    state = [
        [_plain(row, names) for row in _journal(world / "journal.db")],
        [_plain(_json(path), names) for path in sorted(world.glob("device*/*.state.json"))],
        [_plain(_json(path), names) for path in sorted(world.glob("bureau/bureau.json"))],
        [path.name for path in sorted(world.glob("*.txt")) if path.name != STRANGERS],
        [str(path.relative_to(world)) for path in sorted(world.glob("backups/**/*")) if path.is_file()],
    ]
    return hashlib.sha256(msgspec.json.encode(state)).hexdigest()[:16]


def _journal(path: Path) -> list[Any]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = [row for query in _QUERIES for row in db.execute(query)]
    return [[_json_bytes(cell) if isinstance(cell, bytes) else cell for cell in row] for row in rows]


def _json(path: Path) -> Any:
    return _json_bytes(path.read_bytes())


def _json_bytes(data: bytes) -> Any:
    return msgspec.json.decode(data)


def _plain(value: Any, names: dict[str, int]) -> Any:
    """Return `value` without what differs between equal runs; hashes as the number of their first showing."""
    if isinstance(value, dict):
        return [
            [key, names.setdefault(found, len(names)) if key in _NUMBERED else _plain(found, names)]
            for key, found in sorted(value.items())
            if key not in _LEFT_OUT and not key.endswith("_ms")
        ]
    if isinstance(value, list):
        return [_plain(found, names) for found in value]
    return value
