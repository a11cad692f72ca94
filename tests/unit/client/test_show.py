"""Words for people: nothing is claimed that the protocol did not say."""

from __future__ import annotations

import string

import pytest

from taxclient.cli import show, words
from taxclient.cli.words import Speech, language
from taxclient.protocol import messages as m

EN, ZH = Speech("en"), Speech("zh")


@pytest.mark.parametrize(
    "code, text",
    [
        ("SEAL:007:2026-10", "seal period 2026-10 of invoice types 007; this cannot be undone"),
        ("SUBMIT:004+007:2026-10", "submit the summary of 004+007, 2026-10, to the tax bureau"),
        ("CLEAR:007:", "clear 007; the bureau sets the new invoicing deadline; this cannot be undone"),
        (
            "CLEAR:007:2026-12-15",
            "clear 007; the invoicing deadline becomes 2026-12-15; this cannot be undone",
        ),
        ("DREAM:007", "DREAM:007"),
    ],
)
def test_consequences_in_words(code: str, text: str) -> None:
    assert show.consequence(code, EN) == text


@pytest.mark.parametrize(
    "fen, text", [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-17_28751, "-17,287.51"), (100, "1.00")]
)
def test_money_is_exact(fen: int, text: str) -> None:
    assert show.yuan(fen) == text


def test_a_moment_is_chinas_wall_clock() -> None:
    assert show.moment(1_795_561_200_000) == "2026-11-25 07:00:00"


def test_a_word_that_is_not_known_is_shown_as_it_is() -> None:
    assert EN.word(words.STATE, "dreaming") == "dreaming"


def test_a_step_says_what_it_is_about() -> None:
    step = m.StepView(
        step="backup", group="seal", period="2026-10", outcome="executed", begun_ms=1, ended_ms=2
    )
    assert show.step_line(step, EN).strip() == "back-up before: seal 2026-10: executed"
    assert show.step_line(step, ZH).strip() == "备份(抄税之前) 2026-10: 已执行"


def test_both_languages_use_the_same_facts() -> None:
    def holes(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for table in (words.TEXT, words.CONSEQUENCE):
        for code, (zh, en) in table.items():
            assert holes(zh) == holes(en), code


@pytest.mark.parametrize(
    "choice, environment, expected",
    [
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ("", {}, "en"),
        ("zh", {"LANG": "de_DE"}, "zh"),
    ],
)
def test_the_language_is_the_callers(choice: str, environment: dict[str, str], expected: str) -> None:
    assert language(choice, environment) == expected
