"""What of a request is not written as it must be, in the language of who typed it. Sends nothing."""

from __future__ import annotations

import msgspec

from taxclient.cli.words import Speech, Words
from taxclient.protocol.errors import ClientError
from taxclient.protocol.forms import misfit

FORM: Words = {
    "form_month": ("月份请写成 2026-10", "write a month as 2026-10"),
    "form_device_no": ("设备编号是 12 位数字", "a device number is 12 digits, as 661234567890"),
    "form_invoice_type": ("发票类型代码是 3 位数字，例如 007", "an invoice type is three digits, as 007"),
    "form_taxpayer_id": (
        "纳税人识别号是 15、17、18 或 20 位数字和大写字母",
        "a taxpayer id has 15, 17, 18 or 20 digits and capital letters",
    ),
    "form_key": (
        "请求编号是 16 到 64 个字母、数字、点、下划线或连字符",
        "a key has 16 to 64 letters, digits, dots, underscores and hyphens",
    ),
    "form_missing": ("缺少必需的内容", "it is missing"),
    "form_type": ("类型不对，应当是", "it is not of the type"),
    "form_most": ("最大是", "the most is"),
    "form_least": ("最小是", "the least is"),
    "form_longest": ("字符数最多是", "the most characters are"),
    "form_shortest": ("字符数最少是", "the fewest characters are"),
}


def misfit_said(error: ClientError, speech: Speech) -> str:
    """Return what is wrong: the field, how it must be written, its limit; other errors as they are."""
    cause = error.__cause__
    if not isinstance(cause, msgspec.ValidationError):
        return str(error)
    found = misfit(cause)
    if found.form not in FORM:
        return str(error)
    said = " ".join(part for part in (speech.word(FORM, found.form), found.limit) if part)
    return f"{found.field}{speech.colon}{said}" if found.field else said
