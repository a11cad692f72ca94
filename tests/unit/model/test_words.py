"""The agent's words for its own values: none is left without."""

from __future__ import annotations

import ast
from enum import StrEnum
from pathlib import Path

import pytest

import taxagent
from taxagent.model.bureau import DeclarationState
from taxagent.model.device import DeviceKind
from taxagent.model.faults import Retry, Who, text
from taxagent.model.filing import Source
from taxagent.model.invoice import InvoiceMark
from taxagent.model.job import JobKind, JobState, Outcome, Problem, Step, WaitReason
from taxagent.model.period_state import PeriodState
from taxagent.model.windows import WindowRule
from taxagent.model.words import kinds, word

ENUMS: dict[str, type[StrEnum]] = {
    "outcome": Outcome,
    "job_kind": JobKind,
    "job_state": JobState,
    "wait": WaitReason,
    "step": Step,
    "period_state": PeriodState,
    "device_kind": DeviceKind,
    "invoice_mark": InvoiceMark,
    "declaration": DeclarationState,
    "source": Source,
    "window": WindowRule,
    "who": Who,
    "retry": Retry,
}


@pytest.mark.parametrize("kind", ENUMS)
def test_every_member_has_words_in_both_languages(kind: str) -> None:
    assert set(kinds()[kind]) == set(ENUMS[kind])
    for member in ENUMS[kind]:
        assert word(kind, member, "en").isascii()
        assert not word(kind, member, "zh")[0].isascii()


def test_a_value_of_another_version_is_shown_as_it_is() -> None:
    assert word("step", "incinerate", "zh") == "incinerate"
    assert word("no such kind", "x", "en") == "x"


SOURCES = Path(taxagent.__file__).parent
FACTS = [
    (f"{path.name}:{call.lineno}", given.value.value)
    for folder in ("procedures", "jobs", "device", "cli")
    for path in sorted((SOURCES / folder).glob("*.py"))
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(call, ast.Call) and "'INTERNAL'" not in map(ast.unparse, call.args)  # that is for the log
    for given in call.keywords
    if given.arg in {"what", "reason"} and isinstance(given.value, ast.Constant)
]


def test_what_exactly_did_not_fit_is_a_code_that_has_words() -> None:
    assert len(FACTS) > 10
    assert [found for found in FACTS if found[1] not in kinds()["what"]] == []


def test_a_chinese_sentence_has_no_english_in_its_middle() -> None:
    problem = Problem(fault="DEVICE_CHANGED", outcome=Outcome.NOT_EXECUTED, detail={"what": "totals"})
    assert "：已结束月份的汇总数据" in text(problem, "zh").cause
    assert ": the totals of the closed months" in text(problem, "en").cause


def test_what_has_no_words_is_shown_as_it_is() -> None:
    problem = Problem(fault="DEVICE_CHANGED", outcome=Outcome.NOT_EXECUTED, detail={"what": "next_years"})
    assert "next_years" in text(problem, "zh").cause
