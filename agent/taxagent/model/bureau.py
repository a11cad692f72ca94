"""What the tax bureau says and is told. Knows no HTTP."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum

from taxagent.model.period import Period
from taxagent.model.value import Value


class Maintenance(Value, frozen=True, kw_only=True):
    """A time in which the bureau takes no calls."""

    from_ms: int
    until_ms: int
    text: str


class FilingRow(Value, frozen=True, kw_only=True):
    """A row of the bureau's filing calendar: the last day of `month`'s filing window."""

    month: Period  # the month in which is filed, not the month that is filed
    deadline: dt.date


class BureauStatus(Value, frozen=True, kw_only=True):
    """The bureau's state, by its own clock (ms UTC)."""

    clock_ms: int
    maintenance: Maintenance | None
    minimum_agent_version: str
    filing_calendar: tuple[FilingRow, ...]
    notices: tuple[str, ...]


class Machine(Value, frozen=True, kw_only=True):
    """One machine of a taxpayer, as the bureau knows it."""

    device_no: str
    terminal_no: int = 0  # 开票机号: 0 = main machine, 1.. = sub machines
    device_kind: str = ""  # a DeviceKind's value; "" where the bureau does not know it

    def __str__(self) -> str:
        return f"#{self.terminal_no} {self.device_no}"


def is_older(version: str, least: str) -> bool:
    """Return whether `version` is below `least`, by the numbers between the dots; not where one has none."""
    mine, wanted = (re.match(r"[0-9]+(?:\.[0-9]+)*", text) for text in (version, least))
    if mine is None or wanted is None:
        return False
    parts = [[int(part) for part in found[0].split(".")] for found in (mine, wanted)]
    longest = max(map(len, parts))
    return parts[0] + [0] * (longest - len(parts[0])) < parts[1] + [0] * (longest - len(parts[1]))


class Report(Value, frozen=True, kw_only=True):
    """A sealed summary on its way to the bureau, and which machine of the taxpayer it is from."""

    device_no: str
    taxpayer_id: str
    group: str
    period: Period
    summary: bytes  # 汇总密文: opaque to the agent
    terminal_no: int = 0
    device_kind: str = ""


class Receipt(Value, frozen=True, kw_only=True):
    """The bureau has the report."""

    receipt_no: str
    device_no: str
    group: str
    period: Period
    summary_sha256: str  # of the summary that the bureau holds
    received_ms: int


class DeclarationState(StrEnum):
    """The state of a taxpayer's return for a period."""

    NOT_DUE = "not_due"  # no return is due for this period (filing cycle)
    MISSING = "missing"  # not filed
    MISMATCH = "mismatch"  # filed, refused by the comparison (一窗式比对)
    ACCEPTED = "accepted"


class Declaration(Value, frozen=True, kw_only=True):
    """The bureau's answer about a return."""

    taxpayer_id: str
    period: Period
    state: DeclarationState
    text: str  # the bureau's words, shown as they are
    filed_ms: int | None = None
    unreported: tuple[Machine, ...] = ()  # other machines whose report is missing: no return is taken before


class Ticket(Value, frozen=True, kw_only=True):
    """清卡密文, opaque but for what the bureau says of it."""

    ticket_no: str
    device_no: str
    group: str
    period: Period  # the newest period that it settles
    deadline: dt.date  # what invoicing_deadline becomes
    clear_ticket: bytes
    clock_ticket: bytes | None  # only for kinds that want one
    issued_ms: int
