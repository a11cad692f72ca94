"""`taxagent window`: a year's filing deadlines, with no agent running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taxagent.cli.main import main

OFFICIAL = {
    2025: [15, 20, 17, 18, 22, 16, 15, 15, 15, 27, 17, 15],
    2026: [20, 24, 16, 20, 22, 15, 15, 17, 15, 26, 16, 15],
}
CONFIG = """
[agent]
state_dir = "state"
[bureau]
url = "https://127.0.0.1:1/"
ca = "ca.pem"
certificate = "c.pem"
key = "k.pem"
[windows.overrides]
"2026-11" = 2026-11-20
"""


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["window", "--json", *words]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


@pytest.mark.parametrize("year", OFFICIAL)
def test_json_has_the_twelve_months_as_documented(year: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--year", str(year)) == [
        {
            "month": month,
            "deadline": f"{year}-{month:02d}-{day:02d}",
            "source": "official",
            "provisional": False,
        }
        for month, day in enumerate(OFFICIAL[year], 1)
    ]


def test_a_year_before_the_official_rows_goes_by_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    rows = shown(capsys, "--year", "2024")
    assert {row["source"] for row in rows} == {"rule"}
    assert rows[4]["deadline"] == "2024-05-22"
    assert not any(row["provisional"] for row in rows)


def test_a_year_whose_holidays_are_not_published_is_provisional(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(row["provisional"] for row in shown(capsys, "--year", "2030"))


def test_an_override_postpones_its_month_alone(capsys: pytest.CaptureFixture[str]) -> None:
    rows = shown(capsys, "--year", "2026", "--override", "2026-11=2026-11-20")
    assert (rows[10]["deadline"], rows[10]["source"]) == ("2026-11-20", "override")
    assert {row["source"] for row in rows if row["month"] != 11} == {"official"}


def test_the_overrides_of_a_configuration_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(CONFIG, encoding="utf-8")
    rows = shown(capsys, "--year", "2026", "--config", str(file))
    assert (rows[10]["deadline"], rows[10]["source"]) == ("2026-11-20", "override")


def test_an_override_out_of_reach_is_refused_by_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=en", "window", "--year", "2026", "--override", "2026-11=2027-03-01"]) == 2
    assert "windows.overrides.2026-11" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["2026-11", "2026-13=2026-11-20", "2026-11=soon", ""])
def test_an_override_in_another_form_is_bad_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["window", "--override", text])
    assert end.value.code == 2
    assert "YYYY-MM=YYYY-MM-DD" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", ("截止日", "官方通知")), ("en", ("Deadline", "official notice"))]
)
def test_people_get_a_table_in_their_language(
    lang: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", lang, "window", "--year", "2026"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 13
    for word in (*words, "2026-10-26"):
        assert word in out


def test_a_provisional_day_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--lang=zh", "window", "--year", "2030"])
    assert capsys.readouterr().out.count("暂定") == 12


def test_without_a_year_it_is_this_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(shown(capsys)) == 12


def test_at_a_moment_it_says_what_the_calendar_opens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=zh", "window", "--at", "2026-11-13 10:30"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2026-11-13 10:30（周五）\n")
    assert "还有 3 天 13 小时" in out
    assert "[PEAK_HOURS]" in out


def test_a_postponed_deadline_counts_at_a_moment_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--lang=en", "window", "--at", "2026-11-18 12:00", "--override", "2026-11=2026-11-20", "--json"])
    result = json.loads(capsys.readouterr().out)
    (filing,) = [window for window in result["windows"] if window["rule"] == "filing_window"]
    assert (filing["open"], filing["closes"]) == (True, "2026-11-21T00:00:00")


@pytest.mark.parametrize("lang, words", [("zh", "2026-11-16 09:30"), ("en", "a moment is written")])
def test_a_moment_that_is_none_says_how_it_is_written(
    lang: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", lang, "window", "--at", "soon"]) == 2
    assert words in capsys.readouterr().err


def test_now_stands_before_the_years_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang=en", "window"]) == 0
    now, table = capsys.readouterr().out.split("\n\n")
    assert "by the calendar (no device was read)" in now
    assert len(table.splitlines()) == 13
