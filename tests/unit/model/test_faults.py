"""The fault catalogue: whole, bilingual, and never at a loss for words."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import taxagent
from taxagent.device import refusals
from taxagent.model import errors
from taxagent.model.faults import UNKNOWN, Fault, codes, facts_of, fault, filled, text
from taxagent.model.job import Outcome, Problem

SOURCES = Path(taxagent.__file__).parent
ERRORS = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type)
    and issubclass(thing, errors.AgentError)
    and "fault" in inspect.signature(thing).parameters  # the others have one fault of their own
}


@pytest.fixture(params=codes())
def entry(request: pytest.FixtureRequest) -> Fault:
    return fault(request.param)


def test_every_text_is_there_in_both_languages(entry: Fault) -> None:
    for words in (entry.zh, entry.en):
        assert words.title.strip()
        assert words.cause.strip()
        assert words.remedy.strip()


def test_chinese_is_chinese_and_english_is_ascii(entry: Fault) -> None:
    for part in (entry.zh.title, entry.zh.cause, entry.zh.remedy):
        assert any("一" <= c <= "鿿" for c in part)
    for part in (entry.en.title, entry.en.cause, entry.en.remedy):
        assert part.isascii()


def test_facts_stand_only_in_pieces_that_can_be_left_out(entry: Fault) -> None:
    for words in (entry.zh, entry.en):
        for part in (words.title, words.cause, words.remedy):
            bare = filled(part, {})
            assert "{" not in bare
            assert "  " not in bare
            assert bare == bare.strip()


def test_both_languages_show_the_same_facts(entry: Fault) -> None:
    zh = f"{entry.zh.title}{entry.zh.cause}{entry.zh.remedy}"
    en = f"{entry.en.title}{entry.en.cause}{entry.en.remedy}"
    for name in facts_of(entry.code):
        assert (f"{{{name}}}" in zh) == (f"{{{name}}}" in en), name


def test_a_title_is_one_short_line(entry: Fault) -> None:
    assert len(entry.zh.title) <= 40
    assert len(entry.en.title) <= 80
    assert "\n" not in entry.zh.title + entry.en.title


def test_a_code_is_upper_snake(entry: Fault) -> None:
    assert entry.code.replace("_", "").isalnum()
    assert entry.code.isupper()


def test_facts_are_filled_in_and_missing_ones_leave_their_piece_out() -> None:
    held = Problem(
        fault="DEVICE_IN_USE", outcome=Outcome.NOT_EXECUTED, detail={"holder": "invoicing (pid 812)"}
    )
    nobody = Problem(fault="DEVICE_IN_USE", outcome=Outcome.NOT_EXECUTED)
    assert "another program holds it: invoicing (pid 812)." in text(held, "en").cause
    assert "另一个程序使用\uff1ainvoicing (pid 812)。" in text(held, "zh").cause
    assert "another program holds it." in text(nobody, "en").cause


def test_words_in_a_fact_are_never_read_as_a_template() -> None:
    odd = Problem(
        fault="BUREAU_REFUSED", outcome=Outcome.NOT_EXECUTED, detail={"bureau_text": "[{pid}] {holder}"}
    )
    assert "[{pid}] {holder}" in text(odd, "en").cause


def test_brackets_are_written_twice() -> None:
    assert filled("see [[bureau]][ at {path}]", {}) == "see [bureau]"
    assert filled("see [[bureau]][ at {path}]", {"path": "/etc"}) == "see [bureau] at /etc"
    assert filled("a[ in [[{path}]] of {pid}]", {"path": "p", "pid": "1"}) == "a in [p] of 1"


def test_a_code_of_another_version_survives_with_generic_words() -> None:
    stranger = Problem(fault="MOON_IN_THE_WAY", outcome=Outcome.UNKNOWN, device_code="09d1ff")
    assert fault("MOON_IN_THE_WAY").code == "MOON_IN_THE_WAY"
    assert not fault("MOON_IN_THE_WAY").known
    assert fault(UNKNOWN).known
    assert "MOON_IN_THE_WAY" in text(stranger, "en").title
    assert "09d1ff" in text(stranger, "zh").cause


def test_every_refusal_of_the_device_profile_is_in_the_catalogue() -> None:
    refused = [row for row in vars(refusals).values() if isinstance(row, refusals.Refused)]
    assert refused
    assert {row.fault for row in refused} <= set(codes())


def test_every_code_that_the_agent_raises_is_in_the_catalogue() -> None:
    missing = {f"{code} ({path.name}:{line})" for path, line, code in _raised() if code not in codes()}
    assert not missing


def _raised() -> Iterator[tuple[Path, int, str]]:
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node) in ERRORS | {"Problem", "Wait"}:
                by_place = node.args[:1] if _called(node) in ERRORS else []
                first = [*by_place, *(k.value for k in node.keywords if k.arg == "fault")]
                for value in first:
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        yield path, node.lineno, value.value


def _called(node: ast.Call) -> str:
    name = node.func
    return name.id if isinstance(name, ast.Name) else name.attr if isinstance(name, ast.Attribute) else ""


def test_differences_are_told_by_what_people_call_the_figures() -> None:
    detail = {"invoice_type": "007", "differences": "closing 3 != 5; positive_amount 1.00 != 2.00"}
    problem = Problem(fault="STOCK_MISMATCH", outcome=Outcome.NOT_EXECUTED, detail=detail)
    assert "期末库存 3 != 5; 正数金额 1.00 != 2.00" in text(problem, "zh").cause
    assert "closing stock 3 != 5; positive amount 1.00 != 2.00" in text(problem, "en").cause
