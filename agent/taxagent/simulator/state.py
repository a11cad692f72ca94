"""What a simulated device remembers without power, and its log of writes: both on disk before it answers."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import msgspec

from taxagent.device.commands import REMEMBERED_SUMMARIES
from taxagent.model.device import WriteRecord
from taxagent.model.period import Period
from taxagent.model.value import Value, from_json, to_json
from taxagent.simulator.durable import append_line, replace_file, whole_lines
from taxagent.simulator.scenario import Battery, invalid

TICKETS_KEPT = 8  # hashes of accepted tickets


class Settling(Value, frozen=True, kw_only=True):
    """A seal that does not show yet: until `until`, by the device's clock, MONITOR has the old date."""

    since: dt.datetime
    until: dt.datetime
    shown: dt.date


class GroupMemory(Value, frozen=True, kw_only=True):
    """Where one group of invoice types stands."""

    group: str
    last_report: dt.date
    invoicing_deadline: dt.date
    ticket_serial: int = 0  # of the newest clear ticket that was accepted
    applied: tuple[str, ...] = ()  # SHA-256 of the clear tickets that were accepted, newest first
    settling: Settling | None = None  # of its newest seal

    @property
    def types(self) -> tuple[str, ...]:
        """The invoice types of the group, in the device's order."""
        return tuple(self.group.split("+"))

    def settles(self, now: dt.datetime) -> bool:
        """Return whether the newest seal does not show yet; a clock that was put back ends the wait."""
        return self.settling is not None and self.settling.since <= now < self.settling.until

    def shown_last_report(self, now: dt.datetime) -> dt.date:
        """Return the last_report that MONITOR has."""
        return self.settling.shown if self.settling and self.settles(now) else self.last_report


class KeptSummary(Value, frozen=True, kw_only=True):
    """The sealed summary of a period."""

    group: str
    period: Period
    summary: bytes


class Memory(Value, frozen=True, kw_only=True):
    """All that survives a power cycle."""

    device_no: str
    scenario_sha256: str
    password: str
    tries_left: int
    clock_offset_ms: int  # the device's clock minus its base clock
    groups: tuple[GroupMemory, ...]
    summaries: tuple[KeptSummary, ...] = ()  # newest first
    let_in: tuple[str, ...] = ()  # numbers of the clear tickets whose clock ticket was written, newest first
    clock_serial: int = 0
    clock_tickets: tuple[str, ...] = ()  # SHA-256, newest first
    battery: Battery | None = None  # of the clock, where it was changed
    uploaded_until: dt.datetime | None = None  # invoices issued until then count as uploaded
    write_no: int = 0
    writes: tuple[WriteRecord, ...] = ()  # newest first

    def group(self, name: str) -> GroupMemory | None:
        """Return the memory of that group, or None where the device has no such group."""
        return next((group for group in self.groups if group.group == name), None)

    def group_of(self, invoice_type: str) -> GroupMemory:
        """Return the memory of the group that a type of the device is in. Raises StopIteration."""
        return next(group for group in self.groups if invoice_type in group.types)

    def with_group(self, changed: GroupMemory) -> Memory:
        """Return a memory in which `changed` stands in place of the group of its name."""
        groups = tuple(changed if g.group == changed.group else g for g in self.groups)
        return msgspec.structs.replace(self, groups=groups)


def with_summary(memory: Memory, summary: KeptSummary) -> Memory:
    """Return `memory` with one more summary; only the group's newest 12 are kept."""
    same = [kept for kept in memory.summaries if kept.group == summary.group]
    others = tuple(kept for kept in memory.summaries if kept.group != summary.group)
    newest = (summary, *same)[:REMEMBERED_SUMMARIES]
    return msgspec.structs.replace(memory, summaries=newest + others)


class LoggedWrite(Value, frozen=True, kw_only=True):
    """One line of the write log; what the device executed or refused, for a judge to read."""

    at_ms: int  # real UTC
    device_clock: dt.datetime
    device_no: str
    group: str  # "" where the write is not about one
    code: str  # of the refusal; "" where it was accepted
    write: WriteRecord


class RefusedTry(Value, frozen=True, kw_only=True):
    """One line of the log of refused passwords, for a judge to read: which one, not what it is."""

    at_ms: int  # real UTC
    device_no: str
    password_sha256: str


class DeviceStore:
    """The files of one device: `<device_no>` with `.state.json`, `.writes.jsonl`, `.tries.jsonl`."""

    def __init__(self, directory: Path, device_no: str) -> None:
        """Create the directory where it is missing. Raises OSError where that cannot be done."""
        directory.mkdir(parents=True, exist_ok=True)
        self.state_path = directory / f"{device_no}.state.json"
        self.log_path = directory / f"{device_no}.writes.jsonl"
        self.tries_path = directory / f"{device_no}.tries.jsonl"

    def load(self) -> Memory | None:
        """Return what was kept, or None. Raises AgentError SCENARIO_INVALID for a broken file."""
        try:
            return from_json(self.state_path.read_bytes(), Memory)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError) as error:
            raise invalid(str(self.state_path), "", str(error)) from error

    def save(self, memory: Memory) -> None:
        """Replace the state file as a whole; it is on disk when this returns."""
        replace_file(self.state_path, to_json(memory))

    def log(self, line: LoggedWrite) -> None:
        """Append to the write log; the line is on disk when this returns."""
        append_line(self.log_path, to_json(line))

    def log_refused(self, line: RefusedTry) -> None:
        """Append to the log of refused passwords; the line is on disk when this returns."""
        append_line(self.tries_path, to_json(line))

    def mended_log(self) -> tuple[LoggedWrite, ...]:
        """Return the write log, oldest first, after cutting off a last line that a crash left unfinished."""
        if self.log_path.exists():
            whole = self.log_path.read_bytes().rpartition(b"\n")
            os.truncate(self.log_path, len(whole[0] + whole[1]))
        return read_log(self.log_path)

    def forget(self) -> None:
        """Remove the files: the device is new again."""
        for path in (self.state_path, self.log_path, self.tries_path):
            path.unlink(missing_ok=True)


def read_log(path: Path) -> tuple[LoggedWrite, ...]:
    """Return the write log in the file, oldest first; () where there is none.

    A last line that a crash cut short is left out: its write was never answered.
    """
    return tuple(from_json(line, LoggedWrite) for line in whole_lines(path))
