"""taxctl window: what is open and until when, in hours and not only days."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.ipc.windows import Explainer
from taxagent.jobs.asks import Role
from taxagent.model.windows import Rules
from taxclient.cli import window
from taxclient.cli.columns import plain
from taxclient.cli.main import main
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m
from tests.builders.command import run
from tests.builders.ipc import DEVICE, FakeClock, FakeDesk, house
from tests.builders.screens import windows_at

EN, ZH = Speech("en"), Speech("zh")


def shown(moment: str, lang: Speech, role: Role = Role.OPERATOR) -> list[str]:
    return list(plain(window.lines(windows_at(moment, lang.lang, role), lang)))


@pytest.mark.parametrize(
    "seconds, zh, en",
    [
        (0, "0 分钟", "0 min"),
        (59 * 60, "59 分钟", "59 min"),
        (3600, "1 小时 0 分钟", "1 h 0 min"),
        ((2 * 24 + 5) * 3600 + 59, "2 天 5 小时", "2 d 5 h"),
        (-5, "0 分钟", "0 min"),
    ],
)
def test_a_span_has_the_two_units_that_matter(seconds: int, zh: str, en: str) -> None:
    assert (window.span(seconds, ZH), window.span(seconds, EN)) == (zh, en)


def test_the_first_line_of_a_device_is_the_verdict_and_the_time_that_is_left() -> None:
    lines = shown("2026-11-14 12:00", ZH)
    assert lines[0] == "2026-11-14 12:00（周六）"
    assert lines[1] == f"{DEVICE}：可以抄报和清卡，还有 2 天 12 小时（2026-11-16 24:00 截止）"


def test_outside_the_window_it_says_why_when_it_opens_and_who_can_mend_it() -> None:
    text = "\n".join(shown("2026-11-28 19:05", ZH))
    assert "不能抄报和清卡：不在征期内。2026-12-01 00:05 起可以办理，还有 2 天 5 小时" in text
    assert "✗ 不在征期内 [WINDOW_CLOSED]" in text
    assert "谁能处理：税务机关" in text


def test_the_way_of_the_technician_is_shown_to_technicians_alone() -> None:
    late = f"taxctl settle {DEVICE} --late"
    assert late in "\n".join(shown("2026-11-28 19:05", ZH, Role.TECHNICIAN))
    assert late not in "\n".join(shown("2026-11-28 19:05", ZH, Role.OPERATOR))


def test_in_the_peak_hours_it_warns_and_says_when_they_are_over() -> None:
    text = "\n".join(shown("2026-11-13 10:30", EN))
    assert "report and clear are possible for another" in text
    assert "!  off peak" in text
    assert "possible from 2026-11-13 11:00, in 30 min" in text
    assert "[PEAK_HOURS]" in text


def test_what_waiting_does_not_mend_says_so() -> None:
    text = "\n".join(shown("2027-02-03 12:00", EN))  # more than 90 days since the last report
    assert "waiting does not help" in text
    assert "[OVERDUE]" in text


def test_without_a_device_the_calendar_is_told() -> None:
    result = Explainer(Rules(), FakeClock())(m.WindowArgs(at="2026-11-14 12:00"), FakeDesk().status(), "zh")
    lines = list(plain(window.lines(result, ZH)))
    assert lines[1].startswith("按日历（没有读到设备）：可以抄报和清卡")


def test_a_device_that_is_away_says_that_its_windows_may_be_out_of_date() -> None:
    marks = {DEVICE: "（未插入，数据可能已过时）"}
    result = windows_at("2026-11-14 12:00", "zh", Role.OPERATOR)
    assert list(plain(window.lines(result, ZH, marks=marks)))[1].startswith(
        f"{DEVICE}（未插入，数据可能已过时）："
    )


def test_a_moment_that_is_none_is_told_how_to_write_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "zh", "window", "--at", "soon"]) == 2
    assert "时间请写成 2026-11-15T09:30" in capfd.readouterr().err


def test_the_year_is_a_table() -> None:
    result = Explainer(Rules(), FakeClock())(m.WindowArgs(year=2030), FakeDesk().status(), "en")
    lines = list(plain(window.deadlines(result, EN)))
    assert len(lines) == 13
    assert lines[1].endswith("by the rule, provisional")


def test_the_command_passes_the_moment_on(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with house(tmp_path) as h:
        code, found = run(h, capsysbinary, "window", "--year", "2027", "--at", "2026-11-16 09:30")
    assert (code, found["at"], found["year"]) == (0, "2026-11-16 09:30", 2027)


def test_a_simulation_and_a_device_that_was_not_read_say_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with house(tmp_path) as h:
        assert main(["--endpoint", h.endpoint, "--lang", "zh", "window", "--at", "2026-11-16 09:30"]) == 0
    out = capfd.readouterr().out
    assert "2026-11-16 09:30（周一）（这是模拟）" in out
    assert f"{DEVICE}：还没有读到这台设备" in out
