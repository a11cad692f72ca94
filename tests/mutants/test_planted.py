"""The list of deliberate faults fits the source as it is: a text that has moved is moved here, too."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.__main__ import ROOT, Fault, Moved, faults, mutated


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
def test_each_fault_can_be_planted_and_is_still_python(fault: Fault) -> None:
    source = (ROOT / fault.file).read_text(encoding="utf-8")
    changed = mutated(source, fault)
    assert changed != source
    ast.parse(changed)
    assert all((ROOT / test).exists() for test in fault.tests)


def test_there_are_enough_of_them_and_no_two_of_a_name() -> None:
    names = [fault.name for fault in faults()]
    assert len(names) >= 25
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("source", ["", "old old"])
def test_a_text_that_has_moved_ends_the_run(source: str) -> None:
    fault = Fault(name="a fault", file="x.py", old="old", new="new", tests=())
    with pytest.raises(Moved, match="a fault"):
        mutated(source, fault)
