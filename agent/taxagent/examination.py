"""Which probes look at what: for `taxagent doctor`, and for the running agent's op `doctor`.

A part of the composition root: it knows host, journal, drivers and settings. No probe knows another.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from taxagent.bureau.messages import STATUS_PATH
from taxagent.config import File, Settings, UsbSection
from taxagent.device import drivers
from taxagent.host.clock import HostClock
from taxagent.host.probes import accounts, certificates, latency, network, places, software, usb
from taxagent.host.probes.findings import Probe, looked
from taxagent.host.probes.users import User, own_user, user_of
from taxagent.host.secret_files import SecretFiles
from taxagent.journal import JOURNAL_NAME, Reader
from taxagent.model.checks import made
from taxagent.model.job import Problem
from taxagent.model.lines import CheckLine
from taxagent.model.usb import SeenDevice

Seen = Callable[[], tuple[SeenDevice, ...]]
Trouble = Callable[[], Problem | None]


def without_configuration() -> tuple[CheckLine, ...]:
    """Look at what needs no configuration."""
    return _all({**_general(None), "usb": partial(_bus, UsbSection(), own_user())})


def examined(
    settings: Settings, seen: Seen | None = None, trouble: Trouble | None = None
) -> tuple[CheckLine, ...]:
    """Look at everything; `seen` and `trouble` are the bus as the caller knows it, else it is looked at."""
    good = made("config", "CONFIG_OK", path=str(settings.path))
    return (good, *_all(_general(settings)), *_all(_particular(settings, seen, trouble)))


def gateway_of(file: File) -> network.Gateway:
    """Return where the bureau is, for the probes of the way there."""
    bureau = file.bureau
    return network.Gateway(
        url=bureau.url, status_path=STATUS_PATH, ca=bureau.ca, certificate=bureau.certificate, key=bureau.key
    )


def roles(settings: Settings) -> tuple[CheckLine, ...]:
    """Look whether the users and groups exist to whom the configuration gives a role."""
    access = settings.file.access
    return looked("access", partial(accounts.roles, access.users, access.groups))


def _general(settings: Settings | None) -> dict[str, Probe]:
    """The probes that need no configuration, or only what it says of the clock."""
    clock = HostClock()
    simulated = ""
    if settings is not None and settings.simulation is not None:
        simulated = HostClock(settings.simulation).local().isoformat(sep=" ", timespec="seconds")
    now = clock.local()
    return {
        "versions": software.versions,
        "clock": partial(software.clock, now, simulated),
        "holidays": partial(software.holidays, now.date()),
    }


def _particular(settings: Settings, seen: Seen | None, trouble: Trouble | None) -> dict[str, Probe]:
    """The probes of this configuration: bus, places, journal, bureau."""
    file, clock, state_dir = settings.file, HostClock(), settings.state_dir
    try:
        user = user_of(state_dir.stat().st_uid)
    except OSError:
        user = own_user()
    journal = state_dir / JOURNAL_NAME
    gateway = gateway_of(file)
    ca, certificate, key = map(Path, (gateway.ca, gateway.certificate, gateway.key))
    now = dt.datetime.fromtimestamp(clock.utc_ms() / 1000, dt.UTC)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    store = SecretFiles(settings.secrets_dir, Path(credentials) if credentials else None)
    return {
        "usb": partial(_bus, file.usb, user, seen, trouble),
        "socket": partial(places.door, Path(file.ipc.endpoint.removeprefix("ipc://")), user),
        "access": partial(accounts.roles, file.access.users, file.access.groups),
        "state": partial(places.state, state_dir, user),
        "secrets": partial(places.secrets, settings.secrets_dir, store.get),
        "journal": partial(places.journal, journal, partial(_rows, journal)),
        "certificate": partial(certificates.files, ca, certificate, key, now, user),
        "bureau": partial(network.path, gateway, clock),
        "latency": partial(latency.trips, gateway.url, clock),
    }


def _all(probes: dict[str, Probe]) -> tuple[CheckLine, ...]:
    return tuple(line for name, probe in probes.items() for line in looked(name, probe))


def _bus(
    section: UsbSection, user: User, seen: Seen | None = None, trouble: Trouble | None = None
) -> Iterator[CheckLine]:
    if seen is None or trouble is None:
        source = drivers.source(section.driver, section.backend)
        seen, trouble = source.seen, source.trouble
    yield from usb.bus(seen, trouble)
    yield from usb.permissions(seen, user)


def _rows(path: Path) -> int:
    with closing(Reader(path)) as reader:
        return reader.verify().rows
