"""Every input that fuzzing found or began with keeps its target's promises; so does a moment of mutation."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.guided import mutated, seeds
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_corpus_keeps_its_promises(name: str) -> None:
    assert seeds(name), "there is something to begin with"
    for data in seeds(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_so_do_its_mutants(name: str) -> None:
    assert mutated(name, TARGETS[name], 1.0, random.SystemRandom().randrange(1 << 32)) > 0
