"""What `taxagent setup` was told: from the answers of a person or of a file, and as a configuration file."""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from taxagent.config import Contact, DeviceRow, RoleName, Settings, load, settings
from taxagent.model.errors import AgentError, Refusal

OLD = ".old"
STATE_DIR = "/var/lib/taxagent"
ENDPOINT = "ipc:///run/taxagent/agent.sock"


class Choices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answers. As a TOML file (`--answers`): these keys; relative paths are taken from its folder."""

    url: str
    ca: str
    certificate: str
    key: str
    language: Literal["zh", "en"] = "zh"
    state_dir: str = STATE_DIR
    endpoint: str = ENDPOINT
    driver: str = "tcdp"
    backend: str = "libusb"
    run_as: str = ""  # the user as whom the agent runs; "" = who runs setup
    users: dict[str, RoleName] = {}
    groups: dict[str, RoleName] = {}
    region: str = ""  # of [windows.regional], whose deadlines count
    contact: Contact = ""  # whom to ask for help
    cycle: Literal["month", "quarter"] = "month"  # of the devices that are found and not listed
    devices: tuple[DeviceRow, ...] = ()  # what is known of them; those that are found are added
    overwrite: bool = False  # an existing configuration; a copy is kept
    passwords: dict[str, str] = {}  # device number = path of a file with its password


def from_file(path: Path) -> Choices:
    """Return the answers in a file. Raises Refusal("CONFIG_INVALID", path=, what=)."""
    try:
        told = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8-sig")), Choices)
    except OSError as error:
        raise Refusal("CONFIG_INVALID", path=str(path), what=error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Refusal("CONFIG_INVALID", path=str(path), what=str(error)) from None
    folder = path.absolute().parent
    return msgspec.structs.replace(
        told,
        ca=str(folder / told.ca),
        certificate=str(folder / told.certificate),
        key=str(folder / told.key),
        passwords={number: str(folder / place) for number, place in told.passwords.items()},
    )


def access_of(text: str) -> tuple[dict[str, RoleName], dict[str, RoleName]]:
    """Return (users, groups) of "NAME=ROLE, @GROUP=ROLE"; Refusal("CONFIG_INVALID") for any other text."""
    users, groups = dict[str, str](), dict[str, str]()
    for part in filter(None, (each.strip() for each in text.replace("，", ",").split(","))):
        name, _, role = (each.strip() for each in part.partition("="))
        (groups if name.startswith("@") else users)[name.removeprefix("@")] = role
    settings(_raw({"users": users, "groups": groups}), Path("/"))
    kind = dict[str, RoleName]
    return msgspec.convert(users, kind), msgspec.convert(groups, kind)


def complaint(section: str, key: str, value: str) -> str:
    """Return what the configuration has against a value, "" where nothing."""
    raw = _raw({})
    told = dict(raw[section]) if section in raw else {}
    try:
        settings({**raw, section: {**told, key: value}}, Path("/"))
    except AgentError as error:
        return error.detail.get("expected") or error.detail.get("what") or error.fault
    return ""


def put(told: Choices, path: Path) -> Settings:
    """Write the configuration, check it, and only then put it in place; an old one is kept beside it.

    Returns the settings. Raises Refusal("CONFIG_INVALID"): nothing is changed then.
    """
    return _placed(told, path, _keep)


def with_devices(told: Choices, found: Iterable[DeviceRow]) -> Choices:
    """Return the choices with the devices that were found; of one that is known the newer row counts."""
    rows = {row.device_no: row for row in (*told.devices, *found)}
    return msgspec.structs.replace(told, devices=tuple(rows.values()))


def update(told: Choices, path: Path) -> Settings:
    """Write what was learned since into a configuration that `put` has made. Raises as `put`."""
    return _placed(told, path, lambda _: None)


def _keep(path: Path) -> None:
    if path.exists():
        path.with_name(path.name + OLD).unlink(missing_ok=True)
        os.link(path, path.with_name(path.name + OLD))


def _placed(told: Choices, path: Path, keep: Callable[[Path], None]) -> Settings:
    """Write beside, check, `keep` what stands there, and only then put the new one in its place."""
    path = path.absolute()
    partial = path.with_name(f".{path.name}.setup")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        partial.write_text(written(told), encoding="utf-8")
        partial.chmod(0o644)  # no secret stands in it
        load(partial)
        keep(path)
        partial.replace(path)
    except OSError as error:
        what = error.strerror or str(error)
        raise Refusal("CONFIG_INVALID", path=str(error.filename or path), what=what) from error
    finally:
        with contextlib.suppress(OSError):  # its folder may be none
            partial.unlink(missing_ok=True)
    return load(path)


def written(told: Choices) -> str:
    """Return the configuration as TOML text."""
    sections: dict[str, Mapping[str, str]] = {
        "agent": {"state_dir": told.state_dir, "language": told.language},
        "ipc": {"endpoint": told.endpoint},
        "access.users": told.users,
        "access.groups": told.groups,
        "usb": {"driver": told.driver, "backend": told.backend},
        "bureau": {
            "url": told.url,
            "ca": told.ca,
            "certificate": told.certificate,
            "key": told.key,
        },
        "support": {"contact": told.contact},
        **({"windows": {"region": told.region}} if told.region else {}),
    }
    lines = ["# Written by `taxagent setup`; taxagent.example.toml explains every key."]
    for name, values in sections.items():
        lines += ["", f"[{name}]", *(f"{_quoted(key)} = {_quoted(value)}" for key, value in values.items())]
    for row in told.devices:
        lines += ["", "[[devices]]"]
        lines += [f"{key} = {_quoted(value)}" for key, value in msgspec.structs.asdict(row).items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a TOML basic string: JSON's escapes are a subset of it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _raw(access: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, object]]:
    """Return a configuration that holds, to try a value in."""
    return {
        "agent": {"state_dir": "/x"},
        "bureau": {"url": "https://gateway.example", "ca": "x", "certificate": "x", "key": "x"},
        "access": access,
    }
