"""`taxctl device list|get|release|hold|retry`: the devices, all of one, and orders about it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from taxclient.cli import exits, show
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech, Words
from taxclient.protocol import messages as m
from taxclient.sync import Client

LINES: Words = {
    "released": (
        "代理不使用这台设备：{0} 于 {1} 要求交出",
        "left to other programs: {0} asked for it at {1}",
    ),
    "until": ("到 {0} 自动恢复", "used again from {0}"),
    "hung": ("没有反应 {0} 次，最近一次 {1}", "hung {0} times, last at {1}"),
    "bus": ("USB {0} {1}", "USB {0} {1}"),
    "certificate": ("证书有效期 {0} 至 {1}", "certificate valid from {0} to {1}"),
    "unregistered": ("设备未注册", "the device is not registered"),
    "single": ("{0} 单张限额 {1} 元", "{0} at most {1} yuan an invoice"),
    "month": ("本月还可开 {0} 元", "{0} yuan left this month"),
    "offline": ("离线还可开 {0} 小时、{1} 元", "offline {0} hours and {1} yuan left"),
    "upload": ("{0} 前上传", "upload by {0}"),
    "blanks": ("空白发票 {0} 张", "{0} blank invoices"),
    "capacity": ("还能存 {0} 张", "room for {0} more"),
    "gave_up": (
        "代理不再使用设备 {0}；正在办理的走到安全点后交还。用完后请运行 taxctl device hold {0}",
        "Device {0} is left alone; what runs comes to a safe point first. Afterwards: taxctl device hold {0}",
    ),
    "takes": ("代理重新使用设备 {0}，等着它的任务继续。", "The agent uses device {0} again; its jobs go on."),
    "tries": ("代理再试设备 {0}。", "The agent tries device {0} again."),
    "known": ("这个指令以前已经执行过。", "This order was carried out before."),
}
_SAID = {"release": "gave_up", "hold": "takes", "retry": "tries"}


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """List, get, release, hold, retry."""
    if options.action == "list":
        found = client.devices()
        screen.result(found)
        lines = [line for view in found.devices for line in show.device(view, screen.speech)]
        _print(lines or [screen.speech.say("no_devices")], screen)
        return exits.DONE
    result = _ask(options, client)
    screen.result(result)
    if options.action in _SAID:
        screen.line(screen.speech.word(LINES, _SAID[options.action]).format(options.device))
        if result.known:
            screen.line(screen.speech.word(LINES, "known"))
    _print(details(result, screen.speech), screen)
    return exits.DONE


def _ask(options: argparse.Namespace, client: Client) -> m.DeviceResult:
    number = options.device
    if options.action == "release":
        return client.release(number, minutes=options.minutes, key=options.key)
    if options.action == "hold":
        return client.hold(number, key=options.key)
    if options.action == "retry":
        return client.retry(number, key=options.key)
    return client.device(number)


def details(found: m.DeviceResult, speech: Speech) -> Iterator[str]:
    """One device in lines."""
    yield from show.device(found.device, speech)
    yield from (f"  {line}" for line in _standing(found, speech))
    if found.usb_id:
        yield "  " + speech.word(LINES, "bus").format(found.usb_id, found.name).rstrip()
    if found.certificate_to:
        yield "  " + speech.word(LINES, "certificate").format(found.certificate_from, found.certificate_to)
    if found.registered is False:
        yield "  " + speech.word(LINES, "unregistered")
    yield from (f"  {_limit(limit, speech)}" for limit in found.limits)
    yield from (f"  {show.live_line(job, speech)}" for job in found.live_jobs)


def _standing(found: m.DeviceResult, speech: Speech) -> Iterator[str]:
    if found.released_by:
        line = speech.word(LINES, "released").format(found.released_by, show.moment(found.released_ms))
        if found.released_until_ms is not None:
            line += speech.comma + speech.word(LINES, "until").format(show.moment(found.released_until_ms))
        yield line
    if found.hung:
        yield speech.word(LINES, "hung").format(found.hung, show.moment(found.hung_ms))


def _limit(limit: m.LimitView, speech: Speech) -> str:
    def say(name: str, *facts: object) -> str:
        return speech.word(LINES, name).format(*facts)

    parts = [say("single", limit.invoice_type, show.yuan(limit.single_limit))]
    if limit.month_limit:
        parts.append(say("month", show.yuan(limit.month_limit_left)))
    if limit.offline_hours:
        parts.append(say("offline", limit.offline_hours_left, show.yuan(limit.offline_amount_left)))
    if limit.upload_deadline:
        parts.append(say("upload", limit.upload_deadline))
    if limit.blanks is not None:
        parts.append(say("blanks", limit.blanks))
    parts.append(say("capacity", limit.capacity_left))
    return speech.semicolon.join(parts)


def _print(lines: list[str] | Iterator[str], screen: Screen) -> None:
    for line in lines:
        screen.line(line)
