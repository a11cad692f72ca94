"""The decision table as data, and the verdict on an interrupted write. Pure: reads nothing itself.

Only a write that was *proved* not executed is done again; what the facts leave open goes to a person.
"""

from __future__ import annotations

import datetime as dt
import functools
import tomllib
from collections.abc import Callable
from enum import StrEnum
from importlib.resources import files

import msgspec

from taxagent.model.device import WriteKind, WriteRecord
from taxagent.model.job import Baseline, Effect, Step
from taxagent.model.value import Value


class Ruling(StrEnum):
    """What became of a write of ours."""

    EXECUTED = "executed"
    PROVED_NOT_EXECUTED = "proved_not_executed"
    SOMEONE_ELSES = "someone_elses"  # not ours, but done: taken as "already"
    NEEDS_HUMAN = "needs_human"


class Then(StrEnum):
    """What follows."""

    GO_ON = "go_on"
    AGAIN = "again"
    AGAIN_SAME_KEY = "again_same_key"
    AS_ALREADY = "as_already"  # the step's row "already"
    SUBMIT_IF_THE_BUREAU_HAS_NONE = "submit_if_the_bureau_has_none"
    GO_ON_IF_THE_DEADLINE_IS_THE_TICKETS_OR_LATER = "go_on_if_the_deadline_is_the_tickets_or_later"
    FRESH_TICKET_ONCE = "fresh_ticket_once"  # stale: one new ticket a job; everything else is refused
    GO_ON_AND_SAY_NOT_CONFIRMED = "go_on_and_say_not_confirmed"
    WAIT = "wait"
    WAIT_OR_REFUSE = "wait_or_refuse"  # not declared: wait; any other no: refuse
    REFUSE = "refuse"
    ASK_HUMAN = "ask_human"


class Read(StrEnum):
    """What is read before a decision."""

    LAST_WRITES = "last_writes"
    MONITOR = "monitor"
    SUMMARY = "summary"
    BUREAU_REPORT = "bureau_report"
    BUREAU_TICKET = "bureau_ticket"


class Rule(Value, frozen=True, kw_only=True):
    """If all of `when` hold, the ruling is this one."""

    when: tuple[str, ...]
    ruling: Ruling
    then: Then


class Lost(Value, frozen=True, kw_only=True):
    """The answer was lost, or the agent died in the step. Irreversible steps have rules, others `then`."""

    read: tuple[Read, ...] = ()
    rules: tuple[Rule, ...] = ()
    then: Then | None = None


class Reaction(Value, frozen=True, kw_only=True):
    """What is read, and what follows."""

    then: Then
    read: tuple[Read, ...] = ()


class Row(Value, frozen=True, kw_only=True):
    """A step's row of the table. `already` is None where nothing answers so."""

    effect: Effect
    lost: Lost
    refused: Reaction
    already: Reaction | None = None


class Observed(Value, frozen=True, kw_only=True):
    """The device as it was read after the interruption; `writes` is its memory, newest first."""

    last_report: dt.date
    invoicing_deadline: dt.date
    writes: tuple[WriteRecord, ...]


class Verdict(Value, frozen=True, kw_only=True):
    """A ruling, what follows, and which facts decided (names of conditions, "+" between them)."""

    ruling: Ruling
    then: Then
    why: str


class _Case(Value, frozen=True, kw_only=True):
    """The facts of one verdict. `moved` is the date that the step moves: now, at the baseline, when done."""

    baseline: Baseline
    now: Observed
    kind: WriteKind
    current: dt.date
    before: dt.date
    expected: dt.date | None

    @property
    def ours(self) -> tuple[WriteRecord, ...]:
        """Every write that came after the baseline and is the one that was about to be sent."""
        return tuple(
            write
            for write in self.now.writes
            if write.write_no > self.baseline.write_no
            and write.kind is self.kind
            and write.payload_sha256 == self.baseline.payload_sha256
        )


def row(step: Step) -> Row:
    """Return the row of `step`."""
    return _table()[step]


def verdict(step: Step, baseline: Baseline, now: Observed, expected: dt.date | None = None) -> Verdict:
    """Return what became of an irreversible step that began at `baseline`, given what is read `now`.

    `expected` is what the step makes of the date that it moves: last_report for SEAL, the ticket's deadline
    for APPLY; CLOCK_TICKET moves none. Raises ValueError for a step that is not irreversible, and for SEAL
    and APPLY without `expected`.
    """
    rules = row(step).lost.rules
    if not rules:
        msg = f"{step.value} is not irreversible: it is simply done again"
        raise ValueError(msg)
    case = _case(step, baseline, now, expected)
    for rule in rules:
        if all(_CONDITIONS[name](case) for name in rule.when):
            return Verdict(ruling=rule.ruling, then=rule.then, why="+".join(rule.when) or "facts_disagree")
    msg = f"the table has no rule for this case of {step.value}"
    raise AssertionError(msg)


def _case(step: Step, baseline: Baseline, now: Observed, expected: dt.date | None) -> _Case:
    if step is not Step.CLOCK_TICKET and expected is None:
        msg = f"{step.value} is judged by the date that it moves: say which one it should be"
        raise ValueError(msg)
    seal = step is Step.SEAL
    return _Case(
        baseline=baseline,
        now=now,
        kind=_KINDS[step],
        current=now.last_report if seal else now.invoicing_deadline,
        before=baseline.last_report if seal else baseline.invoicing_deadline,
        expected=expected,
    )


def _memory_went_back(case: _Case) -> bool:
    """The device remembers less than it did: it is another device, or was set back."""
    newest = max((write.write_no for write in case.now.writes), default=0)
    return newest < case.baseline.write_no


def _memory_reaches_back(case: _Case) -> bool:
    """No write since the baseline was pushed out of the device's memory."""
    seen = {write.write_no for write in case.now.writes}
    newest = max(seen, default=0)
    return newest <= case.baseline.write_no or case.baseline.write_no + 1 in seen


def _ours_accepted(case: _Case) -> bool:
    return any(write.accepted for write in case.ours)


def _ours_refused(case: _Case) -> bool:
    return bool(case.ours) and not _ours_accepted(case)


def _shown(case: _Case) -> bool:
    """The device shows at least what the write made of the date."""
    return case.expected is not None and case.current >= case.expected


def _at_baseline(case: _Case) -> bool:
    return case.current == case.before


def _at_expected(case: _Case) -> bool:
    return case.current == case.expected


_KINDS = {
    Step.SEAL: WriteKind.SEAL,
    Step.CLOCK_TICKET: WriteKind.CLOCK_TICKET,
    Step.APPLY: WriteKind.APPLY_TICKET,
}
_CONDITIONS: dict[str, Callable[[_Case], bool]] = {
    "memory_went_back": _memory_went_back,
    "memory_reaches_back": _memory_reaches_back,
    "ours_accepted": _ours_accepted,
    "ours_refused": _ours_refused,
    "shown": _shown,
    "at_baseline": _at_baseline,
    "at_expected": _at_expected,
}


@functools.cache
def _table() -> dict[Step, Row]:
    source = files("taxagent.model").joinpath("decisions.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source), dict[Step, Row])
