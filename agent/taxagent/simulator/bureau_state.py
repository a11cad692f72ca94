"""What the simulated bureau remembers, and its log of calls: both on disk before an answer leaves."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

from taxagent.bureau.messages import DeclarationAnswer, MaintenanceMessage, ReceiptAnswer, TicketAnswer
from taxagent.model.device import DeviceKind
from taxagent.model.errors import AgentError
from taxagent.model.value import Value, from_json, to_json
from taxagent.simulator.durable import append_line, replace_file, whole_lines


class KnownMachine(Value, frozen=True, kw_only=True):
    """What the newest report of a device says which machine it is."""

    terminal_no: int = 0
    device_kind: str = ""


class HeldReport(Value, frozen=True, kw_only=True):
    """A report and its receipt."""

    taxpayer_id: str
    summary: bytes
    receipt: ReceiptAnswer


class IssuedTicket(Value, frozen=True, kw_only=True):
    """A ticket, and when the device's agent said that it was written."""

    serial: int
    ticket: TicketAnswer
    confirmed_ms: int | None = None


class KeptAnswer(Value, frozen=True, kw_only=True):
    """The answer that a key gives, and the payload that it stands for."""

    at_ms: int  # by the bureau's clock
    payload_sha256: str  # of op, device, group, period and body
    body: bytes


class BureauMemory(Value, frozen=True, kw_only=True):
    """All that survives a restart. Reports and tickets are filed under "device/group/period"."""

    reports: dict[str, HeldReport] = {}
    tickets: dict[str, tuple[IssuedTicket, ...]] = {}  # oldest first
    returns: dict[str, DeclarationAnswer] = {}  # under "taxpayer/period"
    filings: tuple[DeclarationAnswer, ...] = ()  # each that was ever filed or taken back, oldest first
    kept: dict[str, KeptAnswer] = {}  # under the Idempotency-Key
    owners: dict[str, str] = {}  # device_no -> taxpayer_id, from the first report on
    kinds: dict[str, DeviceKind] = {}  # device_no -> what its newest summary says that it is
    machines: dict[str, KnownMachine] = {}  # device_no -> which machine its newest report says that it is
    serials: dict[str, int] = {}  # device_no -> serial of its newest ticket
    receipts: int = 0


class Result(StrEnum):
    """What became of a call."""

    ACCEPTED = "accepted"  # carried out, for the first time under its key
    REPEATED = "repeated"  # the kept answer was given again
    ANSWERED = "answered"  # a read
    REFUSED = "refused"


class LoggedCall(Value, frozen=True, kw_only=True):
    """One line of the call log, for a judge to read."""

    at_ms: int  # by the bureau's clock
    op: str
    device_no: str
    group: str
    period: str
    taxpayer_id: str
    key: str
    result: Result
    status: int
    code: str = ""  # of a refusal
    reference: str = ""  # number of the receipt or ticket
    maintenance: MaintenanceMessage | None = None  # of a status: as it was told


class BureauStore:
    """The files of a bureau: `bureau.json` and `calls.jsonl` in its directory."""

    def __init__(self, directory: Path) -> None:
        """Create the directory where it is missing. Raises OSError where that cannot be done."""
        directory.mkdir(parents=True, exist_ok=True)
        self._state = directory / "bureau.json"
        self.log_path = directory / "calls.jsonl"

    def load(self) -> BureauMemory:
        """Return what was kept. Raises AgentError SCENARIO_INVALID where the file is not readable."""
        try:
            return from_json(self._state.read_bytes(), BureauMemory)
        except FileNotFoundError:
            return BureauMemory()
        except (msgspec.MsgspecError, OSError) as error:
            raise AgentError("SCENARIO_INVALID", file=str(self._state), problem=str(error)) from error

    def save(self, memory: BureauMemory) -> None:
        """Replace the state file as a whole; it is on disk when this returns."""
        replace_file(self._state, to_json(memory))

    def log(self, line: LoggedCall) -> None:
        """Append to the log. Accepted calls are on disk when this returns; the others may be lost."""
        append_line(self.log_path, to_json(line), sync=line.result is Result.ACCEPTED)

    def logged(self) -> tuple[LoggedCall, ...]:
        """Return the log, oldest first; a last line that a crash cut short is left out."""
        return tuple(from_json(line, LoggedCall) for line in whole_lines(self.log_path))
