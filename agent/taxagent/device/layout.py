"""Values as TLVs: one table of fields (name, tag, format) for both directions. Knows no command.

Every field name has one tag and one format in the whole profile; a value's TLVs are those of its fields.
A field that may be None is left out; a tuple of values is a constructed TLV for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast, get_args, get_type_hints

import msgspec

from taxagent.device import tlv
from taxagent.device.tlv import TlvError
from taxagent.device.wire import device_code_text
from taxagent.model.device import (
    DeviceKind,
    MonitorData,
    OfflineState,
    StockRange,
    WriteKind,
    WriteRecord,
)
from taxagent.model.invoice import Invoice, InvoiceMark
from taxagent.model.period import Period, period
from taxagent.model.value import Value

V = TypeVar("V", bound=Value)

KIND_NUMBERS = {DeviceKind.GOLDEN_DISK: 1, DeviceKind.CONTROL_DISK: 2, DeviceKind.UKEY: 3}
MARK_NUMBERS = {mark: number for number, mark in enumerate(InvoiceMark, start=1)}
WRITE_NUMBERS = {kind: number for number, kind in enumerate(WriteKind, start=1)}


class Format:
    """How one sort of value is written: `name` as in docs/device-profile.md."""

    def __init__(self, name: str, write: Callable[[Any], bytes], read: Callable[[bytes], Any]) -> None:
        self.name = name
        self.write = write
        self.read = read


def _number(size: int) -> Format:
    return Format(f"u{size * 8}", lambda v: tlv.unsigned(size, v), lambda d: tlv.read_unsigned(size, d))


def _one_of(name: str, numbers: dict[Any, int]) -> Format:
    values = {number: value for value, number in numbers.items()}

    def read(data: bytes) -> object:
        number = tlv.read_unsigned(1, data)
        if number not in values:
            raise TlvError(f"{number} is no {name}")
        return values[number]

    return Format(name, lambda v: tlv.unsigned(1, numbers[v]), read)


def _hex(size: int) -> Format:
    def read(data: bytes) -> str:
        if len(data) != size:
            raise TlvError(f"{len(data)} bytes where {size} are wanted")
        return data.hex()

    return Format(f"bytes{size}", bytes.fromhex, read)


def _read_month(data: bytes) -> Period:
    digits = tlv.read_bcd_digits(data, 3)
    try:
        return period(f"{digits[:4]}-{digits[4:]}")
    except ValueError as error:
        raise TlvError(f"{digits} is no month") from error


TEXT = Format("text", str.encode, tlv.read_text)
BYTES = Format("bytes", bytes, bytes)
U8, U16, U32 = _number(1), _number(2), _number(4)
FEN = Format("fen", tlv.signed64, tlv.read_signed64)
FLAG = _one_of("flag", {False: 0, True: 1})
DATE = Format("date", tlv.bcd_date, tlv.read_bcd_date)
TIME = Format("time", tlv.bcd_time, tlv.read_bcd_time)
MONTH = Format("month", lambda m: tlv.bcd_digits(m.replace("-", "")), _read_month)
CODE = Format(
    "code",
    lambda text: tlv.unsigned(4, int(text or "0", 16)),
    lambda data: device_code_text(tlv.read_unsigned(4, data)),
)

FIELDS: dict[str, tuple[int, Format]] = {
    "device_no": (0xDF20, TEXT),
    "device_kind": (0xDF21, _one_of("kind", KIND_NUMBERS)),
    "simulated": (0xDF22, FLAG),
    "firmware": (0xDF23, TEXT),
    "tries_left": (0xDF24, U8),
    "session": (0xDF25, _hex(8)),
    "password": (0xDF26, TEXT),
    "new_password": (0xDF27, TEXT),
    "taxpayer_id": (0xDF28, TEXT),
    "taxpayer_name": (0xDF29, TEXT),
    "terminal_no": (0xDF2A, U16),
    "registered": (0xDF2B, FLAG),
    "certificate_from": (0xDF2C, DATE),
    "certificate_to": (0xDF2D, DATE),
    "clock": (0xDF2E, TIME),
    "invoice_type": (0xDF2F, TEXT),
    "group": (0xDF30, TEXT),
    "invoicing_deadline": (0xDF31, DATE),
    "report_from": (0xDF32, DATE),
    "report_to": (0xDF33, DATE),
    "last_report": (0xDF34, DATE),
    "single_limit": (0xDF35, FEN),
    "month_limit": (0xDF36, FEN),
    "month_limit_left": (0xDF37, FEN),
    "offline_hours": (0xDF38, U32),
    "offline_hours_left": (0xDF39, U32),
    "offline_amount": (0xDF3A, FEN),
    "offline_amount_left": (0xDF3B, FEN),
    "upload_deadline": (0xDF3C, DATE),
    "pending_uploads": (0xDF3D, U32),
    "capacity_left": (0xDF3E, U32),
    "date_from": (0xDF3F, DATE),
    "date_to": (0xDF40, DATE),
    "opening": (0xDF41, U32),
    "bought": (0xDF42, U32),
    "returned": (0xDF43, U32),
    "positive": (0xDF44, U32),
    "positive_voided": (0xDF45, U32),
    "negative": (0xDF46, U32),
    "negative_voided": (0xDF47, U32),
    "blank_voided": (0xDF48, U32),
    "closing": (0xDF49, U32),
    "positive_amount": (0xDF4A, FEN),
    "positive_tax": (0xDF4B, FEN),
    "positive_voided_amount": (0xDF4C, FEN),
    "positive_voided_tax": (0xDF4D, FEN),
    "negative_amount": (0xDF4E, FEN),
    "negative_tax": (0xDF4F, FEN),
    "negative_voided_amount": (0xDF50, FEN),
    "negative_voided_tax": (0xDF51, FEN),
    "code": (0xDF52, TEXT),
    "number": (0xDF53, TEXT),
    "number_from": (0xDF54, TEXT),
    "count": (0xDF55, U32),
    "issued_at": (0xDF56, TIME),
    "mark": (0xDF57, _one_of("mark", MARK_NUMBERS)),
    "amount": (0xDF58, FEN),
    "tax": (0xDF59, FEN),
    "buyer": (0xDF5A, TEXT),
    "uploaded": (0xDF5B, FLAG),
    "cursor": (0xDF5C, BYTES),
    "period_from": (0xDF5D, DATE),
    "period_to": (0xDF5E, DATE),
    "expected_last_report": (0xDF5F, DATE),
    "expected_deadline": (0xDF60, DATE),
    "ticket": (0xDF61, BYTES),
    "month": (0xDF62, MONTH),
    "summary": (0xDF63, BYTES),
    "at_most": (0xDF64, U8),
    "write_no": (0xDF65, U32),
    "write_kind": (0xDF66, _one_of("write kind", WRITE_NUMBERS)),
    "payload_sha256": (0xDF67, _hex(32)),
    "sequence": (0xDF68, U32),
    "accepted": (0xDF69, FLAG),
    "before": (0xDF6A, DATE),
    "after": (0xDF6B, DATE),
    "device_code": (0xDF6C, CODE),
    "command": (0xDF6D, U16),
    "at": (0xDF6E, TIME),
    "pending_from": (0xDF6F, DATE),
    "pending_amount": (0xDF70, FEN),
    "block_size": (0xDF71, U16),
    "training": (0xDF72, FLAG),
}


class Layout(Generic[V]):
    """One kind of value as TLVs. `renamed` names the table's field where the value's own name is taken."""

    def __init__(self, kind: type[V], /, **renamed: str) -> None:
        self.kind = kind
        hints = get_type_hints(kind)
        self.names = {
            f.name: renamed.get(f.name, f.name) for f in msgspec.structs.fields(kind)
        }  # field of the value -> field of the table
        self.optional = {name for name in self.names if type(None) in get_args(hints[name])}
        self.lists = {name: args[0] for name in self.names if (args := get_args(hints[name]))[1:] == (...,)}

        self._by_tag = {self._tag(name): name for name in self.names}

    def encode(self, value: V) -> bytes:
        """Return the TLVs of `value` in the order of its fields. Raises TlvError for what does not fit.

        A value of a base of the layout's kind will do where what it lacks is optional.
        """
        return b"".join(self._encoded(name, getattr(value, name, None)) for name in self.names)

    def decode(self, data: bytes, *, strict: bool = False) -> V:
        """Return the value in `data`. Unknown tags are skipped, or refused where `strict`.

        Raises TlvError for a broken TLV, a tag that appears twice, a missing field, a value out of form.
        """
        found: dict[str, Any] = dict.fromkeys(self.lists, ())
        for tag, raw in tlv.items(data):
            name = self._by_tag.get(tag)
            if name is None:
                if strict:
                    raise TlvError(f"tag {tag:04X} has no place in a {self.kind.__name__}")
            elif name in self.lists:
                found[name] += (LISTED[self.lists[name]][1].decode(raw, strict=strict),)
            elif name in found:
                raise TlvError(f"tag {tag:04X} ({name}) appears twice")
            else:
                found[name] = self._read(name, tag, raw)
        missing = self.names.keys() - found.keys() - self.optional
        if missing:
            raise TlvError(f"a {self.kind.__name__} without {', '.join(sorted(missing))}")
        return self.kind(**{name: found.get(name) for name in self.names})

    def _tag(self, name: str) -> int:
        listed = self.lists.get(name)
        return LISTED[listed][0] if listed else FIELDS[self.names[name]][0]

    def _encoded(self, name: str, value: object) -> bytes:
        if name in self.lists:
            tag, layout = LISTED[self.lists[name]]
            return b"".join(tlv.tlv(tag, layout.encode(item)) for item in cast("tuple[Value, ...]", value))
        if value is None and name in self.optional:
            return b""
        tag, form = FIELDS[self.names[name]]
        return tlv.tlv(tag, form.write(value))

    def _read(self, name: str, tag: int, raw: bytes) -> object:
        try:
            return FIELDS[self.names[name]][1].read(raw)
        except TlvError as error:
            raise TlvError(f"tag {tag:04X} ({name}): {error}") from error


LISTED: dict[type[Value], tuple[int, Layout[Any]]] = {}
LISTED[MonitorData] = (0xFF20, Layout(MonitorData))
LISTED[StockRange] = (0xFF21, Layout(StockRange))
LISTED[Invoice] = (0xFF22, Layout(Invoice))
LISTED[WriteRecord] = (0xFF23, Layout(WriteRecord, kind="write_kind"))
LISTED[OfflineState] = (0xFF24, Layout(OfflineState))
