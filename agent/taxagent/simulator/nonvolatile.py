"""What survives a simulated device's power cycle: memory, clock, log of writes. Knows no command."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from taxagent.device.commands import REMEMBERED_WRITES
from taxagent.model.device import WriteKind, WriteRecord
from taxagent.model.value import Value
from taxagent.ports import Clock
from taxagent.simulator.denial import Denied, password_wrong
from taxagent.simulator.scenario import Battery, Scenario, invalid
from taxagent.simulator.state import DeviceStore, GroupMemory, LoggedWrite, Memory, RefusedTry

_MS = dt.timedelta(milliseconds=1)


class Sent(Value, frozen=True, kw_only=True):
    """How a write came in: the hash of its parameter bytes, and its place in which session."""

    payload_sha256: str
    session: str
    sequence: int


class Nonvolatile:
    """Memory that is on disk before anyone is told, and the device's own clock over a base clock."""

    def __init__(self, scenario: Scenario, store: DeviceStore, base: Clock) -> None:
        """Go on from the store's memory, or begin as the scenario says.

        Raises AgentError SCENARIO_INVALID where the memory is another scenario's.
        """
        self._store = store
        self._base = base
        self._tries = scenario.tries
        self._clock = scenario.clock
        self._memory = store.load() or _born(scenario, base)
        if self._memory.scenario_sha256 != scenario.sha256():
            problem = f"the state of device {scenario.device_no} is another scenario's; --reset begins anew"
            raise invalid(str(store.state_path), "", problem)
        self.keep(self._memory)
        self.power_up()
        self._complete_log()

    @property
    def memory(self) -> Memory:
        """What is remembered now."""
        return self._memory

    @property
    def log_path(self) -> Path:
        """Where the log of executed and refused writes is."""
        return self._store.log_path

    def now(self) -> dt.datetime:
        """Return the device's own wall clock, naive."""
        return self._now(self._memory)

    def keep(self, memory: Memory) -> None:
        """Remember `memory`; it is on disk when this returns."""
        self._store.save(memory)
        self._memory = memory

    @property
    def battery(self) -> Battery:
        """What the clock lives on: as the scenario says, until it was changed."""
        return self._memory.battery or self._clock.battery

    def change_battery(self, battery: Battery) -> None:
        """Give the clock another battery; a dead one shows at once."""
        self.keep(msgspec.structs.replace(self._memory, battery=battery))
        self.power_up()

    def power_up(self) -> None:
        """Get power: a clock whose battery is dead begins at its default."""
        if self.battery is Battery.DEAD:
            self.set_clock(self._clock.default)

    def advance_clock(self, seconds: int) -> None:
        """Put the device's clock forward by `seconds`, back where that is negative."""
        self.set_clock(self.now() + dt.timedelta(seconds=seconds))

    def set_clock(self, local: dt.datetime) -> None:
        """Let the device's clock stand at `local`, naive."""
        offset_ms = (local - _local(self._base)) // _MS
        self.keep(msgspec.structs.replace(self._memory, clock_offset_ms=offset_ms))

    def check_password(self, password: str) -> None:
        """Raise Denied for a wrong password, which costs a try; a right one brings all tries back."""
        memory = self._memory
        if memory.tries_left == 0:
            raise password_wrong(0)
        if not secrets.compare_digest(password.encode(), memory.password.encode()):
            left = memory.tries_left - 1
            self.keep(msgspec.structs.replace(memory, tries_left=left))
            self._log_refused(password)
            raise password_wrong(left)
        if memory.tries_left != self._tries:
            self.keep(msgspec.structs.replace(memory, tries_left=self._tries))

    def _log_refused(self, password: str) -> None:
        digest = hashlib.sha256(f"{self._memory.device_no} {password}".encode()).hexdigest()
        line = RefusedTry(at_ms=self._base.utc_ms(), device_no=self._memory.device_no, password_sha256=digest)
        self._store.log_refused(line)

    def set_password(self, password: str) -> None:
        """Change the password behind the owner's back; all tries are there again."""
        self.keep(msgspec.structs.replace(self._memory, password=password, tries_left=self._tries))

    def upload_all(self) -> None:
        """Count every invoice issued so far as uploaded."""
        self.keep(msgspec.structs.replace(self._memory, uploaded_until=self.now()))

    def write(self, kind: WriteKind, sent: Sent, group: str, change: Callable[[], Memory]) -> WriteRecord:
        """Do `change`, remember it and its record, log it. A refusal is remembered likewise, then raised."""
        refusal = None
        try:
            changed = change()
        except Denied as error:
            changed, refusal = self._memory, error
        record = WriteRecord(
            write_no=self._memory.write_no + 1,
            kind=kind,
            payload_sha256=sent.payload_sha256,
            session=sent.session,
            sequence=sent.sequence,
            accepted=refusal is None,
            before=self._date(self._memory, kind, group),
            after=self._date(changed, kind, group),
        )
        writes = (record, *self._memory.writes)[:REMEMBERED_WRITES]
        self.keep(msgspec.structs.replace(changed, write_no=record.write_no, writes=writes))
        self._log(record, group, refusal.code if refusal else "")
        if refusal:
            raise refusal
        return record

    def _now(self, memory: Memory) -> dt.datetime:
        return _local(self._base) + memory.clock_offset_ms * _MS

    def _date(self, memory: Memory, kind: WriteKind, name: str) -> dt.date:
        group: GroupMemory | None = memory.group(name)
        if group and kind is WriteKind.SEAL:
            return group.last_report
        if group and kind is WriteKind.APPLY_TICKET:
            return group.invoicing_deadline
        return self._now(memory).date()

    def _log(self, record: WriteRecord, group: str, code: str) -> None:
        self._store.log(
            LoggedWrite(
                at_ms=self._base.utc_ms(),
                device_clock=self.now(),
                device_no=self._memory.device_no,
                group=group,
                code=code,
                write=record,
            )
        )

    def _complete_log(self) -> None:
        """Log what a crash between the memory and the log left out."""
        logged = {line.write.write_no for line in self._store.mended_log()}
        for record in reversed(self._memory.writes):
            if record.write_no not in logged:
                self._log(record, "", "" if record.accepted else "unknown")


def _local(base: Clock) -> dt.datetime:
    return base.local().replace(tzinfo=None)


def _born(scenario: Scenario, base: Clock) -> Memory:
    ahead = dt.timedelta(seconds=scenario.clock.error_s)
    if scenario.clock.start is not None:
        ahead += scenario.clock.start - _local(base)
    return Memory(
        device_no=scenario.device_no,
        scenario_sha256=scenario.sha256(),
        password=scenario.password,
        tries_left=scenario.tries,
        clock_offset_ms=ahead // _MS,
        groups=tuple(_new_group(scenario, group) for group in scenario.groups()),
    )


def _new_group(scenario: Scenario, group: str) -> GroupMemory:
    """Begin where the group's first type stands: those of a group stand alike (scenario.py sees to it)."""
    first = next(kind for kind in scenario.types if kind.invoice_type in group.split("+"))
    return GroupMemory(
        group=group, last_report=first.last_report, invoicing_deadline=first.invoicing_deadline
    )
