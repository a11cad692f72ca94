"""A device, as it describes itself. Knows no wire format and no transport."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from taxagent.model.value import Value


class DeviceKind(StrEnum):
    """The issued kinds of tax-control device; the quirks of each are data in `QUIRKS`."""

    GOLDEN_DISK = "golden_disk"  # 金税盘
    CONTROL_DISK = "control_disk"  # 税控盘
    UKEY = "ukey"  # 税务UKey


class Quirks(Value, frozen=True, kw_only=True):
    """What differs between kinds, as data. Which types report together the device itself says (`group`)."""

    last_report_inclusive: bool  # last_report is the last day of the reported period, else the day after it
    clock_ticket_first: bool  # a clock ticket is written before the clear ticket; others refuse one
    seal_by_reading: bool = False  # the first reading of a closed month's summary seals it; no SEAL command
    settles_within_s: float = 0.0  # so long after the seal MONITOR may still show the date before it


QUIRKS: dict[DeviceKind, Quirks] = {
    DeviceKind.GOLDEN_DISK: Quirks(last_report_inclusive=False, clock_ticket_first=False),
    DeviceKind.CONTROL_DISK: Quirks(last_report_inclusive=True, clock_ticket_first=True),
    DeviceKind.UKEY: Quirks(
        last_report_inclusive=True, clock_ticket_first=False, seal_by_reading=True, settles_within_s=4.0
    ),
}


class Hello(Value, frozen=True, kw_only=True):
    """What a device tells before any password."""

    device_no: str  # 12 digits: the identity
    kind: DeviceKind
    simulated: bool
    firmware: str
    tries_left: int  # password tries until the device blocks
    session: str  # hex of the 8-byte session nonce, new at each HELLO


class PasswordVerdict(StrEnum):
    """What became of a try with a password."""

    TRYING = "trying"  # said before the try; what is left of it after a crash
    ACCEPTED = "accepted"
    DOUBTED = "doubted"  # accepted before; a try since, whose end is not known, may have been refused
    REFUSED = "refused"  # never tried again by itself


class TriedPassword(Value, frozen=True, kw_only=True):
    """A password that was tried on a device, known by its salted hash alone."""

    salt: str  # hex; one a device, so that equal passwords have equal hashes
    salted_sha256: str  # hex of SHA-256(salt + mark of its giving + password as UTF-8)
    tries_left: (
        int  # after the try (REFUSED); before it (TRYING, DOUBTED); the most seen before one (ACCEPTED)
    )
    verdict: PasswordVerdict


class DeviceInfo(Value, frozen=True, kw_only=True):
    """What an opened device tells of its owner."""

    device_no: str
    taxpayer_id: str
    taxpayer_name: str
    terminal_no: int  # 0 = main machine
    registered: bool  # issued by the bureau
    certificate_from: dt.date
    certificate_to: dt.date
    training: bool | None = None  # a device for lessons; None = it does not say


class MonitorData(Value, frozen=True, kw_only=True):
    """监控数据 of one invoice type. Dates are the device's calendar dates, money is fen."""

    invoice_type: str
    group: str  # the types that report together, as the device names the group
    invoicing_deadline: dt.date  # 开票截止日期 = lock date
    report_from: dt.date  # 数据报送起
    report_to: dt.date  # 数据报送止
    last_report: dt.date  # 最新报税日期; inclusive or not by kind
    single_limit: int
    month_limit: int
    month_limit_left: int
    offline_hours: int
    offline_hours_left: int
    offline_amount: int
    offline_amount_left: int
    upload_deadline: dt.date | None  # 上传截止日期; None = no limit
    pending_uploads: int  # invoices not uploaded
    capacity_left: int  # invoices that still fit


class OfflineState(Value, frozen=True, kw_only=True):
    """What one invoice type has issued without the bureau, and what it still may. Money is fen."""

    invoice_type: str
    offline_hours: int
    offline_hours_left: int
    offline_amount: int
    offline_amount_left: int
    pending_uploads: int
    pending_amount: int
    pending_from: dt.date | None  # day of the oldest invoice that is not uploaded


class Statistics(Value, frozen=True, kw_only=True):
    """发票统计 of one type in [date_from, date_to]: counts of invoices, sums in fen."""

    invoice_type: str
    date_from: dt.date
    date_to: dt.date
    opening: int
    bought: int
    returned: int
    positive: int
    positive_voided: int
    negative: int
    negative_voided: int
    blank_voided: int
    closing: int
    positive_amount: int
    positive_tax: int
    positive_voided_amount: int
    positive_voided_tax: int
    negative_amount: int  # <= 0
    negative_tax: int  # <= 0
    negative_voided_amount: int  # <= 0
    negative_voided_tax: int  # <= 0


class StockRange(Value, frozen=True, kw_only=True):
    """A run of blank invoices on the device: `count` numbers of `code` from `number_from` on."""

    code: str
    number_from: str
    count: int


class Stock(Value, frozen=True, kw_only=True):
    """The blank invoices of one type."""

    invoice_type: str
    ranges: tuple[StockRange, ...]


class WriteKind(StrEnum):
    """The irreversible writes that a device remembers (LAST_WRITE)."""

    SEAL = "seal"
    CLOCK_TICKET = "clock_ticket"
    APPLY_TICKET = "apply_ticket"
    CHANGE_PASSWORD = "change_password"


class WriteRecord(Value, frozen=True, kw_only=True):
    """One of the last eight writes, stored by the device before it answered."""

    write_no: int  # counts all writes of the device's life, from 1
    kind: WriteKind
    payload_sha256: str  # hex; SHA-256 of the command's parameter bytes as sent
    session: str
    sequence: int
    accepted: bool  # False: the device refused it and changed nothing
    before: dt.date  # seal: last_report; ticket: invoicing_deadline; else the device's date
    after: dt.date


class SealOrder(Value, frozen=True, kw_only=True):
    """SEAL's parameters: a compare-and-set on `expected_last_report`."""

    group: str
    period_from: dt.date
    period_to: dt.date
    expected_last_report: dt.date


class DeviceState(Value, frozen=True, kw_only=True):
    """One reading of an opened device, taken in one go."""

    hello: Hello
    info: DeviceInfo
    clock: dt.datetime  # the device's own wall clock, naive, Asia/Shanghai
    monitor: tuple[MonitorData, ...]
    stock: tuple[Stock, ...] | None = None  # None = not read; a type without stock is left out

    def of_group(self, group: str) -> tuple[MonitorData, ...]:
        """Return the monitor data of the types in `group`; empty where the device has no such group."""
        return tuple(m for m in self.monitor if m.group == group)
