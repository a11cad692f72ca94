"""Devices read by a command itself, where no agent runs: under the instance lock, without writing to them.

A password that a device refuses is remembered in the journal, as the agent would: it is tried once, ever.
"""

from __future__ import annotations

import os
import platform
import secrets as random_bytes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from taxagent import __version__
from taxagent.config import Settings
from taxagent.device import drivers
from taxagent.host.clock import HostClock
from taxagent.host.lock import Owner, take_lock
from taxagent.host.secret_files import SecretFiles
from taxagent.jobs.asks import DeskStatus, DeviceView
from taxagent.jobs.device_views import bare_view, view_of
from taxagent.jobs.latch import JournalLatch
from taxagent.journal import JOURNAL_NAME, JournalWriter, Reader
from taxagent.model.device import Hello
from taxagent.model.errors import AgentError, DeviceInUse
from taxagent.model.usb import Recognised
from taxagent.ports import Device, DeviceSource, JournalReader
from taxagent.procedures.session import Latch, greet, open_session, read_state, with_stock

Opened = Callable[[Device, Hello], None]


@contextmanager
def alone(settings: Settings) -> Iterator[tuple[Latch, JournalReader]]:
    """Be the one process on the state directory; yield the memory of refused passwords and the journal.

    Raises InstanceRunning where an agent runs, StateDirUnwritable, JournalRefused or JournalFull.
    """
    clock = HostClock(settings.simulation)
    boot = random_bytes.token_hex(8)
    owner = Owner(
        pid=os.getpid(),
        boot=boot,
        started_ms=clock.utc_ms(),
        host=platform.node(),
        config=str(settings.path),
    )
    lock = take_lock(settings.state_dir, owner)
    path = settings.state_dir / JOURNAL_NAME
    try:
        journal = JournalWriter(path, sink=lambda _rows: None, on_fatal=lambda _error: None)
        journal.start()
        reader = Reader(path)
        try:
            crashed = reader.crashed()
            yield JournalLatch(journal, reader, clock, after_crash=crashed, announce_all=True), reader
        finally:
            journal.close()
            reader.close()
    finally:
        _hand_over(settings.state_dir)
        lock.release()


def read_all(settings: Settings, latch: Latch, journal: JournalReader) -> DeskStatus:
    """Look at the bus and read each device of ours once; what cannot be read says why."""
    clock = HostClock(settings.simulation)
    usb = settings.file.usb
    source = drivers.source(usb.driver, usb.backend)
    secrets = secret_store(settings)

    def opened(device: Device, hello: Hello) -> None:
        open_session(device, hello, secrets, latch)

    seen = source.seen()
    simulation = settings.simulation is not None
    views = [
        read_one(source, thing.location, opened, clock, simulation=simulation)
        for thing in seen
        if thing.recognised is Recognised.PROFILE
    ]
    return DeskStatus(
        boot="",
        version=__version__,
        started_ms=clock.utc_ms(),
        simulated=simulation,
        verifying=False,
        draining=False,
        devices=tuple(views),
        seen=seen,
        live_jobs=tuple(journal.jobs(live=True)),
        trouble=source.trouble(),
    )


def read_one(
    source: DeviceSource, location: str, opened: Opened, clock: HostClock, *, simulation: bool
) -> DeviceView:
    """Hold a device, greet it, have it `opened`, read it, give it back. Never raises AgentError."""
    hello: Hello | None = None
    try:
        with source.hold(location) as device:
            hello = greet(device, simulation=simulation)
            try:
                opened(device, hello)
                state = with_stock(device, read_state(device, hello))
            finally:
                device.close()
    except AgentError as error:
        return _unread(location, hello, error, clock.utc_ms())
    return view_of(location, state, clock.utc_ms())


def secret_store(settings: Settings) -> SecretFiles:
    """Return where the passwords are."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return SecretFiles(settings.secrets_dir, Path(folder) if folder else None)


def _unread(location: str, hello: Hello | None, error: AgentError, now_ms: int) -> DeviceView:
    view = bare_view(hello.device_no if hello is not None else "", hello, now_ms)
    held_by = error.detail.get("holder") or "?" if isinstance(error, DeviceInUse) else ""
    return msgspec.structs.replace(
        view, location=location, problem=error.problem(), held_by=held_by, stale=True
    )


def _hand_over(state_dir: Path) -> None:
    """What root made in the agent's directory becomes its owner's: the agent could not open it otherwise."""
    if os.name != "posix" or os.geteuid() != 0:
        return
    owner = state_dir.stat()
    for path in state_dir.iterdir():
        if not path.is_symlink() and path.is_file() and path.stat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
