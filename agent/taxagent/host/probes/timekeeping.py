"""Who keeps the host's clock right, and does the clock of its board agree? Asks timedated; sets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taxagent.host.probes.asking import Ask, asked, has_systemd, shown
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine

_COMMAND = ("timedatectl", "show", "--property=NTP,NTPSynchronized,LocalRTC")
_APART_S = 120  # a board's clock loses seconds a day; minutes are a dead battery or a wrong setting


def kept(now_ms: int, ask: Ask = asked, root: Path = Path("/")) -> Iterator[CheckLine]:
    """Yield whether the clock is kept by the network, and how far the board's is from `now_ms` (UTC)."""
    told: dict[str, str] = {}
    if has_systemd(root):
        try:
            told = shown(ask, _COMMAND)
        except OSError as error:
            yield made("clock", "NTP_NOT_ASKED", "ntp", what=error.strerror or str(error))
        else:
            yield made("clock", _case(told), "ntp")
    else:
        yield made("clock", "NTP_NO_SYSTEMD", "ntp")
    if told.get("LocalRTC") != "yes":
        yield from _board(now_ms, root)


def _case(told: dict[str, str]) -> str:
    if told.get("NTPSynchronized") == "yes":
        return "NTP_KEPT"
    return "NTP_NOT_YET" if told.get("NTP") == "yes" else "NTP_OFF"


def _board(now_ms: int, root: Path) -> Iterator[CheckLine]:
    try:
        there_s = int((root / "sys/class/rtc/rtc0/since_epoch").read_text("ascii"))
    except (OSError, ValueError):
        return  # many machines have none
    apart = now_ms // 1000 - there_s
    case = "RTC_AGREES" if abs(apart) <= _APART_S else "RTC_APART"
    yield made("clock", case, "rtc", seconds=str(abs(apart)))
