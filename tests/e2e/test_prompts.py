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
from tests.builders.prompt_cases import CASES
from tests.builders.prompts import Case, Shows, nothing_was_written, of_cases, provoked, scenario
from tests.builders.site import START, client, site

LATE = "2026-11-20T11:30:00+08:00"
UNFILLED = re.compile(r"[{}]|\[(?![a-z]+\])")  # [bureau] is a section of the configuration

ENGLISH = re.compile(r"[a-z]+ [a-z]+")  # in a remedy it is a command
LIBRARY_WORDS = {"BUREAU_GARBLED"}  # what the JSON reader says is shown as it is


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_it_is_said_who_mends_it_and_how(case: Case, request: pytest.FixtureRequest) -> None:
    where: Town = request.getfixturevalue("too_late" if case.late else "in_time")
    device_no, _ = where.devices[case.code]
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


def test_each_of_the_nine_prompts_is_provoked() -> None:
    assert {case.prompt for case in CASES} == set(Prompt)
