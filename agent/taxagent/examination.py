"""Which probes look at what: for `taxagent doctor`, and for the running agent's op `doctor`.

A part of the composition root: it knows host, journal, drivers and settings. No probe knows another.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from importlib.metadata import version
from pathlib import Path

from taxagent.bureau.messages import STATUS_PATH
from taxagent.config import File, Settings, UsbSection
from taxagent.device import drivers
from taxagent.device.libusb_host import library_version
from taxagent.host.clock import HostClock
from taxagent.host.lock import owner_of
from taxagent.host.probes import (
    accounts,
    certificates,
    entrance,
    holders,
    latency,
    network,
    places,
    rights,
    software,
    timekeeping,
    unit,
    usb,
)
from taxagent.host.probes.findings import Probe, all_looked, looked
from taxagent.host.probes.users import People, User, own_user, user_of
from taxagent.host.secret_files import SecretFiles, credentials
from taxagent.ipc import doctor
from taxagent.journal import JOURNAL_NAME, Reader
from taxagent.model.checks import made
from taxagent.model.job import Problem
from taxagent.model.lines import CheckLine
from taxagent.model.usb import SeenDevice

Seen = Callable[[], tuple[SeenDevice, ...]]
Trouble = Callable[[], Problem | None]

_IPC = "ipc://"
_WHOLE_BYTES = 64 << 20  # a longer journal is not walked whole while a person waits
_LAST_ROWS = 20_000


def without_configuration(why: CheckLine) -> tuple[CheckLine, ...]:
    """Look at what needs no configuration; `why` says why there is none."""
    bus = _Bus(UsbSection(), own_user())
    return (_about(None), why, *all_looked(_general(None) | bus.probes()))


def examined(
    settings: Settings, seen: Seen | None = None, trouble: Trouble | None = None
) -> tuple[CheckLine, ...]:
    """Look at everything; `seen` and `trouble` are the bus as the agent knows it, else it is looked at."""
    good = made("config", "CONFIG_OK", path=str(settings.path))
    probes = _general(settings) | _particular(settings, seen, trouble)
    return (_about(settings, itself=seen is not None), good, *all_looked(probes))


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


def _about(settings: Settings | None, *, itself: bool = False) -> CheckLine:
    """Say which agent and host the lines speak of, and who looked."""
    facts = {
        "version": version("taxagent"),
        "host": platform.node(),
        "user": own_user().name,
        "path": str(settings.state_dir) if settings is not None else "",
    }
    if itself:
        return made("agent", "ABOUT_AGENT", **facts, pid=str(os.getpid()))
    return made("agent", "ABOUT_COMMAND", **facts)


def _general(settings: Settings | None) -> dict[str, Probe]:
    """The probes that need no configuration, or only what it says of the clock."""
    clock = HostClock()
    simulated = ""
    if settings is not None and settings.simulation is not None:
        simulated = HostClock(settings.simulation).local().isoformat(sep=" ", timespec="seconds")
    now = clock.local()
    libraries = {"libusb": library_version(), "libzmq": doctor.library_version()}
    return {
        "versions": partial(software.versions, libraries=libraries),
        "unit": unit.service,
        "clock": partial(software.clock, now, simulated),
        "ntp": partial(timekeeping.kept, clock.utc_ms()),
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
    handed_in = credentials(os.environ)
    store = SecretFiles(settings.secrets_dir, handed_in)
    return {
        **_Bus(file.usb, user, seen, trouble, agent_pid=_pid(state_dir)).probes(),
        **_door(settings, user),
        "state": partial(places.state, state_dir, user),
        "secrets": partial(places.secrets, settings.secrets_dir, store.get, handed_in),
        "journal": partial(places.journal, journal, partial(_chain, journal)),
        "certificate": partial(certificates.files, ca, certificate, key, now, user),
        "bureau": partial(network.path, gateway, clock),
        "latency": partial(latency.trips, gateway.url, clock),
    }


class _Bus:
    """The probes of USB, for which the bus is looked at once."""

    def __init__(
        self,
        section: UsbSection,
        user: User,
        seen: Seen | None = None,
        trouble: Trouble | None = None,
        agent_pid: int = 0,
    ) -> None:
        self._section = section
        self._user = user
        self._seen, self._trouble = seen, trouble
        self._agent_pid = agent_pid

    def probes(self) -> dict[str, Probe]:
        return {"usb": self._lines}

    def _lines(self) -> Iterator[CheckLine]:
        seen, trouble = self._seen, self._trouble
        if seen is None or trouble is None:
            source = drivers.source(self._section.driver, self._section.backend)
            seen, trouble = source.seen, source.trouble
        yield from usb.bus(seen, trouble)
        things = seen()
        if sys.platform != "linux":
            return
        yield from looked("held", partial(holders.held, lambda: things, self._agent_pid))
        if self._section.backend.startswith("libusb"):
            yield from looked("permissions", partial(rights.nodes, lambda: things, self._user))


def _door(settings: Settings, user: User) -> dict[str, Probe]:
    """The probes of the socket and of who may use it; on Windows there is none."""
    access, endpoint = settings.file.access, settings.file.ipc.endpoint
    found: dict[str, Probe] = {"access": partial(accounts.roles, access.users, access.groups)}
    if endpoint.startswith(_IPC):
        path = Path(endpoint.removeprefix(_IPC))
        found = {"socket": partial(places.door, path, user)} | found
        found["members"] = partial(entrance.members, access.users, access.groups, path.parent, People())
    return found


def _pid(state_dir: Path) -> int:
    """Return the pid of the agent that owns, or last owned, the state directory; 0 where it is not told."""
    owner = owner_of(state_dir)
    return owner.pid if owner is not None else 0


def _chain(path: Path) -> places.Chain:
    with closing(Reader(path)) as reader:
        if path.stat().st_size <= _WHOLE_BYTES:
            rows = reader.verify().rows
            return places.Chain(rows=rows, verified=rows, schema=reader.schema())
        verified, rows = reader.verify_last(_LAST_ROWS)
        return places.Chain(rows=rows, verified=verified, schema=reader.schema())
