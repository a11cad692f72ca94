"""The agent's words for its own values: none is left without."""

from __future__ import annotations

from enum import StrEnum

import pytest

from taxagent.model.bureau import DeclarationState
from taxagent.model.device import DeviceKind
from taxagent.model.faults import Retry, Who
from taxagent.model.filing import Source
from taxagent.model.invoice import InvoiceMark
from taxagent.model.job import JobKind, JobState, Outcome, Step, WaitReason
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
