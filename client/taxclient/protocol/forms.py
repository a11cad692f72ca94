"""How a value of a request must be written, in words and with an example instead of a pattern. Pure.

Each pattern of base and arguments is one of these forms. The agent has the same names in its languages.
"""

from __future__ import annotations

import re

import msgspec

from taxclient.protocol import arguments as a
from taxclient.protocol import base as b

_SAID = {
    "form_month": "write a month as 2026-10",
    "form_device_no": "a device number is 12 digits, as 661234567890",
    "form_invoice_type": "an invoice type is three digits, as 007",
    "form_taxpayer_id": "a taxpayer id has 15, 17, 18 or 20 digits and capital letters",
    "form_job_id": "a job id has 26 digits and capital letters, as job.list shows it",
    "form_key": "a key has 16 to 64 letters, digits, dots, underscores and hyphens",
    "form_invoice_code": "an invoice code is 10 or 12 digits",
    "form_invoice_number": "an invoice number is 8 digits (20 of a fully digital one)",
    "form_kind_irreversible": "the kind is report, clear or settle",
    "form_kind": "the kind is check, backup, report, clear or settle",
    "form_until": "until is change or end",
    "form_client_name": "a client's name has 1 to 32 small letters, digits, dots, underscores and hyphens",
    "form_role": "the role is viewer, operator, technician or admin",
    "form_z85_key": "a public key has 40 characters (Z85)",
    "form_missing": "it is missing",
    "form_type": "it is not of the type",
    "form_most": "the most is",
    "form_least": "the least is",
    "form_longest": "the most characters are",
    "form_shortest": "the fewest characters are",
}
"""Name -> what is told, in English. The last six are followed by a name, a type or a number."""

_OF = {
    b.MONTH: "form_month",
    b.DEVICE_NO: "form_device_no",
    b.OPTIONAL_DEVICE_NO: "form_device_no",
    b.INVOICE_TYPE: "form_invoice_type",
    b.TAXPAYER_ID: "form_taxpayer_id",
    b.JOB_ID: "form_job_id",
    b.OPTIONAL_JOB_ID: "form_job_id",
    b.KEY: "form_key",
    b.OPTIONAL_KEY: "form_key",
    a.INVOICE_CODE: "form_invoice_code",
    a.INVOICE_NUMBER: "form_invoice_number",
    a.KIND_IRREVERSIBLE: "form_kind_irreversible",
    a.KIND: "form_kind",
    a.UNTIL: "form_until",
    b.CLIENT_NAME: "form_client_name",
    b.OPTIONAL_CLIENT_NAME: "form_client_name",
    b.ROLE: "form_role",
    b.Z85_KEY: "form_z85_key",
}
_MESSAGES = (
    ("form_longest", re.compile(r"of length <= (\d+)")),
    ("form_shortest", re.compile(r"of length >= (\d+)")),
    ("form_most", re.compile(r"Expected `int` <= (\d+)")),
    ("form_least", re.compile(r"Expected `int` >= (\d+)")),
    ("form_missing", re.compile(r"missing required field `(\w+)`")),
    ("form_type", re.compile(r"Expected `(\w+)`")),
)
_PATTERN = re.compile(r"matching regex '(.*)'", re.DOTALL)
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a request: a form of this module (or msgspec's words), where, and its limit."""

    form: str
    field: str = ""  # as periods[0]; "" where it is the whole
    limit: str = ""

    def __str__(self) -> str:
        """Say it in English."""
        said = " ".join(part for part in (_SAID.get(self.form, self.form), self.limit) if part)
        return f"{self.field}: {said}" if self.field else said


def misfit(error: msgspec.ValidationError) -> Misfit:
    """Return what msgspec's error means for who wrote the request."""
    text = str(error)
    place = _PLACE.search(text)
    field = place[1] if place else ""
    pattern = _PATTERN.search(text)
    if pattern is not None:
        return Misfit(form=_OF.get(_unescaped(pattern[1]), "form_type"), field=field)
    for form, message in _MESSAGES:
        if (found := message.search(text)) is not None:
            if form == "form_missing":
                return Misfit(form=form, field=f"{field}.{found[1]}" if field else found[1])
            return Misfit(form=form, field=field, limit=found[1])
    return Misfit(form=_PLACE.sub("", text), field=field)


def forms() -> tuple[str, ...]:
    """Return the names of all forms."""
    return tuple(_SAID)


def patterns() -> frozenset[str]:
    """Return the patterns that have a form."""
    return frozenset(_OF)


def _unescaped(pattern: str) -> str:
    return pattern.replace("\\\\", "\\")
