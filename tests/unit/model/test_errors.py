"""The tree of errors: drawn as it is, and every error a problem that people can read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taxagent.model import errors
from taxagent.model.errors import AgentError, BureauDown, DeviceRefused, PasswordRefused, Refusal
from taxagent.model.faults import codes, text
from taxagent.model.job import Outcome

OWN_FAULT: dict[type[AgentError], AgentError] = {
    PasswordRefused: PasswordRefused(3),
    errors.ClaimTaken: errors.ClaimTaken("01JOB", group="007", period="2026-10"),
    errors.KeyTaken: errors.KeyTaken("01JOB"),
    errors.TokenSpent: errors.TokenSpent(),
    errors.InstanceRunning: errors.InstanceRunning(pid="812", path="/var/lib/taxagent"),
    errors.StateDirUnwritable: errors.StateDirUnwritable("/x", "EROFS", "remount it"),
    errors.JournalBroken: errors.JournalBroken("a row is missing", seq=7),
}


def tree(root: type[AgentError], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, root.__name__
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child, depth + 1)


def drawn() -> Iterator[tuple[int, str]]:
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip("│├└─ ").split(" ")[0]
        if name.isidentifier() and isinstance(getattr(errors, name, None), type):
            yield (len(line) - len(line.lstrip("│├└─ ")) + 3) // 4, name


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert sorted(drawn()) == sorted(tree(AgentError))


@pytest.mark.parametrize("error", OWN_FAULT.values(), ids=lambda error: type(error).__name__)
def test_an_error_with_a_fault_of_its_own_names_one_of_the_catalogue(error: AgentError) -> None:
    assert error.fault in codes()
    assert "{" not in text(error.problem(), "zh").cause


def test_an_error_becomes_a_problem_with_all_that_it_knows() -> None:
    problem = DeviceRefused("TICKET_REJECTED", device_code="09d106", ticket_no="T-1").problem()
    assert (problem.fault, problem.outcome, problem.device_code, problem.detail) == (
        "TICKET_REJECTED",
        Outcome.NOT_EXECUTED,
        "09d106",
        {"ticket_no": "T-1"},
    )
    assert "09d106" in text(problem, "en").cause


@pytest.mark.parametrize("kind", [errors.AnswerLost, errors.NeedsHuman, errors.JournalUnknown])
def test_what_may_have_been_done_is_unknown(kind: type[AgentError]) -> None:
    assert kind("ANSWER_LOST").problem().outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "kind", [Refusal, errors.Unavailable, BureauDown, errors.Interrupted, errors.JournalFull]
)
def test_a_no_and_a_not_now_are_certainly_not_executed(kind: type[AgentError]) -> None:
    assert kind("BUREAU_DOWN").problem().outcome is Outcome.NOT_EXECUTED


def test_a_refused_password_tells_the_tries_left() -> None:
    error = PasswordRefused(3, device_code="09d1c3")
    assert error.tries_left == 3
    assert "3 tries are left" in text(error.problem(), "en").cause


def test_the_bureaus_retry_after_is_kept_in_seconds() -> None:
    assert BureauDown("BUREAU_BUSY", retry_after_s=2.5).retry_after_s == 2.5
    assert BureauDown("BUREAU_BUSY").retry_after_s is None


def test_as_text_an_error_is_its_fault_and_its_facts() -> None:
    assert str(Refusal("OVERDUE", last_report="2026-06-30")) == "OVERDUE last_report=2026-06-30"
    assert str(Refusal("OVERDUE")) == "OVERDUE"
