"""Each check of the contract test kit finds the defect that it is for, and no other cries without cause."""

from __future__ import annotations

import datetime as dt

import pytest

from taxagent.device.contract import CHECKS, Bench, Verdict, judged
from taxagent.model.device import WriteKind
from taxagent.model.period import Period
from tests.builders import broken_answers, broken_sessions
from tests.builders.broken import ALL, BROKEN, Broken
from tests.builders.minimal_hardware import Hardware

assert broken_answers.__doc__  # importing them fills BROKEN
assert broken_sessions.__doc__
SLOW = "watch-stops"  # listens to silence


def used_before() -> Hardware:
    """Return a device that sealed September."""
    hardware = Hardware()
    august, september = dt.date(2026, 8, 31), dt.date(2026, 9, 30)
    hardware.remember(WriteKind.SEAL, "11" * 32, august, august, accepted=False)
    hardware.remember(WriteKind.SEAL, "22" * 32, august, september)
    hardware.summaries[Period("2026-09")] = b"the summary of September"
    return hardware


def found(broken: Broken) -> set[str]:
    """Return the checks that a broken driver fails."""
    hardware = used_before()
    bench = Bench(
        lambda _backend: broken.make(hardware), ALL, tell=lambda what: hardware.plug(into=what == "plug")
    )
    checks = [check for check in CHECKS if check.name != SLOW or broken.check == SLOW]
    return {check.name for check in checks if judged(check, bench).verdict is Verdict.FAILED}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: f"{one.check}: {one.name}")
def test_the_check_finds_its_defect(broken: Broken) -> None:
    assert found(broken) == {broken.check} | broken.also


def test_there_is_a_broken_driver_for_each_check() -> None:
    assert {broken.check for broken in BROKEN} == {check.name for check in CHECKS}
