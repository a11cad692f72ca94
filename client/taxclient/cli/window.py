"""`taxctl window`: what is open, what closes it, and when. `taxagent window` shows the same lines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby

from taxclient.cli import exits
from taxclient.cli import words as w
from taxclient.cli.columns import Shown, Table
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech, Words
from taxclient.protocol import messages as m
from taxclient.sync import Client

LINES: Words = {
    "day": ("周{0}", "{0}"),
    "open": ("可以抄报和清卡", "report and clear are possible"),
    "open_until": (
        "可以抄报和清卡，还有 {1}（{0} 截止）",
        "report and clear are possible for another {1} (until {0})",
    ),
    "shut": ("不能抄报和清卡：{0}", "no report and no clear: {0}"),
    "opens": ("{0} 起可以办理，还有 {1}", "possible from {0}, in {1}"),
    "no_wait": ("等待没有用，请按下面的办法处理", "waiting does not help; see what to do below"),
    "closes": ("{0} 截止，还有 {1}", "until {0}, another {1}"),
    "begins": ("下一个高峰 {0} 开始，还有 {1}", "the next peak begins {0}, in {1}"),
    "now": ("{0} 起", "from {0}"),
    "late": (
        "技术员可以现在办理，由税务机关决定是否受理：taxctl settle {0} --late",
        "a technician may go on now, and the bureau decides: taxctl settle {0} --late",
    ),
    "calendar": ("按日历（没有读到设备）", "by the calendar (no device was read)"),
    "unread": ("还没有读到这台设备，无法判断", "this device was not read yet: not known"),
    "days": ("{0} 天 {1} 小时", "{0} d {1} h"),
    "hours": ("{0} 小时 {1} 分钟", "{0} h {1} min"),
    "minutes": ("{0} 分钟", "{0} min"),
    "deadlines": ("{0} 年征期截止日", "filing deadlines of {0}"),
}
_DAYS: Words = {
    str(number): (zh, en)
    for number, (zh, en) in enumerate(
        zip("一二三四五六日", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True)
    )
}
_NIGHT = "day_begun"  # closes at each midnight for five minutes: no deadline


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Ask, and show the windows; the year's deadlines too, where no moment was named."""
    result = client.explain_window(options.year, options.device, options.at)
    screen.result(result)
    if screen.json:
        return exits.DONE
    seen = [view for view in client.devices().devices if options.device in ("", view.device_no)]
    marks = {view.device_no: _doubt(view, screen.speech) for view in seen}
    screen.show(lines(result, screen.speech, simulated=any(view.simulated for view in seen), marks=marks))
    told = {window.device_no for window in result.windows}
    for view in seen:
        if view.device_no not in told:
            screen.line(f"{view.device_no}{screen.speech.colon}{_say(screen.speech, 'unread')}")
    if not options.at:
        screen.line()
        screen.show(deadlines(result, screen.speech))
    return exits.DONE


def lines(
    result: m.WindowResult, speech: Speech, *, simulated: bool = False, marks: Mapping[str, str] | None = None
) -> Iterator[Shown]:
    """The moment; then for each device whether it may be worked on, and window by window why.

    `marks` has what makes a device's lines doubtful: it is away, or was read long ago.
    """
    if result.at:
        mark = speech.say("simulated") if simulated else ""
        yield _moment(result.at, speech, day=True) + mark
    for device_no, windows in groupby(result.windows, key=lambda window: window.device_no):
        of_device = list(windows)
        name = device_no or _say(speech, "calendar")
        mark = (marks or {}).get(device_no, "")
        yield f"{name}{mark}{speech.colon}{_verdict(of_device, speech)}"
        yield Table([_row(window, speech) for window in of_device], indent="  ")
        for window in of_device:
            yield from _why(window, speech)


def deadlines(result: m.WindowResult, speech: Speech) -> Iterator[Shown]:
    """The year's filing deadlines."""
    yield _say(speech, "deadlines", result.year)
    yield Table(
        [
            (
                f"{result.year}-{row.month:02d}",
                row.deadline,
                _weekday(datetime.fromisoformat(row.deadline), speech),
                speech.word(w.SOURCE, row.source) + (_provisional(speech) if row.provisional else ""),
            )
            for row in result.deadlines
        ],
        indent="  ",
    )


def span(seconds: int, speech: Speech) -> str:
    """Return a time that passes in the two units that matter: days and hours, hours and minutes, minutes."""
    minutes = max(seconds, 0) // 60
    if minutes >= 24 * 60:
        return _say(speech, "days", minutes // 1440, minutes % 1440 // 60)
    if minutes >= 60:
        return _say(speech, "hours", minutes // 60, minutes % 60)
    return _say(speech, "minutes", minutes)


def _doubt(view: m.DeviceView, speech: Speech) -> str:
    """In brackets that the device is away, or was read long ago; "" for one that is there."""
    doubts = [] if view.location else [speech.say("not_plugged")]
    doubts += [speech.say("stale")] if view.stale or not view.location else []
    return speech.aside(speech.comma.join(doubts))


def _verdict(windows: list[m.WindowView], speech: Speech) -> str:
    shut = [window for window in windows if window.hard and not window.open]
    if not shut:
        ends = [each for each in windows if each.hard and each.closes and each.rule != _NIGHT]
        first = min(ends, key=lambda window: window.closes_in_s or 0, default=None)
        if first is None:
            return _say(speech, "open")
        return _say(
            speech,
            "open_until",
            _moment(first.closes, speech, end=True),
            span(first.closes_in_s or 0, speech),
        )
    said = _say(speech, "shut", speech.say("listed").join(window.title for window in shut))
    last = max(shut, key=lambda window: window.opens_in_s or 0)
    if not all(window.opens for window in shut):
        return f"{said}{speech.stop}{_say(speech, 'no_wait')}"
    return f"{said}{speech.stop}{_opens(last, speech)}"


def _row(window: m.WindowView, speech: Speech) -> tuple[str, str, str]:
    mark = "✓" if window.open else "✗" if window.hard else "!"
    when = _opens(window, speech) if window.opens and not window.open else ""
    if window.open and window.closes and window.rule != _NIGHT:
        name = "begins" if window.rule == "off_peak" else "closes"
        moment = _moment(window.closes, speech, end=True)
        when = _say(speech, name, moment, span(window.closes_in_s or 0, speech))
    return mark, window.name, when


def _opens(window: m.WindowView, speech: Speech) -> str:
    return _say(speech, "opens", _moment(window.opens, speech), span(window.opens_in_s or 0, speech))


def _why(window: m.WindowView, speech: Speech) -> Iterator[str]:
    if window.open:
        return
    yield f"  {'✗' if window.hard else '!'} {window.title} [{window.code}]"
    yield f"    {window.message}"
    yield "    " + speech.say("who_mends", speech.word(w.WHO, window.who))
    yield "    " + speech.say("remedy", window.remedy)
    if window.late:
        yield "    " + _say(speech, "late", window.device_no or "DEVICE_NO")


def _moment(iso: str, speech: Speech, *, day: bool = False, end: bool = False) -> str:
    """A wall clock without seconds; the end of a day is its 24:00."""
    moment = datetime.fromisoformat(iso)
    if end and (moment.hour, moment.minute) == (0, 0):
        before = datetime.fromordinal(moment.toordinal() - 1)
        return f"{before:%Y-%m-%d} 24:00"
    return f"{moment:%Y-%m-%d %H:%M}" + (speech.aside(_weekday(moment, speech)) if day else "")


def _weekday(day: datetime, speech: Speech) -> str:
    return _say(speech, "day", speech.word(_DAYS, str(day.weekday())))


def _provisional(speech: Speech) -> str:
    return f"{speech.comma}{speech.say('provisional')}"


def _say(speech: Speech, name: str, *facts: object) -> str:
    return speech.word(LINES, name).format(*facts)
