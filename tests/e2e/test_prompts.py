"""Every prompt of the user's guide, brought about at a real agent: what it says and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from taxagent.model.faults import Prompt
from taxagent.simulator.site import Site
from taxclient import Client
from taxclient.protocol import messages as m
from tests.builders.prompt_cases import CASES
from tests.builders.prompts import Case, Shows, nothing_was_written, of_cases, provoked, scenario
from tests.builders.site import PERIOD, START, TAXPAYER, client, ended, identified, settle, site

LATE = "2026-11-20T11:30:00+08:00"
UNFILLED = re.compile(r"[{}]|\[(?![a-z]+\])")  # [bureau] is a section of the configuration

ENGLISH = re.compile(r"[a-z]+ [a-z]+")  # in a remedy it is a command
LIBRARY_WORDS = {"BUREAU_GARBLED", "BUREAU_DOWN"}  # what a library says is shown as it is


class Town:
    """A site whose devices are each ill in their own way, and its agent asked in both languages."""

    def __init__(self, shop: Site, zh: Client, en: Client, *, late: bool) -> None:
        self.shop, self.zh, self.en = shop, zh, en
        self.devices = of_cases(CASES, late=late)


@contextmanager
def town(folder: Path, *, late: bool) -> Iterator[Town]:
    cases = of_cases(CASES, late=late)
    plugged = [scenario(folder, number, case) for number, case in cases.values()]
    with ExitStack() as stack:
        shop = stack.enter_context(site(LATE if late else START, scenarios=plugged))
        for number, case in cases.values():
            secret = shop.folder / "secrets" / f"device-{number}"
            if case.secret:
                secret.write_text(case.secret)
            else:
                secret.unlink()
        patient = shop.config.read_text(encoding="utf-8").replace("_s = 0.2", "_s = 60.0")
        shop.config.write_text(patient, encoding="utf-8")  # what waits stands still while it is looked at
        shop.start_agent()
        en = stack.enter_context(client(shop))
        zh = stack.enter_context(Client(shop.endpoint, lang="zh"))
        yield Town(shop, zh, en, late=late)


@pytest.fixture(scope="module")
def in_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("in-time"), late=False) as found:
        yield found


@pytest.fixture(scope="module")
def too_late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("too-late"), late=True) as found:
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_said_who_mends_it_and_how(case: Case, request: pytest.FixtureRequest) -> None:
    where: Town = request.getfixturevalue("too_late" if case.late else "in_time")
    device_no, _ = where.devices[case.name]
    said = provoked(where.shop, where.zh, where.en, device_no, case)
    assert said.code == case.code
    assert (said.who, said.retry, said.outcome) == (case.who, case.retry, case.outcome)
    for words in (*said.zh, *said.en):
        assert words
        assert not UNFILLED.search(words)
    assert case.code in LIBRARY_WORDS or not any(map(ENGLISH.search, said.zh[:2]))
    if case.shows is Shows.ASKED:  # there is no job that could go on
        assert "the job goes on" not in said.en[2].lower()
    assert nothing_was_written(where.shop, device_no) == (case.outcome == "not_executed")


@pytest.mark.parametrize("prompt", [prompt for prompt in Prompt if prompt])
def test_each_prompt_is_explained_by_the_agent_by_its_words_and_a_part_of_them(
    prompt: Prompt, in_time: Town
) -> None:
    for said in (prompt, prompt[1:], f"提示：{prompt}！"):
        zh, en = in_time.zh.explain(said).faults, in_time.en.explain(said).faults
        assert [fault.code for fault in zh] == [fault.code for fault in en]
        told = {fault.code: fault for fault in en}
        for case in (case for case in CASES if case.prompt == prompt):
            fault = told[case.code]
            assert (fault.who, fault.retry, fault.prompt) == (case.who, case.retry, prompt)
        for fault in (*zh, *en):
            assert all((fault.title, fault.message, fault.remedy, fault.who, fault.outcome, fault.retry))


def test_what_was_done_before_is_a_success_with_a_note() -> None:
    with site(START) as shop:
        shop.file_return(TAXPAYER, PERIOD)
        shop.start_agent()
        with client(shop) as one:
            assert ended(one, settle(one).job_id).state == "done"
            again = one.prepare(
                m.PrepareArgs(kind="settle", device_no=identified(one).device_no, periods=(PERIOD,))
            )
            assert again.consequences == ()
            asked = m.SubmitArgs(
                kind="settle", device_no=again.scope.device_no, periods=(PERIOD,), token=again.token
            )
            job = ended(one, one.submit(asked).job.job_id)
    assert (job.state, job.outcome, job.problem) == ("done", "executed", None)
    assert {step.note for step in job.steps if step.step in ("seal", "apply")} <= {"already"}
