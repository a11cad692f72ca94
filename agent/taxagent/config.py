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

from taxagent.config_rules import ALLOWED, wrong
from taxagent.config_words import complaint
from taxagent.model.errors import Refusal
from taxagent.model.job import JobKind
from taxagent.model.simtime import SimulatedTime, simulated_time

Seconds = Annotated[float, msgspec.Meta(ge=0.05, le=86_400)]
Place = Annotated[str, msgspec.Meta(min_length=1)]
Contact = Annotated[str, msgspec.Meta(max_length=200)]
RoleName = Literal["viewer", "operator", "technician", "admin"]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that it does not know is an error, not a silence."""


class AgentSection(_Section, frozen=True, kw_only=True):
    """[agent]: where the durable state lies, and in which words the agent speaks."""

    state_dir: Place
    language: Literal["zh", "en"] = "zh"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class IpcSection(_Section, frozen=True, kw_only=True):
    """[ipc]: the one public door."""

    endpoint: str = "ipc:///run/taxagent/agent.sock"


class TcpSection(_Section, frozen=True, kw_only=True):
    """[door.tcp]: the door for clients with keys of their own. "" = none, where there is ipc.

    `events` is the next port unless given. Beyond this computer only with `beyond_loopback`.
    """

    listen: str = ""
    events: str = ""
    beyond_loopback: bool = False
    endpoint_file: str = ""  # where clients find the address and the agent's public key


class DoorSection(_Section, frozen=True, kw_only=True):
    """[door]: ways in beside [ipc]."""

    tcp: TcpSection = TcpSection()


class AccessSection(_Section, frozen=True, kw_only=True):
    """[access.users] and [access.groups]: name or number = role. root and the agent's own user are admin."""

    users: dict[str, RoleName] = {}
    groups: dict[str, RoleName] = {}


class UsbSection(_Section, frozen=True, kw_only=True):
    """[usb]: the driver by its entry point; for ours "libusb", or "usbip://HOST:PORT?control=PORT"."""

    driver: Place = "tcdp"
    backend: str = "libusb"


class DeviceSection(_Section, frozen=True, kw_only=True):
    """[device]: claimed while it is worked on or always; when a call hangs, and what is done then.

    `read_s` and `write_s` are what a read and a write may take, `grace_s` how much later they hang.
    """

    hold: Literal["while_working", "always"] = "while_working"
    read_s: Seconds = 60.0
    write_s: Seconds = 120.0
    grace_s: Seconds = 30.0
    restart_if_hung: Literal["under_systemd", "always", "never"] = "under_systemd"


class BureauSection(_Section, frozen=True, kw_only=True):
    """[bureau]: the gateway and the files of mutual TLS."""

    url: str
    ca: Place
    certificate: Place
    key: Place


class WindowsSection(_Section, frozen=True, kw_only=True):
    """[windows]: filing deadlines that differ from the official rows, by month in which is filed."""

    overrides: dict[str, dt.date] = {}
    region: str = ""  # of `regional`, whose deadlines count here
    regional: dict[str, dict[str, dt.date]] = {}  # region = deadlines that were announced for it
    report_until_hour: Annotated[int, msgspec.Meta(ge=1, le=24)] = 24


class DeviceRow(_Section, frozen=True, kw_only=True):
    """[[devices]]: what is known of a device beforehand: whose it is, how often a return is filed for it."""

    device_no: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}\Z")]
    taxpayer_id: str = ""  # "" = it is not compared
    cycle: Literal["month", "quarter"] = "month"


class SupportSection(_Section, frozen=True, kw_only=True):
    """[support]: whom to ask for help, in one line: shown by `why` and `doctor`."""

    contact: Contact = ""


class MetricsSection(_Section, frozen=True, kw_only=True):
    """[metrics]: for Prometheus. `listen` = ADDRESS:PORT, or "systemd" for a socket from it; "" = off.

    `textfile` is written every `interval_s` for node_exporter; "" = not.
    """

    listen: str = ""
    beyond_loopback: bool = False
    textfile: str = ""
    interval_s: Seconds = 15.0


class ConsentSection(_Section, frozen=True, kw_only=True):
    """[consent]: which principals may submit which kinds without a token."""

    kinds: tuple[JobKind, ...] = ()
    principals: tuple[str, ...] = ()


class SecretsSection(_Section, frozen=True, kw_only=True):
    """[secrets]: a folder (0700) with a file (0600) a secret; $CREDENTIALS_DIRECTORY is looked at first."""

    directory: Place = "secrets"


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
    door: DoorSection = DoorSection()
    access: AccessSection = AccessSection()
    usb: UsbSection = UsbSection()
    device: DeviceSection = DeviceSection()
    devices: tuple[DeviceRow, ...] = ()
    support: SupportSection = SupportSection()
    windows: WindowsSection = WindowsSection()
    consent: ConsentSection = ConsentSection()
    secrets: SecretsSection = SecretsSection()
    patience: PatienceSection = PatienceSection()
    metrics: MetricsSection = MetricsSection()
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

    Raises Refusal("CONFIG_MISSING", path=) where there is none, and Refusal("CONFIG_INVALID", path=, key=,
    what=, found=, expected=): the key's path, what is wrong, what stands there and what is allowed, as far as
    each is known.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # an editor may have put its mark first
        return settings(raw, path.absolute())
    except FileNotFoundError:
        raise Refusal("CONFIG_MISSING", path=str(path)) from None
    except OSError as error:
        raise _invalid(path, "", f"{error.strerror or error}") from None
    except UnicodeDecodeError:
        raise _invalid(path, "", "not_utf8") from None
    except tomllib.TOMLDecodeError as error:
        raise _invalid(_line_of(path, str(error)), "", "not_toml") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, lists a thousand deep
        raise _invalid(path, "", "not_toml") from None


def settings(raw: Mapping[str, object], path: Path) -> Settings:
    """Return the settings that a decoded file holds; raises as `load`."""
    try:
        file = msgspec.convert(raw, File)
    except msgspec.ValidationError as error:
        told = complaint(str(error), raw, File, ALLOWED)
        raise _invalid(path, told.key, told.what, told.found, told.expected) from None
    for key, found, expected in wrong(file):
        raise _invalid(path, key, found=found, expected=expected)
    folder = path.parent
    bureau = msgspec.structs.replace(
        file.bureau,
        ca=str(folder / file.bureau.ca),
        certificate=str(folder / file.bureau.certificate),
        key=str(folder / file.bureau.key),
    )
    file = msgspec.structs.replace(file, bureau=bureau)
    clock = file.simulation.clock if file.simulation is not None else None
    return Settings(
        path=path,
        file=file,
        state_dir=folder / file.agent.state_dir,
        secrets_dir=folder / file.secrets.directory,
        simulation=simulated_time(clock) if clock is not None else None,
    )


def _line_of(path: Path, complaint: str) -> Path:
    """Return the path with the line and the column that tomllib names, as editors write it."""
    place = re.search(r"at line (\d+), column (\d+)", complaint)
    return Path(f"{path}:{place[1]}:{place[2]}") if place else path


def _invalid(path: Path, key: str, what: str = "", found: str = "", expected: str = "") -> Refusal:
    facts = {"what": what, "found": found, "expected": expected}
    return Refusal(
        "CONFIG_INVALID", path=str(path), key=key, **{name: fact for name, fact in facts.items() if fact}
    )
