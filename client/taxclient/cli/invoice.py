"""`taxctl invoice`: which device has it, is it uploaded, and how its month stands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

from taxclient.cli import exits
from taxclient.cli import words as w
from taxclient.cli.screen import Screen
from taxclient.cli.show import yuan
from taxclient.cli.words import Speech, Words
from taxclient.protocol import messages as m
from taxclient.protocol.errors import RemoteError
from taxclient.sync import Client

MARK: Words = {
    "positive": ("正数", "positive"),
    "positive_voided": ("正数作废", "positive, voided"),
    "negative": ("负数（红字）", "negative (red)"),
    "negative_voided": ("负数作废", "negative, voided"),
    "blank_voided": ("空白作废", "blank, voided"),
}
LINES: Words = {
    "where": ("在设备 {0} 上，纳税人 {1}", "on device {0}, taxpayer {1}"),
    "sums": ("金额 {0} 元，税额 {1} 元", "amount {0} yuan, tax {1} yuan"),
    "issued": ("开票时间 {0}，购买方 {1}", "issued {0}, buyer {1}"),
    "uploaded": ("已上传", "uploaded"),
    "not_uploaded": (
        "! 未上传：上传之前不能抄报和清卡",
        "! NOT uploaded: until it is, no report and no clear",
    ),
    "period": ("所属期 {0}：{1}", "period {0}: {1}"),
    "no_state": ("设备没有说明", "the device does not tell"),
    "no_record": ("没有抄报或清卡的记录", "no record of a report or clear"),
    "pending": ("! 另有未上传：{0} {1} 张", "! others not uploaded: {1} of type {0}"),
    "differs": ("! 二维码与设备不一致：{0}", "! the QR code says otherwise: {0}"),
    "invoice_type": ("发票类型", "the type"),
    "issued_at": ("开票日期", "the date"),
    "unit": (
        "清卡按发票类型和月份办理，不按单张发票：taxctl settle {0} --type {1} --period {2}",
        "cleared are a type and its month, never one invoice: taxctl settle {0} --type {1} --period {2}",
    ),
}
_DIGITAL_DIGITS = 20  # of the number of a fully digital invoice, which has no code


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Ask the device, or each that is plugged, and show the invoice."""
    found = _found(client, _args(options), options.device)
    screen.result(found)
    for line in lines(found, screen.speech):
        screen.line(line)
    return exits.DONE


def lines(found: m.InvoiceResult, speech: Speech) -> Iterator[str]:
    """The invoice, its month, and what stands in the way of both."""
    one = found.invoice

    def say(name: str, *facts: object) -> str:
        return speech.word(LINES, name).format(*facts)

    kind = f"{one.invoice_type} {speech.word(w.INVOICE, one.invoice_type)}"
    yield f"{one.code} {one.number}  {kind}  {speech.word(MARK, one.mark)}"
    yield "  " + say("where", found.device_no, found.taxpayer_id)
    yield "  " + say("issued", one.issued_at.replace("T", " "), one.buyer or "-")
    yield "  " + say("sums", yuan(one.amount), yuan(one.tax))
    yield "  " + say("uploaded" if one.uploaded else "not_uploaded")
    state = speech.word(w.PERIOD, found.period_state) if found.period_state else say("no_state")
    yield "  " + say("period", found.period, state)
    yield "  " + (speech.say("record", found.record_job_id) if found.record_job_id else say("no_record"))
    for name in found.differs:
        yield "  " + say("differs", speech.word(LINES, name))
    for pending in found.pending:
        yield "  " + say("pending", pending.invoice_type, pending.count)
    if found.period_state in ("report_due", "clear_due"):
        yield "  " + say("unit", found.device_no, one.invoice_type, found.period)


def _args(options: argparse.Namespace) -> m.InvoiceArgs:
    """The arguments for a device that is still to be named."""
    code, number = options.code, options.number
    if len(code) == _DIGITAL_DIGITS and not number:
        code, number = "", code
    return m.InvoiceArgs(device_no="", code=code, number=number, qr=options.qr)


def _found(client: Client, args: m.InvoiceArgs, device_no: str) -> m.InvoiceResult:
    """Ask the device, or one plugged device after the other until one has the invoice.

    Where none has it, the first one that could not be read is told, else that it is on none.
    """
    numbers = [device_no] if device_no else _plugged(client)
    refused: list[RemoteError] = []
    for number in numbers:
        try:
            return client.invoice(msgspec.structs.replace(args, device_no=number))
        except RemoteError as error:
            if error.code.startswith("QR_") or exits.of_error(error) == exits.USAGE:
                raise
            refused.append(error)
    raise next((error for error in refused if error.code != "INVOICE_UNKNOWN"), refused[0])


def _plugged(client: Client) -> list[str]:
    plugged = [view.device_no for view in client.devices().devices if view.location and view.device_no]
    if not plugged:
        raise exits.NotSent("BAD_REQUEST", "which_device", "which_device")
    return plugged
