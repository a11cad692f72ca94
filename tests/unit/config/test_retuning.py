"""Which keys of a new configuration take effect under a running agent, and which wait for a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from taxagent.config import File, Settings, settings
from taxagent.model.events import AgentReloaded, AnyEvent
from taxagent.ports import Clock, JournalTx
from taxagent.retuning import FIXED, Reload, changed_keys, merged
from tests.builders.ipc import FakeClock

T = TypeVar("T")
BUREAU = {"url": "https://gateway.example/", "ca": "ca", "certificate": "certificate", "key": "key"}
CLOCK = "2026-11-03T09:30:00+08:00@1795561200000x60"
WAITS: dict[str, Any] = {
    "agent.state_dir": "/elsewhere",
    "agent.language": "en",
    "ipc.endpoint": "ipc:///run/elsewhere",
    "door.tcp": {"listen": "tcp://127.0.0.1:8470"},
    "usb.driver": "another",
    "usb.backend": "usbip://127.0.0.1:3240",
    "device.hold": "always",
    "bureau.url": "https://another.example/",
    "bureau.ca": "/ca",
    "bureau.certificate": "/certificate",
    "bureau.key": "/key",
    "metrics.listen": "127.0.0.1:9464",
    "metrics.beyond_loopback": True,
    "metrics.textfile": "taxagent.prom",
    "metrics.interval_s": 5.0,
    "secrets.directory": "/secrets",
    "simulation": {"clock": CLOCK},
}
AT_ONCE: dict[str, Any] = {
    "agent.log_level": "debug",
    "access.users": {"shop": "operator"},
    "access.groups": {"shops": "viewer"},
    "device.read_s": 5.0,
    "device.write_s": 5.0,
    "device.grace_s": 5.0,
    "device.restart_if_hung": "never",
    "devices": [{"device_no": "661700000011"}],
    "support.contact": "Wang",
    "windows.overrides": {"2026-11": "2026-11-18"},
    "windows.region": "山东",
    "windows.regional": {"山东": {"2026-11": "2026-11-18"}},
    "windows.report_until_hour": 18,
    "consent.kinds": ["settle"],
    "consent.principals": ["shop"],
    "patience.declaration_s": 5.0,
    "patience.bureau_s": 5.0,
    "patience.in_use_s": 5.0,
    "patience.most_s": 5.0,
}


def written(**changes: Any) -> Settings:
    raw: dict[str, Any] = {"agent": {"state_dir": "/state"}, "bureau": dict(BUREAU)}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        if name:
            raw.setdefault(section, {})[name] = value
        else:
            raw[section] = value
    return settings(raw, Path("/etc/taxagent/taxagent.toml"))


def test_every_key_either_takes_effect_or_waits() -> None:
    tables = [field for field in File.__struct_fields__ if field not in ("devices", "simulation")]
    keys = {f"{section}.{name}" for section in tables for name in _type(section).__struct_fields__}
    assert keys | {"devices", "simulation"} == set(WAITS) | set(AT_ONCE)
    assert set(FIXED) == set(WAITS)


def _type(section: str) -> type[msgspec.Struct]:
    kind = next(field.type for field in msgspec.structs.fields(File) if field.name == section)
    assert isinstance(kind, type)
    assert issubclass(kind, msgspec.Struct)
    return kind


@pytest.mark.parametrize("key", WAITS)
def test_it_waits_and_is_named(key: str) -> None:
    old = written()
    effective, waiting = merged(old, written(**{key: WAITS[key]}))
    assert effective == old
    assert waiting == (key,)


@pytest.mark.parametrize("key", AT_ONCE)
def test_it_takes_effect_and_is_named(key: str) -> None:
    old, new = written(), written(**{key: AT_ONCE[key]})
    effective, waiting = merged(old, new)
    assert (effective.file, waiting) == (new.file, ())
    assert changed_keys(old.file, effective.file) == (key,)


def test_a_key_that_waits_is_named_again_at_the_next_reload() -> None:
    old = written()
    new = written(**{"ipc.endpoint": "ipc:///run/elsewhere", "support.contact": "Li"})
    effective, _ = merged(old, new)
    assert merged(effective, new)[1] == ("ipc.endpoint",)


class Told:
    """retuning.Tunable and its parts: all in one thread, at once."""

    def __init__(self, path: Path, failure: Exception | None = None) -> None:
        self.settings = msgspec.structs.replace(written(), path=path)
        self.clock: Clock = FakeClock()
        self.boot = "boot-1"
        self.told: list[str] = []
        self.rows: list[AnyEvent] = []
        self._failure = failure

    @property
    def mailbox(self) -> Told:
        return self

    @property
    def journal(self) -> Told:
        return self

    def append(self, *events: AnyEvent) -> int:
        self.rows += events
        return len(self.rows)

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        raise NotImplementedError

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        raise NotImplementedError

    @property
    def supervision(self) -> Told:
        return self

    def post(self, call: Callable[[], None]) -> None:
        call()

    def reloading(self, monotonic_us: int) -> None:
        self.told.append("reloading")

    def reloaded(self, *, refused: str = "", restart: tuple[str, ...] = ()) -> None:
        self.told.append(f"refused: {refused}" if refused else "ready")

    def retune(self, settings: Settings) -> None:
        if self._failure is not None:
            raise self._failure

    def names_without_owner(self) -> tuple[dict[str, str], ...]:
        return ()


def reloaded(path: Path, failure: Exception | None = None) -> Told:
    """What came of a reload of the file."""
    parts = Told(path, failure)
    Reload(parts, lambda work: work()).begin()
    return parts


def told(path: Path, failure: Exception | None = None) -> list[str]:
    """What the service manager is told of a reload of the file."""
    return reloaded(path, failure).told


def written_to(path: Path, more: str = "") -> Path:
    bureau = "\n".join(f'{key} = "{value}"' for key, value in BUREAU.items())
    path.write_text(f'[agent]\nstate_dir = "/state"\n[bureau]\n{bureau}\n{more}')
    return path


@pytest.mark.parametrize("odd", ["x = 1" + "0" * 5000, "x = " + "[" * 5000 + "]" * 5000])
def test_a_reload_ends_whatever_stands_in_the_file(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "taxagent.toml"
    path.write_text(odd)
    begun, ended = told(path)
    assert begun == "reloading"
    assert ended.startswith("refused: ")


def test_a_reload_ends_also_where_a_part_does_not_take_it(tmp_path: Path) -> None:
    path = written_to(tmp_path / "taxagent.toml")
    assert told(path) == ["reloading", "ready"]
    assert told(path, ZeroDivisionError())[1].startswith("refused: ")


def test_the_journal_has_the_keys_that_a_reload_changed_and_those_that_wait_but_no_value(
    tmp_path: Path,
) -> None:
    more = '[support]\ncontact = "Wang"\n[usb]\nbackend = "usbip://127.0.0.1:3240"\n'
    (row,) = reloaded(written_to(tmp_path / "taxagent.toml", more)).rows
    assert isinstance(row, AgentReloaded)
    assert (row.boot, row.refused) == ("boot-1", "")
    assert "support.contact" in row.changed
    assert "usb.backend" in row.needs_restart


def test_the_journal_has_why_a_reload_was_refused(tmp_path: Path) -> None:
    path = written_to(tmp_path / "taxagent.toml", "[device]\nread_s = -1\n")
    (row,) = reloaded(path).rows
    assert isinstance(row, AgentReloaded)
    assert (row.refused, row.at_key, row.changed) == ("CONFIG_INVALID", "device.read_s", ())
    (row,) = reloaded(written_to(path), ZeroDivisionError()).rows
    assert isinstance(row, AgentReloaded)
    assert (row.refused, row.at_key) == ("INTERNAL", "")
