"""Which keys of a new configuration take effect under a running agent, and which wait for a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from taxagent.config import File, Settings, settings
from taxagent.retuning import FIXED, changed_keys, merged

BUREAU = {"url": "https://gateway.example/", "ca": "ca", "certificate": "certificate", "key": "key"}
CLOCK = "2026-11-03T09:30:00+08:00@1795561200000x60"
WAITS: dict[str, Any] = {
    "agent.state_dir": "/elsewhere",
    "agent.language": "en",
    "ipc.endpoint": "ipc:///run/elsewhere",
    "usb.driver": "another",
    "usb.backend": "usbip://127.0.0.1:3240",
    "device.hold": "always",
    "bureau.url": "https://another.example/",
    "bureau.ca": "/ca",
    "bureau.certificate": "/certificate",
    "bureau.key": "/key",
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
