"""The agent's settings: one TOML file, every value checked, every complaint with the key's path.

Secrets never stand in the file; relative paths are taken from the file's folder.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from taxagent.model.errors import Refusal
from taxagent.model.job import JobKind
from taxagent.model.simtime import SimulatedTime, simulated_time

Seconds = Annotated[float, msgspec.Meta(ge=0.05, le=86_400)]
RoleName = Literal["viewer", "operator", "technician", "admin"]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that it does not know is an error, not a silence."""


class AgentSection(_Section, frozen=True, kw_only=True):
    """[agent]: where the durable state lies, and in which words the agent speaks."""

    state_dir: str
    language: Literal["zh", "en"] = "zh"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class IpcSection(_Section, frozen=True, kw_only=True):
    """[ipc]: the one public door."""

    endpoint: Annotated[str, msgspec.Meta(pattern=r"^ipc:///.{1,100}$")] = "ipc:///run/taxagent/agent.sock"


class AccessSection(_Section, frozen=True, kw_only=True):
    """[access.users] and [access.groups]: name or number = role. root and the agent's own user are admin."""

    users: dict[str, RoleName] = {}
    groups: dict[str, RoleName] = {}


class UsbSection(_Section, frozen=True, kw_only=True):
    """[usb]: "libusb", or a simulator's "usbip://HOST:PORT?control=PORT"."""

    backend: Annotated[str, msgspec.Meta(pattern=r"^(libusb|usbip://.+)$")] = "libusb"


class BureauSection(_Section, frozen=True, kw_only=True):
    """[bureau]: the gateway and the files of mutual TLS."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https://.+$")]
    ca: str
    certificate: str
    key: str


class WindowsSection(_Section, frozen=True, kw_only=True):
    """[windows]: filing deadlines that differ from the official rows, by month in which is filed."""

    overrides: dict[str, dt.date] = {}
    report_until_hour: Annotated[int, msgspec.Meta(ge=1, le=24)] = 24


class ConsentSection(_Section, frozen=True, kw_only=True):
    """[consent]: which principals may submit which kinds without a token."""

    kinds: tuple[JobKind, ...] = ()
    principals: tuple[str, ...] = ()


class SecretsSection(_Section, frozen=True, kw_only=True):
    """[secrets]: a folder (0700) with a file (0600) a secret; $CREDENTIALS_DIRECTORY is looked at first."""

    directory: str = "secrets"


class SimulationSection(_Section, frozen=True, kw_only=True):
    """[simulation]: a clock for demonstrations; only while every device is simulated."""

    clock: str


class PatienceSection(_Section, frozen=True, kw_only=True):
    """[patience]: seconds between the looks of a waiting job."""

    declaration_s: Seconds = 600.0
    bureau_s: Seconds = 15.0
    in_use_s: Seconds = 30.0
    most_s: Seconds = 600.0


class File(_Section, frozen=True, kw_only=True):
    """The configuration file as it is written."""

    agent: AgentSection
    bureau: BureauSection
    ipc: IpcSection = IpcSection()
    access: AccessSection = AccessSection()
    usb: UsbSection = UsbSection()
    windows: WindowsSection = WindowsSection()
    consent: ConsentSection = ConsentSection()
    secrets: SecretsSection = SecretsSection()
    patience: PatienceSection = PatienceSection()
    simulation: SimulationSection | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The checked settings, every path absolute."""

    path: Path
    file: File
    state_dir: Path
    secrets_dir: Path
    simulation: SimulatedTime | None


def load(path: Path) -> Settings:
    """Read and check a configuration file.

    Raises Refusal("CONFIG_INVALID", path=, key=, error=) with the key's path and what is allowed there.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return settings(raw, path.absolute())
    except OSError as error:
        raise _invalid(path, "", f"{error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path, "", str(error)) from None


def settings(raw: Mapping[str, object], path: Path) -> Settings:
    """Return the settings that a decoded file holds; raises as `load`."""
    try:
        file = msgspec.convert(raw, File)
    except msgspec.ValidationError as error:
        key, text = _split(str(error))
        raise _invalid(path, key, text) from None
    folder = path.parent
    bureau = msgspec.structs.replace(
        file.bureau,
        ca=str(folder / file.bureau.ca),
        certificate=str(folder / file.bureau.certificate),
        key=str(folder / file.bureau.key),
    )
    file = msgspec.structs.replace(file, bureau=bureau)
    return Settings(
        path=path,
        file=file,
        state_dir=folder / file.agent.state_dir,
        secrets_dir=folder / file.secrets.directory,
        simulation=_simulation(file, path),
    )


def _simulation(file: File, path: Path) -> SimulatedTime | None:
    _check_overrides(file, path)
    if file.simulation is None:
        return None
    try:
        return simulated_time(file.simulation.clock)
    except ValueError as error:
        raise _invalid(path, "simulation.clock", str(error)) from None


def _check_overrides(file: File, path: Path) -> None:
    for month in file.windows.overrides:
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            raise _invalid(path, f"windows.overrides.{month}", "the key is a month, written yyyy-mm")


def _split(text: str) -> tuple[str, str]:
    """Take msgspec's "... - at `$.bureau.url`" apart into the key's path and the complaint."""
    complaint, _, where = text.partition(" - at `$")
    return where.rstrip("`").lstrip("."), complaint


def _invalid(path: Path, key: str, error: str) -> Refusal:
    return Refusal("CONFIG_INVALID", path=str(path), key=key, error=error)
