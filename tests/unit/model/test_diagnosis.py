"""Can this shop issue invoices? One vector a cause, and what holds for all of them."""

from __future__ import annotations

import datetime as dt
from typing import Any, get_args

import msgspec
import pytest

from taxagent.model import cases
from taxagent.model.cases import Blocks, Cause, who_mends
from taxagent.model.diagnosis import Answer, Verdict, diagnosed
from taxagent.model.faults import Lang
from taxagent.model.obstacles import Situation
from tests.builders.diagnosis import CLOCK, healthy_state, live_job, problem, situation
from tests.builders.model import monitor
from tests.builders.vectors import case, rows

ROWS = rows("model/diagnosis.toml", "answer")
LANGS: tuple[Lang, ...] = get_args(Lang)


def placed(row: dict[str, Any]) -> Situation:
    clock = row.get("clock", CLOCK)
    changes = dict(row.get("at", {}))
    changes["vendor_devices"] = tuple(changes.get("vendor_devices", ()))
    if "fault" in row:
        changes["problem"] = problem(row["fault"], tries_left="3")
    if "trouble" in row:
        changes["trouble"] = problem(row["trouble"])
    if "job" in row:
        changes["job"] = live_job(row["job"])
    state = healthy_state(clock, info=row.get("info"), stock=row.get("stock", 500), **row.get("monitor", {}))
    if "types" in row:
        state = msgspec.structs.replace(state, monitor=())
    return situation(None if row.get("unread") else state, row.get("now", clock), **changes)


def answered(row: dict[str, Any]) -> Answer:
    (answer,) = diagnosed(placed(row))
    return answer


@pytest.mark.parametrize("row", ROWS, ids=case)
def test_vector(row: dict[str, Any]) -> None:
    answer = answered(row)
    assert answer.verdict == row["verdict"]
    assert [cause.case for cause in answer.causes] == row["cases"]
    assert answer.hours_left == row.get("hours_left")
    if "code" in row:
        assert answer.case_code == row["code"]
    if "who" in row:
        assert who_mends(answer.causes[0]) == row["who"]
    if "next" in row:
        assert cases.text(answer.causes[0], "en").next == row["next"]


def test_each_case_of_the_catalogue_has_a_vector() -> None:
    assert {name for row in ROWS for name in row["cases"]} == set(cases.cases())


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("row", ROWS, ids=case)
def test_each_cause_is_told_in_full_sentences(row: dict[str, Any], lang: Lang) -> None:
    for cause in answered(row).causes:
        words = cases.text(cause, lang)
        assert words.title
        assert words.fact
        assert words.remedy
        assert not set("[]{}") & set(words.title + words.fact + words.remedy + words.next)
        assert not words.fact.startswith(tuple("；，。：;,.: "))


def test_numbers_are_two_digits_and_of_one_case_each() -> None:
    numbers = [entry.number for entry in cases.cases().values()]
    assert len(set(numbers)) == len(numbers)
    assert all(len(number) == 2 and number.isdigit() and number != "00" for number in numbers)
    assert cases.case_by_number("11") == "LOCKED"
    assert cases.case_by_number("99") is None


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", cases.cases())
def test_a_case_is_explained_without_any_facts(name: str, lang: Lang) -> None:
    words = cases.text(Cause(case=name), lang)
    assert words.title
    assert words.remedy
    assert not words.title.endswith(("：", ":", " "))


def test_a_verdict_never_says_more_than_its_causes() -> None:
    worst = {Blocks.YES: Verdict.CANNOT, Blocks.DOUBT: Verdict.UNKNOWN, Blocks.NO: Verdict.CAN}
    for row in ROWS:
        answer = answered(row)
        blocks = [cases.cases()[cause.case].blocks for cause in answer.causes] or [Blocks.NO]
        assert answer.verdict is worst[min(blocks, key=list(Blocks).index)]


@pytest.mark.parametrize("row", ROWS, ids=case)
def test_of_a_device_that_was_never_read_nobody_says_that_it_can(row: dict[str, Any]) -> None:
    unread = msgspec.structs.replace(placed(row), state=None, read_at=None)
    assert all(answer.verdict is not Verdict.CAN for answer in diagnosed(unread))


def test_the_clock_goes_on_since_the_device_was_read() -> None:
    state = healthy_state(
        dt.datetime(2026, 11, 16, 23, 0),
        invoicing_deadline=dt.date(2026, 11, 16),
        last_report=dt.date(2026, 9, 30),
    )
    read_at = dt.datetime(2026, 11, 16, 23, 10)  # the device is ten minutes behind
    before = situation(state, read_at + dt.timedelta(minutes=59), read_at=read_at)
    after = situation(state, read_at + dt.timedelta(minutes=60), read_at=read_at)
    assert diagnosed(before)[0].verdict is Verdict.CAN
    assert diagnosed(after)[0].verdict is Verdict.CANNOT


def test_each_type_is_answered_for_itself() -> None:
    state = healthy_state()
    empty = monitor(
        invoice_type="004", group="004", invoicing_deadline=dt.date(2026, 12, 15), capacity_left=0
    )
    both = type(state)(hello=state.hello, info=state.info, clock=state.clock, monitor=(*state.monitor, empty))
    answers = {answer.invoice_type: answer.verdict for answer in diagnosed(situation(both))}
    assert answers == {"007": Verdict.CAN, "004": Verdict.CANNOT}


def test_who_mends_a_fault_is_said_by_the_fault_catalogue() -> None:
    mute = Cause(case="DEVICE_UNREADABLE", problem=problem("PASSWORD_BLOCKED"))
    assert who_mends(mute) == "tax_hall"
