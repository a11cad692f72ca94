"""A new configuration under a running agent: what takes effect at once, and what waits for a restart.

Limits, roles, windows, consents and the pace of waiting are taken over; endpoints, paths, the driver and the
gateway stay as they were at the start. A configuration that is out of form changes nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from taxagent import config
from taxagent.config import File, Settings
from taxagent.model.errors import AgentError
from taxagent.model.events import AgentReloaded
from taxagent.model.faults import text
from taxagent.ports import Clock, Journal, Mailbox

_log = structlog.get_logger("taxagent")

FIXED = (
    "agent.state_dir",
    "agent.language",
    "ipc.endpoint",
    "door.tcp",
    "usb.driver",
    "usb.backend",
    "device.hold",
    "bureau.url",
    "bureau.ca",
    "bureau.certificate",
    "bureau.key",
    "secrets.directory",
    "metrics.listen",
    "metrics.beyond_loopback",
    "metrics.textfile",
    "metrics.interval_s",
    "simulation",
)
"""The keys that hold until a restart; of a section that is named here, all of it."""


class Teller(Protocol):
    """Who is told of a reload: host.supervision."""

    def reloading(self, monotonic_us: int) -> None:
        """It has begun."""

    def reloaded(self, *, refused: str = "", restart: tuple[str, ...] = ()) -> None:
        """It is over."""


class Tunable(Protocol):
    """Who takes the new settings: parts.Parts."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def boot(self) -> str: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def mailbox(self) -> Mailbox: ...
    @property
    def supervision(self) -> Teller: ...
    def retune(self, settings: Settings) -> None:
        """Take these over. The loop's thread."""

    def names_without_owner(self) -> tuple[dict[str, str], ...]:
        """Return the configured names that the system does not know. May block."""


def on_hangup(
    parts: Tunable, in_office: Callable[[Callable[[], None]], None], drain: Callable[[], None]
) -> None:
    """Have SIGHUP read the configuration anew; at a terminal it means that the terminal has gone: drain."""
    if sys.platform != "win32":
        act = drain if os.isatty(0) else Reload(parts, in_office).begin
        signal.signal(signal.SIGHUP, lambda _number, _frame: parts.mailbox.post(act))


class Reload:
    """Reads the configuration anew. `begin` in the loop's thread, the reading in the office's."""

    def __init__(self, parts: Tunable, in_office: Callable[[Callable[[], None]], None]) -> None:
        self._parts = parts
        self._in_office = in_office

    def begin(self) -> None:
        """Read the file that the agent was started with, and take over what may change."""
        self._parts.supervision.reloading(round(self._parts.clock.monotonic() * 1_000_000))
        self._in_office(self._read)

    def _read(self) -> None:
        old = self._parts.settings
        try:
            settings, waiting = merged(old, config.load(old.path))
        except Exception as error:  # noqa: BLE001 - systemd waits for READY=1, whatever comes of it
            title, row = self._refusal(error)
            self._parts.mailbox.post(lambda: self._parts.supervision.reloaded(refused=title))
            self._append(row)
            return
        self._parts.mailbox.post(lambda: self._take(settings, waiting))

    def _take(self, settings: Settings, waiting: tuple[str, ...]) -> None:
        changed = changed_keys(self._parts.settings.file, settings.file)
        try:
            self._parts.retune(settings)
        except Exception as error:  # noqa: BLE001 - as in _read
            title, row = self._refusal(error)
            self._parts.supervision.reloaded(refused=title)
            self._in_office(lambda: self._append(row))
            return
        _log.info("reloaded", changed=list(changed), needs_restart=list(waiting))
        self._parts.supervision.reloaded(restart=waiting)
        row = self._row(changed=changed, needs_restart=waiting)
        self._in_office(lambda: self._append(row))
        self._in_office(self._look_for_nobody)

    def _append(self, row: AgentReloaded) -> None:
        self._parts.journal.append(row)

    def _row(
        self,
        *,
        changed: tuple[str, ...] = (),
        needs_restart: tuple[str, ...] = (),
        refused: str = "",
        at_key: str = "",
    ) -> AgentReloaded:
        return AgentReloaded(
            boot=self._parts.boot,
            changed=changed,
            needs_restart=needs_restart,
            refused=refused,
            at_key=at_key,
            at_ms=self._parts.clock.utc_ms(),
            sim_ms=self._parts.clock.sim_ms(),
        )

    def _refusal(self, error: Exception) -> tuple[str, AgentReloaded]:
        """Log why nothing is taken over; return it in a few words, and its row. A defect is logged as one."""
        if not isinstance(error, AgentError):
            _log.exception("reload_failed", exc_info=error)
            error = AgentError("INTERNAL")
        words = text(error.problem(), self._parts.settings.file.agent.language)
        _log.error("reload_refused", fault=error.fault, title=words.title, cause=words.cause, **error.detail)
        key = str(error.detail.get("key", ""))
        row = self._row(refused=error.fault, at_key=key)
        return (f"{words.title} ({key})" if key else words.title), row

    def _look_for_nobody(self) -> None:
        for named in self._parts.names_without_owner():
            _log.warning("role_of_nobody", **named)


def merged(old: Settings, new: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Return `new` with what holds until a restart taken from `old`, and the keys in which they differ."""
    file, waiting = new.file, list[str]()
    for key in FIXED:
        section, _, name = key.partition(".")
        kept, wanted = getattr(old.file, section), getattr(file, section)
        if name:
            if getattr(kept, name) != getattr(wanted, name):
                waiting.append(key)
            kept = msgspec.structs.replace(wanted, **{name: getattr(kept, name)})
        elif kept != wanted:
            waiting.append(key)
        file = msgspec.structs.replace(file, **{section: kept})
    return msgspec.structs.replace(old, file=file), tuple(waiting)


def changed_keys(old: File, new: File) -> tuple[str, ...]:
    """Return the keys, or the sections that are tables of their own, in which two files differ."""
    found = []
    for section in File.__struct_fields__:
        before, after = getattr(old, section), getattr(new, section)
        if before == after:
            continue
        if isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            names = (
                name for name in before.__struct_fields__ if getattr(before, name) != getattr(after, name)
            )
            found += [f"{section}.{name}" for name in names]
        else:
            found.append(section)
    return tuple(found)
