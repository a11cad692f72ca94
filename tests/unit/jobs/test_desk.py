"""What is accepted, under which key, with whose word; and every answer comes once, in the loop's thread."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest

from taxagent.jobs.asks import Accepted, Drained, Prepared, Principal, Role
from taxagent.model.device import QUIRKS, DeviceKind
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceInUse,
    Interrupted,
    JournalFull,
    JournalUnknown,
    Unavailable,
)
from taxagent.model.events import JobAccepted, JobRunning, TokenIssued
from taxagent.model.job import JobKind, JobState, Outcome, Problem, WaitReason
from taxagent.model.period import Period
from taxagent.procedures.work import Waiting
from tests.builders.jobs import DEVICE_NO, PASSWORD, SHOP, FakeDevice, House
from tests.builders.model import monitor, synthetic_taxpayer_id

MINUTE = 60_000
SOMEONE = Principal(name="someone", role=Role.TECHNICIAN)
BEHIND = {"last_report": dt.date(2026, 8, 31), "invoicing_deadline": dt.date(2026, 10, 26)}
TWO_TYPES = (monitor(), monitor(invoice_type="004", group="004"))


def plugged(*, consent: bool = False, **device: Any) -> House:
    house = House(consent=consent)
    house.plug("1-1", FakeDevice(**device))
    return house


def prepare(house: House, principal: Principal = SHOP, **changes: Any) -> Any:
    answers: list[Any] = []
    house.desk.prepare(principal, house.ask(**changes), answers.append)
    house.settle()
    assert len(answers) == 1
    return answers[0]


def token(house: House, principal: Principal = SHOP, **changes: Any) -> str:
    prepared = prepare(house, principal, **changes)
    assert isinstance(prepared, Prepared), prepared
    return prepared.token


def fault(answer: object) -> str:
    assert isinstance(answer, AgentError), answer
    assert answer.outcome is Outcome.NOT_EXECUTED
    return answer.fault


# ---- keys


def test_a_repeat_of_a_key_gives_the_same_job() -> None:
    house = plugged(consent=True)
    first, again = house.accept(), house.accept()
    assert (first.known, again.known) == (False, True)
    assert first.job.job_id == again.job.job_id


@pytest.mark.parametrize(
    "changes", [{"sent_at_ms": 0}, {"sent_at_ms": 1 << 50}, {"ttl_ms": 0}, {"token": "no token"}]
)
def test_a_known_key_is_answered_before_anything_else_is_looked_at(changes: dict[str, Any]) -> None:
    house = plugged(consent=True)
    job_id = house.accepted()
    house.desk.draining = True
    house.roster.changed(())
    assert house.accept(**changes).job.job_id == job_id


def test_a_known_key_is_answered_although_its_consent_is_gone() -> None:
    house = plugged(consent=True)
    job_id = house.accepted()
    house.consent = type(house.consent)()
    house.restart()
    assert house.accept().job.job_id == job_id


def test_a_key_with_other_content_is_a_conflict() -> None:
    house = plugged(consent=True)
    job_id = house.accepted()
    answer = house.accept(request_sha256="cd" * 32)
    assert fault(answer) == "KEY_CONFLICT"
    assert answer.detail["job_id"] == job_id


def test_a_key_belongs_to_its_principal() -> None:
    house = plugged(consent=True)
    house.accepted(kind=JobKind.CHECK)
    answers: list[Any] = []
    house.desk.accept(SOMEONE, house.ask(kind=JobKind.CHECK), answers.append)
    house.settle()
    assert [answer.known for answer in answers] == [False]


def test_two_equal_requests_at_once_are_one_job() -> None:
    house = plugged(consent=True)
    answers: list[Accepted | AgentError] = []
    for _ in range(2):
        house.desk.accept(SHOP, house.ask(), answers.append)
    house.settle()
    assert [answer.known for answer in answers if isinstance(answer, Accepted)] == [False, True]
    assert [type(row) for row in house.journal.rows].count(JobAccepted) == 1


def test_a_refusal_binds_no_key() -> None:
    house = plugged()
    assert fault(house.accept()) == "TOKEN_NEEDED"
    assert not isinstance(house.accept(token=token(house)), AgentError)


# ---- time


def test_a_request_that_is_too_old_is_refused() -> None:
    house = plugged(consent=True)
    sent = house.clock.now_ms
    house.clock.now_ms += 10_001
    answer = house.accept(sent_at_ms=sent)
    assert fault(answer) == "EXPIRED"
    assert answer.detail == {"what": "1 ms", "limit": "10000"}
    assert not isinstance(house.accept(sent_at_ms=sent + 1), AgentError)


def test_a_client_whose_clock_is_ahead_is_told_so() -> None:
    house = plugged(consent=True)
    assert fault(house.accept(sent_at_ms=house.clock.now_ms + 30_001)) == "CLOCK_SKEW"
    assert not isinstance(house.accept(sent_at_ms=house.clock.now_ms + 30_000), AgentError)


# ---- roles


def test_late_takes_a_technician_even_where_the_door_let_it_through() -> None:
    house = plugged(consent=True)
    answers: list[Any] = []
    house.desk.accept(SHOP, house.ask(device_no="000000000000"), answers.append)
    house.desk.accept(SHOP, house.ask(late=True), answers.append)
    house.desk.accept(SOMEONE, house.ask(late=True, kind=JobKind.CHECK), answers.append)
    house.settle()
    assert [fault(answer) for answer in answers[:2]] == ["DEVICE_UNKNOWN", "NOT_ALLOWED"]
    assert isinstance(answers[2], Accepted)


def test_a_viewer_makes_no_job_and_still_gets_one_that_is_known() -> None:
    house = plugged(consent=True)
    viewer = Principal(name="shop", role=Role.VIEWER)
    answers: list[Any] = []
    house.desk.accept(viewer, house.ask(), answers.append)
    house.settle()
    job_id = house.accepted()
    house.desk.accept(viewer, house.ask(), answers.append)
    house.settle()
    assert fault(answers[0]) == "NOT_ALLOWED"
    assert answers[1].job.job_id == job_id


# ---- tokens


def test_a_token_is_good_once() -> None:
    house = plugged()
    once = token(house)
    first = house.accept(token=once)
    assert first.job.confirmed.by == "shop"
    assert fault(house.accept(token=once, key="another-key-of-16-ch")) == "TOKEN_INVALID"


def test_a_token_that_was_never_given_is_invalid() -> None:
    assert fault(plugged().accept(token="guessed")) == "TOKEN_INVALID"


def test_a_token_is_good_for_ten_minutes() -> None:
    house = plugged()
    late = token(house)
    house.clock.now_ms += 10 * MINUTE + 1
    assert fault(house.accept(token=late)) == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    "other",
    [
        {"kind": JobKind.REPORT},
        {"types": ("004",)},
        {"periods": (Period("2026-09"),)},
        {"periods": (Period("2026-09"), Period("2026-10"))},
    ],
)
def test_a_token_is_for_what_was_shown(other: dict[str, Any]) -> None:
    house = plugged(monitors=TWO_TYPES)
    assert fault(house.accept(token=token(house), **other)) == "TOKEN_MISMATCH"


def test_a_token_is_for_whom_it_was_given() -> None:
    house = plugged()
    assert fault(house.accept(token=token(house, SOMEONE))) == "TOKEN_MISMATCH"


def test_a_token_is_for_its_device() -> None:
    house, other = plugged(), "661234567891"
    house.secrets[f"device-{other}"] = PASSWORD
    house.plug("1-2", FakeDevice(other))
    assert fault(house.accept(token=token(house), device_no=other)) == "TOKEN_MISMATCH"


def test_a_refused_request_does_not_use_its_token_up() -> None:
    house = plugged(monitors=TWO_TYPES)
    good = token(house)
    house.accept(token=good, types=("004",))
    assert not isinstance(house.accept(token=good), AgentError)


def test_what_was_confirmed_counts_and_not_an_older_snapshot() -> None:
    house = plugged(monitors=(monitor(**BEHIND),))
    device = house.source.plugged["1-1"]
    device.monitors = (monitor(),)  # September was settled by another program meanwhile
    good = token(house)
    device.monitors = (monitor(**BEHIND),)
    house.roster.renew("1-1")
    house.settle()
    accepted = house.accept(token=good, periods=(Period("2026-10"),))
    assert accepted.job.scope.periods == ("2026-10",)


def test_a_consent_is_for_its_kinds_and_principals() -> None:
    house = plugged(consent=True)
    answers: list[Any] = []
    house.desk.accept(SOMEONE, house.ask(), answers.append)
    house.settle()
    assert fault(answers[0]) == "TOKEN_NEEDED"
    confirmed = house.accept().job.confirmed
    assert (confirmed.by, confirmed.how, confirmed.types) == (SHOP.name, "consent", ())


@pytest.mark.parametrize("kind", [JobKind.CHECK, JobKind.BACKUP])
def test_what_writes_nothing_needs_no_token(kind: JobKind) -> None:
    assert not isinstance(plugged().accept(kind=kind), AgentError)


def test_only_the_hash_of_a_token_is_kept() -> None:
    house = plugged()
    secret = token(house)
    assert secret not in repr(house.journal.rows)
    assert [type(row) for row in house.journal.rows].count(TokenIssued) == 1


# ---- claims


def test_one_live_job_a_device_group_and_period() -> None:
    house = plugged(consent=True, monitors=TWO_TYPES)
    waits = Waiting(WaitReason.BUREAU, Problem(fault="BUREAU_DOWN", outcome=Outcome.NOT_EXECUTED))
    house.procedure.script = [waits, waits]
    job_id = house.accepted(types=("007",))
    overlap = house.accept(key="another-key-of-16-ch")
    assert fault(overlap) == "JOB_IN_PROGRESS"
    told = [(each.fault, each.detail["job_id"]) for each in prepare(house).warnings]
    assert told == [("JOB_IN_PROGRESS", job_id)]
    assert overlap.detail == {"job_id": job_id, "group": "007", "period": "2026-10"}
    assert not isinstance(house.accept(key="a-third-key-of-16-ch", types=("004",)), AgentError)
    assert not isinstance(house.accept(key="a-fourth-key-16-char", kind=JobKind.CHECK), AgentError)


# ---- devices


def test_a_device_that_nobody_has_seen_is_unknown() -> None:
    assert fault(House().accept()) == "DEVICE_UNKNOWN"


def test_a_device_that_could_never_be_read_is_refused_for_the_reason_and_read_again() -> None:
    house = House()
    house.secrets.clear()
    house.plug()
    assert fault(house.accept()) == "PASSWORD_MISSING"
    house.secrets[f"device-{DEVICE_NO}"] = PASSWORD
    assert fault(house.accept()) == "PASSWORD_MISSING"
    assert not isinstance(house.accept(), AgentError)


def test_another_taxpayer_is_refused() -> None:
    house = plugged(consent=True)
    assert fault(house.accept(taxpayer_id=synthetic_taxpayer_id(2))) == "TAXPAYER_WRONG"
    assert fault(house.accept(taxpayer_id=synthetic_taxpayer_id(2), token=token(house))) == "TAXPAYER_WRONG"


def test_a_kind_without_a_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(QUIRKS, DeviceKind.GOLDEN_DISK, raising=False)
    house = plugged(consent=True, kind=DeviceKind.GOLDEN_DISK)
    assert fault(house.accept()) == "KIND_UNKNOWN"
    assert fault(prepare(house)) == "KIND_UNKNOWN"


def test_a_month_that_ended_since_a_device_went_is_due_all_the_same() -> None:
    house = plugged(consent=True)
    house.unplug()
    house.clock.now_ms += 30 * 24 * 60 * MINUTE
    assert house.accept().job.scope.periods == ("2026-10", "2026-11")


# ---- kept back, drained, cancelled


def test_while_the_journal_is_verified_writes_wait_and_are_then_done() -> None:
    house = plugged(consent=True)
    house.desk.verifying = True
    answers: list[Any] = []
    house.desk.accept(SHOP, house.ask(), answers.append)
    house.desk.prepare(SHOP, house.ask(), answers.append)
    house.desk.cancel(SHOP, "01JOB", answers.append)
    house.settle()
    assert answers == []
    house.desk.verified()
    house.settle()
    assert [type(answer).__name__ for answer in answers] == ["Accepted", "Refusal", "Prepared"]


def test_what_fails_when_it_is_done_at_last_takes_no_other_with_it() -> None:
    house = plugged(consent=True)
    house.desk.verifying = True
    answers: list[Any] = []

    def broken(_: object) -> None:
        raise ZeroDivisionError

    house.desk.prepare(SHOP, house.ask(device_no="000000000000"), broken)
    house.desk.accept(SHOP, house.ask(), answers.append)
    house.desk.verified()
    with pytest.raises(ZeroDivisionError):
        house.settle()
    house.settle()
    assert len(answers) == 1


def test_an_agent_that_drains_takes_nothing_new() -> None:
    house = plugged(consent=True)
    house.desk.draining = True
    assert fault(house.accept()) == "DRAINING"
    assert fault(prepare(house)) == "DRAINING"


def test_a_cancel_of_an_unknown_job_is_refused_and_of_an_ended_one_answers_it() -> None:
    house = plugged(consent=True)
    answers: list[Any] = []
    house.desk.cancel(SHOP, "01JOB", answers.append)
    job_id = house.accepted()
    house.desk.cancel(SHOP, job_id, answers.append)
    house.settle()
    assert fault(answers[0]) == "JOB_UNKNOWN"
    assert answers[1].state is JobState.DONE


def test_a_cancel_twice_is_one_row() -> None:
    house = plugged(consent=True)
    house.procedure.script = [
        Waiting(WaitReason.BUREAU, Problem(fault="BUREAU_DOWN", outcome=Outcome.NOT_EXECUTED))
    ]
    job_id = house.accepted()
    answers: list[Any] = []
    for _ in range(2):
        house.desk.cancel(SHOP, job_id, answers.append)
    house.settle()
    assert [answer.cancel_requested for answer in answers] == [True, True]
    assert [type(row).__name__ for row in house.journal.rows].count("CancelRequested") == 1


# ---- prepare


def test_prepare_reads_afresh_and_shows_what_will_be_done() -> None:
    house = plugged(monitors=TWO_TYPES)
    device = house.source.plugged["1-1"]
    device.monitors = (monitor(pending_uploads=0), TWO_TYPES[1])
    reads = device.reads
    prepared = prepare(house)
    assert device.reads == reads + 1
    assert prepared.consequences == (
        "SEAL:007:2026-10",
        "SUBMIT:007:2026-10",
        "SEAL:004:2026-10",
        "SUBMIT:004:2026-10",
        "CLEAR:007:",
        "CLEAR:004:",
    )
    assert len(prepared.totals) == 2
    assert prepared.expires_ms == house.clock.now_ms + 10 * MINUTE


def test_prepare_does_not_promise_to_seal_what_is_sealed() -> None:
    house = plugged(monitors=(monitor(last_report=dt.date(2026, 10, 31)),))
    assert prepare(house).consequences == ("SUBMIT:007:2026-10", "CLEAR:007:")
    assert prepare(house, kind=JobKind.REPORT).consequences == ("SUBMIT:007:2026-10",)
    assert prepare(house, kind=JobKind.CLEAR).consequences == ("CLEAR:007:",)


def test_a_clear_of_what_is_not_reported_gets_no_token() -> None:
    refused = prepare(plugged(monitors=(monitor(),)), kind=JobKind.CLEAR)
    assert isinstance(refused, AgentError)
    assert (refused.fault, refused.detail) == ("NOT_REPORTED", {"types": "007", "period": "2026-10"})


def test_types_that_report_together_are_one_thing_to_be_done() -> None:
    together = {"group": "004+007"}
    house = plugged(
        monitors=(
            monitor(**together),
            monitor(invoice_type="004", last_report=dt.date(2026, 10, 31), **together),
        )
    )
    assert prepare(house).consequences == (
        "SEAL:004+007:2026-10",
        "SUBMIT:004+007:2026-10",
        "CLEAR:004+007:",
    )


def test_prepare_works_in_the_devices_thread_and_answers_in_the_loops() -> None:
    house = plugged()
    answers: list[Any] = []
    house.desk.prepare(SHOP, house.ask(), answers.append)
    thread = threading.Thread(target=house.source.queues[0].turn)
    thread.start()
    thread.join(10)
    assert answers == []
    house.loop()
    assert isinstance(answers[0], Prepared)


def unplugged(house: House) -> None:
    house.roster.changed(())


def journal_full(house: House) -> None:
    house.journal.fails = JournalFull("JOURNAL_FULL")


def journal_closed(house: House) -> None:
    house.journal.fails = Interrupted("DRAINING")


def a_defect(house: House) -> None:
    house.source.plugged["1-1"].fails = ZeroDivisionError()


def answer_lost(house: House) -> None:
    house.source.plugged["1-1"].fails = AnswerLost("ANSWER_LOST")


def in_use(house: House) -> None:
    house.source.refuses = DeviceInUse("DEVICE_IN_USE", holder="x")


def drained(house: House) -> None:
    house.roster.close(0)


@pytest.mark.parametrize(
    "happens, told",
    [
        (unplugged, "DEVICE_ABSENT"),
        (journal_full, "JOURNAL_FULL"),
        (journal_closed, "DRAINING"),
        (a_defect, "INTERNAL"),
        (answer_lost, "ANSWER_LOST"),
        (in_use, "DEVICE_IN_USE"),
        (drained, "DRAINING"),
    ],
)
def test_whatever_happens_to_a_prepare_is_told_once(happens: Callable[[House], None], told: str) -> None:
    house = plugged()
    answers: list[Any] = []
    house.desk.prepare(SHOP, house.ask(), answers.append)
    happens(house)
    house.settle()
    assert [fault(answer) for answer in answers] == [told]


@pytest.mark.parametrize(
    "error, told",
    [
        (JournalFull("JOURNAL_FULL"), "JOURNAL_FULL"),
        (Interrupted("DRAINING"), "DRAINING"),
        (JournalUnknown("JOURNAL_UNKNOWN"), "JOURNAL_UNKNOWN"),
    ],
)
def test_whatever_the_journal_says_to_an_accept_is_told_once(error: AgentError, told: str) -> None:
    house = plugged(consent=True)
    house.journal.fails = error
    answer = house.accept()
    assert (answer.fault, answer.outcome) == (told, error.outcome)


def test_a_device_that_is_known_and_away_cannot_be_prepared() -> None:
    house = plugged()
    house.unplug()
    answer = prepare(house)
    assert isinstance(answer, Unavailable)
    assert answer.fault == "DEVICE_ABSENT"
    assert fault(prepare(house, device_no="000000000000")) == "DEVICE_UNKNOWN"


@pytest.mark.parametrize("periods", [(), (Period("2026-11"),)])
def test_a_prepare_leaves_no_session_open(periods: tuple[Period, ...]) -> None:
    house = plugged()
    prepare(house, periods=periods)
    assert len(house.source.plugged["1-1"].passwords_tried) == 2
    assert not house.source.plugged["1-1"].session_open


def test_a_prepare_that_was_given_up_meanwhile_is_not_read() -> None:
    house = plugged()
    answers: list[Any] = []
    house.desk.prepare(SHOP, house.ask(), answers.append)
    reads = house.source.plugged["1-1"].reads
    house.clock.now_ms += 10_001
    house.settle()
    assert [fault(answer) for answer in answers] == ["EXPIRED"]
    assert house.source.plugged["1-1"].reads == reads


# ---- status


def test_the_status_is_one_value_until_something_changes() -> None:
    house = plugged(consent=True)
    house.procedure.script = [
        Waiting(WaitReason.BUREAU, Problem(fault="BUREAU_DOWN", outcome=Outcome.NOT_EXECUTED))
    ]
    before = house.desk.status()
    house.clock.now_ms += MINUTE
    assert house.desk.status() is before
    house.accepted()
    after = house.desk.status()
    assert [job.state for job in after.live_jobs] == [JobState.WAITING]
    house.desk.draining = True
    assert house.desk.status().draining
    house.unplug()
    assert house.desk.status().devices[0].location == ""


def test_a_device_that_a_job_works_on_is_held_by_the_agent() -> None:
    house = plugged(consent=True)
    house.procedure.script = [
        Waiting(WaitReason.BUREAU, Problem(fault="BUREAU_DOWN", outcome=Outcome.NOT_EXECUTED))
    ]
    job_id = house.accepted()
    assert house.desk.status().devices[0].held_by == ""
    house.book.take(JobRunning(at_ms=house.clock.now_ms, job_id=job_id, boot="boot-1"))
    device = house.desk.status().devices[0]
    assert (device.held_by, device.held_since_ms > 0) == ("agent", True)
    house.unplug()
    assert house.desk.status().devices[0].held_by == ""


def test_the_status_ages_with_its_devices() -> None:
    house = plugged()
    assert not house.desk.status().devices[0].stale
    house.clock.now_ms += 15 * MINUTE + 1
    aged = house.desk.status()
    assert aged.devices[0].stale
    house.clock.now_ms += MINUTE
    assert house.desk.status() is aged


def asked_to_drain(house: House, boot: str) -> Drained | AgentError:
    answers: list[Drained | AgentError] = []
    house.desk.drain(SOMEONE, boot, "key-of-a-drain-16", answers.append)
    (answer,) = answers
    return answer


def test_a_drain_says_what_still_runs_and_what_is_left_and_later_work_is_refused() -> None:
    house = plugged(consent=True)
    undeclared = Problem(fault="NOT_DECLARED", outcome=Outcome.NOT_EXECUTED)
    house.procedure.script = [Waiting(WaitReason.DECLARATION, undeclared)]
    waiting = house.accepted()
    answer = asked_to_drain(house, "boot-1")
    assert isinstance(answer, Drained)
    assert (answer.running, answer.left) == ((), 1)
    assert house.stopped_by == [("someone", "key-of-a-drain-16")]
    assert house.job(waiting).state is JobState.WAITING
    refused = house.accept(key="another-key-of-16-ch")
    assert isinstance(refused, Unavailable)
    assert refused.fault == "DRAINING"


def test_a_drain_of_another_start_stops_nothing() -> None:
    house = plugged()
    answer = asked_to_drain(house, "boot-0")
    assert isinstance(answer, AgentError)
    assert (answer.fault, answer.detail) == ("BOOT_OVER", {"expected": "boot-0", "found": "boot-1"})
    assert house.stopped_by == []
