"""What a procedure works with: one job, the device that it holds, the bureau, and the job's ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from taxagent.model.bureau import BureauStatus
from taxagent.model.device import QUIRKS, DeviceState, Quirks, Statistics
from taxagent.model.errors import NeedsHuman, Refusal
from taxagent.model.job import Job, Problem, WaitReason
from taxagent.model.known import KnownDevice
from taxagent.model.period import Period, first_day, last_day, plus
from taxagent.model.windows import Rules
from taxagent.ports import Bureau, Clock, Device, Secrets, Surroundings
from taxagent.procedures.ledger import Ledger
from taxagent.procedures.session import Latch


class Archives(Protocol):
    """Where back-ups are put. One file, streamed, fsynced, renamed into place and read back."""

    def write(
        self, name: str, manifest: dict[str, str], parts: Iterable[tuple[str, Iterator[bytes]]]
    ) -> tuple[str, str]:
        """Write the parts as one archive; return (absolute path, SHA-256 hex of the file).

        Raises Refusal("BACKUP_FAILED", path=..., error=...); a file that could not be read back is removed.
        """


@dataclass
class Work:
    """The bench of one run of one job. `check_stop` raises Interrupted where the agent is stopping."""

    ledger: Ledger
    device: Device
    bureau: Bureau
    clock: Clock
    secrets: Secrets
    latch: Latch
    archives: Archives
    rules: Rules
    simulation: bool
    check_stop: Callable[[], None]
    surroundings: Surroundings | None = None  # None: nobody looks at this computer
    known: Mapping[str, KnownDevice] = field(default_factory=dict)  # what the configuration says, by number
    bureau_status: BureauStatus | None = None  # as this run asked for it, where it had to

    @property
    def job(self) -> Job:
        """The job as the journal has it."""
        return self.ledger.job

    def totals(self, types: Iterable[str], periods: Iterable[Period]) -> tuple[Statistics, ...]:
        """Read the statistics of each type and period."""
        return totals(self.device, types, periods)


class Waiting(Exception):
    """The job must wait: `wait` says for what."""

    def __init__(self, reason: WaitReason, problem: Problem) -> None:
        super().__init__(reason, problem)
        self.reason = reason
        self.problem = problem


def quirks_of(state: DeviceState) -> Quirks:
    """Return the quirks of the device's kind; NeedsHuman("KIND_UNKNOWN") for a kind that has none here."""
    try:
        return QUIRKS[state.hello.kind]
    except KeyError:
        raise NeedsHuman("KIND_UNKNOWN", kind=state.hello.kind.value) from None


def sealed_until(month: Period, quirks: Quirks) -> dt.date:
    """Return what `last_report` is once `month` is sealed."""
    return last_day(month) if quirks.last_report_inclusive else first_day(plus(month, 1))


def groups_of(state: DeviceState, types: Iterable[str]) -> tuple[str, ...]:
    """Return the groups of `types`, in the device's order; Refusal("TYPE_UNKNOWN") for a type it lacks."""
    wanted = set(types)
    missing = wanted - {row.invoice_type for row in state.monitor}
    if missing:
        raise Refusal(
            "TYPE_UNKNOWN",
            invoice_type=", ".join(sorted(missing)),
            types=", ".join(row.invoice_type for row in state.monitor),
        )
    return tuple(dict.fromkeys(row.group for row in state.monitor if row.invoice_type in wanted))


def totals(device: Device, types: Iterable[str], periods: Iterable[Period]) -> tuple[Statistics, ...]:
    """Read the statistics of each type and month of an opened device, types outermost."""
    months = tuple(periods)
    return tuple(
        device.statistics(kind, first_day(month), last_day(month)) for kind in types for month in months
    )
