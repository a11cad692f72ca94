"""The parts of a support bundle, each read by itself and free to fail, and what is masked in all of them."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.journal import Reader
    from taxclient import Client

LINES = 500  # of the system's log
ROWS = 300  # of the journal
_JOBS = 1000  # in which taxpayers' names are looked for
_LEAST_SECRET = 4  # characters: a shorter text would blot out half of the bundle
_HIDDEN = re.compile(
    r"pass|pwd|secret|token|pin\b|contact|taxpayer|credential|private|public_key|holder", re.IGNORECASE
)
_TAXPAYER = re.compile(r"(?<![0-9A-Za-z])(?=(?:[A-Z]*\d){8})[0-9A-Z]{15,20}(?![0-9A-Za-z])")
_PEM = re.compile(r"-----BEGIN [^-]+-----.*?(-----END [^-]+-----|\Z)", re.DOTALL)
_USERINFO = re.compile(r"://[^/\s@\"]+@")
_SHOWN = frozenset(  # of a journal's row; all else stays in the journal
    (
        "event",
        "at_ms",
        "sim_ms",
        "job_id",
        "device_no",
        "id",
        "step",
        "group",
        "period",
        "outcome",
        "state",
        "note",
        "problem",
        "fault",
        "wait",
        "reason",
        "since_ms",
        "next_ms",
        "until_ms",
        "kind",
        "command",
        "limit_s",
        "times",
        "location",
        "boot",
        "version",
        "pid",
        "device_code",
        "late",
        "how",
        "refused",
        "at_key",
    )
)
_KEYS = frozenset(("changed", "needs_restart"))  # lists of the configuration's keys


def all_of(config: Path, lang: Lang) -> dict[str, Callable[[], str]]:
    """Return how each file of the bundle is read, by its name."""
    return {
        "versions.txt": _versions,
        "doctor.json": lambda: _doctor(config, lang),
        "configuration.json": lambda: _json(_without_hidden(_raw(config))),
        "unit.txt": lambda: _ran("systemctl", "show", "taxagent.service", "--no-pager"),
        "log.txt": lambda: _ran(
            "journalctl", "-u", "taxagent", "-n", str(LINES), "--no-pager", "-o", "short-iso"
        ),
        "journal-rows.jsonl": lambda: _rows(config),
        "status.json": lambda: _asked(config, lambda one: one.status()),
        "devices.json": lambda: _asked(config, lambda one: one.devices()),
    }


def mask(config: Path) -> Callable[[str], str]:
    """Return what blots out taxpayers' numbers, keys, users in addresses, and the text of stored secrets.

    Taxpayers' names too, as the agent and its journal know them; a text may have them as JSON escapes them.
    """
    secrets = sorted(_stored(config), key=len, reverse=True)
    names = sorted(_names(config), key=len, reverse=True)

    def masked(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        for name in names:
            text = text.replace(name, "[name]").replace(json.dumps(name)[1:-1], "[name]")
        text = _USERINFO.sub("://[masked]@", _PEM.sub("[key]", text))
        return _TAXPAYER.sub("[taxpayer]", text)

    return masked


def journal_copy(config: Path) -> bytes:
    """Return a copy of the journal as it is, of one moment. Raises what reading it does."""
    with tempfile.TemporaryDirectory(prefix="taxagent-") as folder:
        with _reader(config) as reader:
            reader.snapshot(Path(folder) / "copy.db")
        return (Path(folder) / "copy.db").read_bytes()


def _raw(config: Path) -> dict[str, Any]:
    return tomllib.loads(config.read_text(encoding="utf-8-sig"))


def _state_dir(config: Path) -> Path:
    return config.absolute().parent / str(_raw(config)["agent"]["state_dir"])


def _stored(config: Path) -> set[str]:
    """Return the secrets that this user may read; the configuration may be of any form."""
    try:
        folder = config.absolute().parent / str(_raw(config).get("secrets", {}).get("directory", "secrets"))
        found = {path.read_text(errors="replace").strip() for path in folder.iterdir() if path.is_file()}
    except (OSError, ValueError, AttributeError):
        return set()
    return {secret for secret in found if len(secret) >= _LEAST_SECRET}


def _names(config: Path) -> set[str]:
    """Return the taxpayers' names of the devices and of the newest jobs, as far as they can be had."""
    found: set[str] = set()
    for read in (_names_of_devices, _names_of_jobs):
        with suppress(Exception):  # as for the files: what cannot be read is no reason to have no bundle
            found |= read(config)
    return {name for name in found if len(name) >= (_LEAST_SECRET if name.isascii() else 2)}


def _names_of_devices(config: Path) -> set[str]:
    with _client(config) as one:
        return {view.taxpayer_name for view in one.devices().devices}


def _names_of_jobs(config: Path) -> set[str]:
    with _reader(config) as reader:
        jobs = reader.jobs(limit=_JOBS)
    readings = [reading for job in jobs for reading in (job.before, job.after) if reading is not None]
    return {reading.state.info.taxpayer_name for reading in readings}


def _without_hidden(value: object, hidden: re.Pattern[str] = _HIDDEN) -> object:
    if isinstance(value, dict):
        return {
            key: "[removed]" if hidden.search(key) and not isinstance(inner, dict) else _without_hidden(inner)
            for key, inner in value.items()
        }
    return [_without_hidden(inner) for inner in value] if isinstance(value, list | tuple) else value


def _versions() -> str:
    rows = sorted(f"{one.metadata['Name']} {one.version}" for one in metadata.distributions())
    return "\n".join([platform.platform(), f"Python {platform.python_version()}", *rows, ""])


def _doctor(config: Path, lang: Lang) -> str:
    from taxagent.cli.doctor import examined
    from taxagent.ipc.views import line_view

    lines = [msgspec.to_builtins(line_view(line, lang)) for line in examined(config)]
    return _json(_without_hidden(lines))


def _ran(*command: str) -> str:
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    return ran.stdout + ran.stderr


def _rows(config: Path) -> str:
    with _reader(config) as reader:
        rows = reader.events(max(0, reader.last_seq() - ROWS), ROWS)
    shown = [{"seq": seq, **_of_shown(msgspec.to_builtins(event))} for seq, event in rows]
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in shown)


def _of_shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _of_shown(value) if isinstance(value, dict) else value
        for key, value in row.items()
        if key in _KEYS or (key in _SHOWN and not isinstance(value, list | tuple))
    }


def _asked(config: Path, ask: Callable[[Client], msgspec.Struct]) -> str:
    with _client(config) as one:
        return _json(_without_hidden(msgspec.to_builtins(ask(one))))


def _json(value: object) -> str:
    """In letters as they are, not as escapes: what is masked is looked for in them."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@contextmanager
def _client(config: Path) -> Iterator[Client]:
    from taxclient import Client

    endpoint = str(_raw(config).get("ipc", {}).get("endpoint", "ipc:///run/taxagent/agent.sock"))
    with Client(endpoint, lang="en") as one:
        yield one


@contextmanager
def _reader(config: Path) -> Iterator[Reader]:
    from taxagent.journal import JOURNAL_NAME, Reader

    with closing(Reader(_state_dir(config) / JOURNAL_NAME)) as reader:
        yield reader
