"""The text of the QR code on an invoice: which invoice it names, or why it can be on no device. Pure.

`01,type,code,number,amount,yyyymmdd,check code,CRC[,]`. The CRC's algorithm is not public: only its shape
is looked at.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

from taxagent.model.errors import Refusal
from taxagent.model.value import Value

QR_TYPES: dict[str, str] = {
    "01": "004",
    "03": "005",
    "15": "006",
    "04": "007",
    "11": "025",
    "10": "026",
    "14": "026",
    "08": "028",
    "20": "028",
}
DIGITAL = frozenset({"31", "32"})  # 数电票: a number of 20 digits, no code, on no device
LONGEST = 1024  # characters; a code in the field has about 80

_DIGITAL_NUMBER = re.compile(r"[0-9]{20}")
_SHAPES = (
    ("qr_code", re.compile(r"[0-9]{10}|[0-9]{12}")),
    ("qr_number", re.compile(r"[0-9]{8}")),
    ("qr_amount", re.compile(r"(-?[0-9]{1,12}(\.[0-9]{1,2})?)?")),
    ("qr_date", re.compile(r"[0-9]{8}")),
    ("qr_check_code", re.compile(r"[0-9A-Z]{0,32}")),
    ("qr_crc", re.compile(r"[0-9A-F]{4}")),
)


class ScannedInvoice(Value, frozen=True, kw_only=True):
    """What a QR code says of its invoice; the device alone knows whether it is so."""

    invoice_type: str
    code: str  # 10 or 12 digits
    number: str  # 8 digits
    amount: int | None  # fen; None where the code has none. With or without tax, by the type
    issued_on: dt.date
    check_code: str  # "" where the type has none


def scanned(text: str) -> ScannedInvoice:
    """Return the invoice that the text of a QR code names.

    Full-width letters and digits, white space and case do not matter. Raises Refusal, and nothing else, with
    QR_DIGITAL (detail: number), QR_URL or QR_UNREADABLE (detail: what, the part that does not fit).
    """
    if len(text) > LONGEST:
        raise Refusal("QR_UNREADABLE", what="qr_length", limit=str(LONGEST))
    plain = _normal(text)
    if re.match(r"(HTTPS?:/*|WWW\.)", plain):
        raise Refusal("QR_URL")
    fields = plain.removesuffix(",").split(",")
    if len(fields) >= 4 and (fields[1] in DIGITAL or _DIGITAL_NUMBER.fullmatch(fields[3])):
        raise Refusal("QR_DIGITAL", number=fields[3])
    if _DIGITAL_NUMBER.fullmatch(plain):
        raise Refusal("QR_DIGITAL", number=plain)
    if len(fields) != 8 or fields[0] != "01":
        raise Refusal("QR_UNREADABLE", what="qr_fields")
    return _invoice(fields)


def _normal(text: str) -> str:
    """Half-width and upper case, without white space, control and invisible characters."""
    wide = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in wide if unicodedata.category(c)[0] not in "ZC")


def _invoice(fields: list[str]) -> ScannedInvoice:
    invoice_type = QR_TYPES.get(fields[1])
    if invoice_type is None:
        raise Refusal("QR_UNREADABLE", what="qr_type", found=fields[1][:32])
    for (name, shape), field in zip(_SHAPES, fields[2:], strict=True):
        if not shape.fullmatch(field):
            raise Refusal("QR_UNREADABLE", what=name, found=field[:32])
    _, _, code, number, amount, day, check_code, _ = fields
    try:
        issued_on = dt.date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError as error:
        raise Refusal("QR_UNREADABLE", what="qr_date", found=day) from error
    return ScannedInvoice(
        invoice_type=invoice_type,
        code=code,
        number=number,
        amount=_fen(amount) if amount else None,
        issued_on=issued_on,
        check_code=check_code,
    )


def _fen(yuan: str) -> int:
    whole, _, rest = yuan.partition(".")
    amount = abs(int(whole)) * 100 + int(rest.ljust(2, "0"))
    return -amount if yuan.startswith("-") else amount
