"""A phrase of a fault: what has words is said in the language, what has none is shown as it is."""

from __future__ import annotations

import pytest

from taxagent.model.reasons import reason, spelled


@pytest.mark.parametrize(
    "text, zh, en",
    [
        ("totals", "已结束月份的汇总数据", "the totals of the closed months"),
        ("Connection refused", "连接被拒绝", "Connection refused"),
        ("gw: [Errno 110] Connection timed out", "gw: 连接超时", "gw: Connection timed out"),
        ("[Errno 5] Input/output error: 'a'", "读写错误: 'a'", "Input/output error: 'a'"),
        ("1795577560869 ms", "20782 天 3 小时", "20782 d 3 h"),
        ("500 ms", "0 秒", "0 s"),
        ("a library's words", "a library's words", "a library's words"),
    ],
)  # fmt: skip
def test_a_phrase(text: str, zh: str, en: str) -> None:
    assert (reason(text, "zh"), reason(text, "en")) == (zh, en)


@pytest.mark.parametrize(
    "seconds, said",
    [(0, "0 秒"), (40, "40 秒"), (60, "1 分钟"), (3_601, "1 小时"), (531_401_501, "6150 天 11 小时")],
)
def test_a_time_is_said_in_the_two_largest_units(seconds: int, said: str) -> None:
    assert spelled(seconds, "zh") == said
