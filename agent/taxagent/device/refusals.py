"""Why a device says no: each code with its sense data, its meaning and the fault raised for it, as data.

Codes 09f0xx and 09f1xx are the profile's own; the others are those of the control disk and the ukey as the
field knows them, and GOLDEN_DISK has those of the third. Knows no command's bytes and no transport.
"""

from __future__ import annotations

import msgspec

from taxagent.device.wire import Sense, SenseKey, decode_sense, encode_sense
from taxagent.model.value import Value

_ASC_PROFILE = 0x80  # ASC 80h..FFh are the vendor's


class Refused(Value, frozen=True, kw_only=True):
    """One way of a device to say no. An `x` at the end of `code` stands for the tries left (0 to f)."""

    code: str  # hex, as in Sense.device_code
    key: SenseKey
    asc: int
    ascq: int
    fault: str  # code of the fault catalogue
    meaning: str
    vendor: str = ""  # the code as its vendor writes it, where that is not the hex of `code`

    def sense(self, tries_left: int = 0) -> bytes:
        """Return the 18 bytes of sense data with which a device says it."""
        code = self.code.replace("x", f"{min(tries_left, 15):x}")
        return encode_sense(Sense(key=self.key, asc=self.asc, ascq=self.ascq, device_code=code))


def _row(code: str, key: SenseKey, ascq: int, fault: str, meaning: str, asc: int = _ASC_PROFILE) -> Refused:
    return Refused(code=code, key=key, asc=asc, ascq=ascq, fault=fault, meaning=meaning)


_BUSY, _BROKEN = SenseKey.NOT_READY, SenseKey.HARDWARE_ERROR
_WRONG, _RULE, _ORDER = SenseKey.ILLEGAL_REQUEST, SenseKey.DATA_PROTECT, SenseKey.ABORTED_COMMAND

# Frames, sessions, sequences: what the profile itself refuses.
BAD_CDB = _row("09f000", _WRONG, 0x00, "DEVICE_REFUSED", "a field of the command block is out of range", 0x24)
BAD_FRAME = _row(
    "09f001", _WRONG, 0x00, "DEVICE_REFUSED", "magic, version, length, CRC or command block do not fit", 0x26
)
BAD_BODY = _row(
    "09f002", _WRONG, 0x01, "DEVICE_REFUSED", "a parameter is broken, missing, double or unknown", 0x26
)
UNKNOWN_COMMAND = _row("09f003", _WRONG, 0x02, "FIRMWARE_UNSUPPORTED", "the device has no such command", 0x26)
SESSION_UNKNOWN = _row(
    "09f004", _ORDER, 0x04, "SESSION_UNKNOWN", "not the session of the last HELLO (or power was lost since)"
)
NOT_EXECUTED = _row(
    "09f005",
    _ORDER,
    0x05,
    "DEVICE_REFUSED",
    "FETCH of a sequence above the last judged: that EXECUTE did not happen",
)
ANSWER_GONE = _row("09f006", _ORDER, 0x06, "DEVICE_REFUSED", "FETCH of a sequence below the last judged")
DUPLICATE = _row(
    "09f007",
    _ORDER,
    0x07,
    "DEVICE_REFUSED",
    "EXECUTE of a sequence that was judged already; nothing was done again",
)
BUSY = _row("09f008", _BUSY, 0x08, "DEVICE_BUSY", "the device is at work; nothing was done")
NO_SUCH_BLOCK = _row("09f009", _WRONG, 0x09, "DEVICE_REFUSED", "FETCH beyond the end of the answer")

# Rules of the device.
CAS_FAILED = _row(
    "09f101", _RULE, 0x11, "CAS_FAILED", "last_report or invoicing_deadline is not the expected one"
)
TICKET_STALE = _row("09f102", _RULE, 0x12, "TICKET_STALE", "a newer ticket was issued or written")
TICKET_FOREIGN = _row("09f103", _RULE, 0x13, "TICKET_REJECTED", "the ticket is of another device or group")
TICKET_FORGED = _row("09f104", _RULE, 0x14, "TICKET_REJECTED", "the ticket's form or signature is wrong")
CLOCK_TICKET_MISSING = _row(
    "09f105", _RULE, 0x15, "CLOCK_TICKET_MISSING", "the clear ticket's clock ticket was not written before it"
)
PERIOD_NOT_ENDED = _row(
    "09f106", _RULE, 0x16, "PERIOD_NOT_ENDED", "the month has not ended by the device's clock"
)
TOO_EARLY = _row("09f107", _RULE, 0x17, "TOO_EARLY_IN_DAY", "before 00:05 of the device's day")
UPLOAD_PENDING = _row("09f108", _RULE, 0x18, "UPLOAD_PENDING", "invoices of the group are not uploaded")
GROUP_UNKNOWN = _row("09f109", _WRONG, 0x19, "TYPE_UNKNOWN", "the device has no such group")
OVERDUE = _row("09f10a", _RULE, 0x1A, "OVERDUE", "more than 90 days since the last report")
OUT_OF_ORDER = _row(
    "09f10b",
    _RULE,
    0x1B,
    "DEVICE_REFUSED",
    "an older month is not sealed, or the days are not one whole month",
)
ALREADY_SEALED = _row("09f10c", _RULE, 0x1C, "ALREADY_SEALED", "this month is sealed already")
NOT_REPORTED = _row("09f10d", _RULE, 0x1D, "NOT_REPORTED", "a closed month of the group is not sealed")
CLOCK_TICKET_ALREADY = _row(
    "09f10e", _RULE, 0x1E, "CLOCK_TICKET_ALREADY", "this clock ticket was written already"
)
PASSWORD_FORM = _row("09f10f", _WRONG, 0x1F, "DEVICE_REFUSED", "a password has 1 to 32 bytes")
MEMORY_FULL = _row("09f110", _BROKEN, 0x33, "DEVICE_FULL", "no room for another invoice")
SETTLING = _row("09f111", _BUSY, 0x34, "DEVICE_BUSY", "the seal before has not settled yet; nothing was done")
NOT_THIS_KIND = _row("09f112", _WRONG, 0x35, "DEVICE_REFUSED", "this kind of device does not take this write")
CERTIFICATE_OVER = _row(
    "09f113", _RULE, 0x36, "CERTIFICATE_EXPIRED", "its certificate is over or not valid yet: it seals nothing"
)

# The codes of control disk and ukey.
HARDWARE = _row("04", _BROKEN, 0x20, "DEVICE_FAULTY", "hardware error")
BAD_DATE = _row("092403", _WRONG, 0x21, "DEVICE_REFUSED", "bad date")
PIN_WRONG = _row("0963cx", _RULE, 0x22, "PASSWORD_WRONG", "certificate PIN wrong, x tries left")
PIN_BLOCKED = _row("096983", _RULE, 0x23, "PASSWORD_BLOCKED", "certificate PIN blocked")
CLOCK_CHIP = _row("096a80", _BROKEN, 0x24, "CLOCK_WRONG", "clock chip")
NOT_OPEN = _row("09c000", _BUSY, 0x25, "SESSION_UNKNOWN", "not opened: no password in this session")
UNREGISTERED = _row("09c005", _RULE, 0x26, "DEVICE_UNREGISTERED", "no registration code")
NO_SUCH_DATA = _row("09d106", _WRONG, 0x27, "NO_SUCH_DATA", "no such data")
PAST_DEADLINE = _row("09d109", _RULE, 0x28, "DEVICE_LOCKED", "past the deadline: the device is locked")
PASSWORD_BLOCKED = _row("09d10b", _RULE, 0x29, "PASSWORD_BLOCKED", "password locked")
TYPE_UNKNOWN = _row("09d110", _WRONG, 0x2A, "TYPE_UNKNOWN", "the invoice type is not on the device")
ALREADY_CLEARED = _row("09d118", _RULE, 0x2B, "ALREADY_CLEARED", "already cleared")
NOTHING_DUE = _row("09d11b", _RULE, 0x2C, "NOTHING_DUE", "nothing to report")
OFFLINE_HOURS = _row("09d11f", _RULE, 0x2D, "UPLOAD_PENDING", "offline hours exceeded")
OFFLINE_COUNT = _row("09d120", _RULE, 0x2E, "UPLOAD_PENDING", "offline count exceeded")
OFFLINE_AMOUNT = _row("09d121", _RULE, 0x2F, "UPLOAD_PENDING", "offline amount exceeded")
UPLOAD_DEADLINE = _row("09d122", _RULE, 0x30, "UPLOAD_PENDING", "upload deadline passed")
PASSWORD_WRONG = _row("09d1cx", _RULE, 0x31, "PASSWORD_WRONG", "password wrong, x tries left")
CLOCK_FAULT = _row("09e105", _BROKEN, 0x32, "CLOCK_WRONG", "clock")

REFUSALS: tuple[Refused, ...] = tuple(v for v in list(globals().values()) if isinstance(v, Refused))


def _golden(number: int, row: Refused) -> Refused:
    return msgspec.structs.replace(row, code=f"{number:02x}", vendor=str(number))


GOLDEN_DISK: dict[str, Refused] = {
    MEMORY_FULL.code: _golden(161, MEMORY_FULL),
    NOTHING_DUE.code: _golden(195, NOTHING_DUE),
    ALREADY_SEALED.code: _golden(202, ALREADY_SEALED),
    NO_SUCH_DATA.code: _golden(220, NO_SUCH_DATA),
    UPLOAD_DEADLINE.code: _golden(246, UPLOAD_DEADLINE),
    NOT_REPORTED.code: _golden(248, NOT_REPORTED),
}
"""What a golden_disk says instead, by the code that the others have for it: small decimal numbers."""

_BY_CODE = {row.code: row for row in (*REFUSALS, *GOLDEN_DISK.values())}


def refusal(sense: bytes) -> tuple[Refused | None, Sense]:
    """Return the row that sense data names (None for a code that no row has), and the sense data read."""
    read = decode_sense(sense)
    code = read.device_code
    return _BY_CODE.get(code) or _BY_CODE.get(f"{code[:-1]}x"), read


def tries_left(sense: Sense) -> int:
    """Return the tries left that a code ending in x carries."""
    return int(sense.device_code[-1], 16)
