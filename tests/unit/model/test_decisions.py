"""The decision table: whole, and the verdict on every kind of interruption."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxagent.model.decisions import Observed, Ruling, Then, row, verdict
from taxagent.model.device import WriteKind, WriteRecord
from taxagent.model.job import Baseline, Effect, Step
from tests.builders.vectors import case, rows

VECTORS = rows("model/decisions.toml", "verdict")
BASELINE = Baseline(
    last_report=dt.date(2026, 9, 30),
    invoicing_deadline=dt.date(2026, 11, 16),
    write_no=40,
    payload_sha256="ours",
)
IRREVERSIBLE = (Step.SEAL, Step.CLOCK_TICKET, Step.APPLY)


def written(write_no: int, kind: str, payload: str, accepted: bool) -> WriteRecord:
    return WriteRecord(
        write_no=write_no,
        kind=WriteKind(kind),
        payload_sha256=payload,
        session="00",
        sequence=1,
        accepted=accepted,
        before=dt.date(2026, 9, 30),
        after=dt.date(2026, 10, 31),
    )


@pytest.mark.parametrize("facts", VECTORS, ids=case)
def test_vector(facts: dict[str, Any]) -> None:
    now = Observed(
        last_report=facts["last_report"],
        invoicing_deadline=facts["deadline"],
        writes=tuple(written(*write) for write in facts["writes"]),
    )
    found = verdict(Step(facts["step"]), BASELINE, now, facts.get("expected"))
    assert (found.ruling, found.then, found.why) == (facts["ruling"], facts["then"], facts["why"])


def test_every_rule_of_the_table_has_a_vector() -> None:
    rules = {
        (step, "+".join(rule.when) or "facts_disagree")
        for step in IRREVERSIBLE
        for rule in row(step).lost.rules
    }
    assert rules == {(facts["step"], facts["why"]) for facts in VECTORS}


@pytest.mark.parametrize("step", list(Step))
def test_every_step_has_a_row_with_all_that_its_effect_needs(step: Step) -> None:
    found = row(step)
    if step in IRREVERSIBLE:
        assert found.effect is Effect.IRREVERSIBLE
        assert found.lost.rules[-1].when == ()
        assert found.lost.rules[-1].ruling is Ruling.NEEDS_HUMAN
        assert found.lost.read
        assert found.already
    else:
        assert found.effect is not Effect.IRREVERSIBLE
        assert found.lost.then in (Then.AGAIN, Then.AGAIN_SAME_KEY)
        assert not found.lost.rules


@pytest.mark.parametrize("step", IRREVERSIBLE)
def test_only_what_was_proved_not_executed_is_done_again(step: Step) -> None:
    for rule in row(step).lost.rules:
        again = rule.then in (Then.AGAIN, Then.AGAIN_SAME_KEY, Then.FRESH_TICKET_ONCE)
        assert again == (rule.ruling is Ruling.PROVED_NOT_EXECUTED)


@given(
    step=st.sampled_from(IRREVERSIBLE),
    moved=st.dates(dt.date(2026, 8, 1), dt.date(2027, 2, 1)),
    writes=st.lists(
        st.builds(
            written,
            st.integers(30, 60),
            st.sampled_from([kind.value for kind in WriteKind]),
            st.sampled_from(["ours", "other"]),
            st.booleans(),
        ),
        max_size=8,
    ),
)
def test_a_write_that_the_device_accepted_is_never_done_again(
    step: Step, moved: dt.date, writes: list[WriteRecord]
) -> None:
    now = Observed(last_report=moved, invoicing_deadline=moved, writes=tuple(writes))
    found = verdict(step, BASELINE, now, dt.date(2026, 12, 15))
    kinds = {Step.SEAL: "seal", Step.CLOCK_TICKET: "clock_ticket", Step.APPLY: "apply_ticket"}
    accepted = any(
        w.accepted and w.write_no > 40 and w.payload_sha256 == "ours" and w.kind == kinds[step]
        for w in writes
    )
    if accepted:
        assert found.ruling in (Ruling.EXECUTED, Ruling.NEEDS_HUMAN)


@pytest.mark.parametrize("step", [Step.SUBMIT, Step.TICKET, Step.VERIFY, Step.BACKUP])
def test_there_is_no_verdict_on_a_step_that_may_simply_be_repeated(step: Step) -> None:
    now = Observed(last_report=dt.date(2026, 9, 30), invoicing_deadline=dt.date(2026, 11, 16), writes=())
    with pytest.raises(ValueError, match="not irreversible"):
        verdict(step, BASELINE, now, dt.date(2026, 10, 31))


@pytest.mark.parametrize("step", [Step.SEAL, Step.APPLY])
def test_a_step_that_moves_a_date_is_judged_by_it(step: Step) -> None:
    now = Observed(last_report=dt.date(2026, 9, 30), invoicing_deadline=dt.date(2026, 11, 16), writes=())
    with pytest.raises(ValueError, match="the date that it moves"):
        verdict(step, BASELINE, now)
