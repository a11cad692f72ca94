"""A device is left to others, used again, or tried again, on the word of a person; and kept, in racks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from taxagent.jobs.asks import DeviceOrder, DeviceView, Ordered, Principal, Role
from taxagent.model.errors import AgentError, AnswerLost, DeviceLent, JournalFull
from taxagent.model.events import DeviceFreed, DeviceHeld, DeviceReleased
from taxagent.model.job import JobKind, JobState, Outcome, WaitReason
from taxagent.procedures.work import Work
from tests.builders.hanging import HangingDevice, Stuck, given_up, hanging, stuck_in_next
from tests.builders.jobs import BASELINE, DEVICE_NO, SEAL, SHOP, House, sealing, settled

MINUTE = 60_000
TECHNICIAN = Principal(name="tech", role=Role.TECHNICIAN)


def order(house: House, what: str, who: Principal = SHOP, **changes: Any) -> Ordered | AgentError:
    fields: dict[str, Any] = {
        "what": what,
        "device_no": DEVICE_NO,
        "key": f"order-{what}-00001",
        "request_sha256": what,
        "sent_at_ms": house.clock.now_ms,
        "ttl_ms": 10_000,
    }
    answers: list[Ordered | AgentError] = []
    house.desk.order(who, DeviceOrder(**{**fields, **changes}), answers.append)
    house.settle()
    (answer,) = answers
    return answer


def done(answer: Ordered | AgentError) -> Ordered:
    assert isinstance(answer, Ordered), answer
    return answer


def refused(answer: Ordered | AgentError) -> str:
    assert isinstance(answer, AgentError)
    return answer.fault


def view(house: House) -> DeviceView:
    found = house.roster.view(DEVICE_NO)
    assert found is not None
    return found


def fault(house: House) -> str:
    problem = view(house).problem
    return problem.fault if problem is not None else ""


def test_a_released_device_is_not_touched_until_it_is_taken_again() -> None:
    house = House()
    device = house.plug()
    answer = done(order(house, "release"))
    assert answer.details.standing.release is not None
    assert answer.details.standing.release.by == "shop"
    assert fault(house) == "DEVICE_RELEASED"
    reads = device.reads
    house.pass_time(60 * MINUTE)
    assert device.reads == reads
    done(order(house, "hold"))
    assert fault(house) == ""
    assert device.reads == reads + 1


def test_its_jobs_wait_and_say_by_whom_and_go_on_afterwards() -> None:
    house = House()
    house.plug()
    done(order(house, "release"))
    job_id = house.accepted()
    wait = house.job(job_id).wait
    assert wait is not None
    assert (wait.reason, wait.fault) == (WaitReason.DEVICE_IN_USE, "DEVICE_RELEASED")
    assert wait.detail["holder"] == "shop"
    assert wait.next_ms is None
    house.pass_time(60 * MINUTE)
    assert house.procedure.runs == []
    done(order(house, "hold"))
    assert house.job(job_id).state is JobState.DONE


def test_a_job_that_runs_comes_to_its_next_safe_point_first() -> None:
    house = House()
    house.plug()

    def seal_then_next(work: Work) -> None:
        sealing()(work)
        house.desk.order(
            SHOP,
            DeviceOrder(
                what="release", device_no=DEVICE_NO, key="k" * 16, sent_at_ms=house.clock.now_ms, ttl_ms=9
            ),
            lambda _: None,
        )
        house.loop()
        work.check_stop()
        work.ledger.begin_irreversible(SEAL, BASELINE)

    house.procedure.script.append(seal_then_next)
    job_id = house.accepted()
    job = house.job(job_id)
    assert job.wait is not None
    assert (job.wait.fault, job.outcome) == ("DEVICE_RELEASED", Outcome.PARTLY_EXECUTED)
    assert [run.outcome for run in job.steps] == [Outcome.EXECUTED]
    done(order(house, "hold"))
    assert house.job(job_id).state is JobState.DONE


def a_job_at_work(house: House, *then: Callable[[Work], None]) -> tuple[str, HangingDevice, Stuck]:
    """Return a job whose thread is in a call that takes its time, and does `then` after it."""
    device = HangingDevice()
    house.plug("1-1", device)

    def works(work: Work) -> None:
        sealing()(work)
        work.device.clock()
        work.check_stop()
        raise AssertionError("it was released meanwhile")

    house.procedure.script.extend([works, *then])
    answers: list[Any] = []
    house.desk.accept(SHOP, house.ask(), answers.append)
    house.loop()
    house.loop()
    return answers[0].job.job_id, device, stuck_in_next(house, device)


def test_held_again_while_a_job_still_works_the_device_has_one_queue_and_goes_on_after_it() -> None:
    house = House()
    job_id, _, stuck = a_job_at_work(house, settled)
    done(order(house, "release"))
    done(order(house, "hold"))
    assert fault(house) == ""
    assert len(house.source.queues) == 1
    stuck.comes_back()
    house.pass_time(5_000)
    assert house.job(job_id).state is JobState.DONE
    assert fault(house) == ""


def test_released_held_and_released_again_while_a_job_still_works_it_stays_released() -> None:
    house = House()
    job_id, _, stuck = a_job_at_work(house)
    done(order(house, "release"))
    done(order(house, "hold"))
    done(order(house, "release", key="order-release-again"))
    stuck.comes_back()
    house.settle()
    assert fault(house) == "DEVICE_RELEASED"
    job = house.job(job_id)
    assert job.wait is not None
    assert job.wait.fault == "DEVICE_RELEASED"


@pytest.mark.parametrize("hangs_first", [True, False])
def test_a_thread_that_hangs_in_what_it_did_before_a_release_keeps_the_device(hangs_first: bool) -> None:
    house = House()
    _, _, stuck = a_job_at_work(house, settled)
    done(order(house, "release"))
    if hangs_first:
        given_up(house)
        assert fault(house) == "DEVICE_RELEASED"
    done(order(house, "hold"))
    if not hangs_first:
        given_up(house)
    assert fault(house) == "DEVICE_HUNG"
    assert len(house.source.queues) == 1
    stuck.comes_back()
    house.settle()
    assert fault(house) == ""


def test_a_release_for_some_minutes_ends_by_itself() -> None:
    house = House()
    house.plug()
    done(order(house, "release", minutes=30))
    job_id = house.accepted()
    wait = house.job(job_id).wait
    assert wait is not None
    assert wait.next_ms == house.clock.now_ms + 30 * MINUTE
    house.pass_time(29 * MINUTE)
    assert fault(house) == "DEVICE_RELEASED"
    house.pass_time(2 * MINUTE)
    assert fault(house) == ""
    assert house.job(job_id).state is JobState.DONE


def test_a_release_is_remembered_over_a_restart_without_a_touch() -> None:
    house = House()
    device = house.plug()
    done(order(house, "release"))
    reads = device.reads
    house.restart()
    house.bus_changed()
    assert fault(house) == "DEVICE_RELEASED"
    assert device.reads == reads


def test_a_released_device_that_is_plugged_in_elsewhere_says_its_number_and_is_given_back() -> None:
    house = House()
    device = house.plug("1-1")
    done(order(house, "release"))
    house.unplug("1-1")
    tried, reads = list(device.passwords_tried), device.reads
    house.plug("1-2", device)
    assert (view(house).location, fault(house)) == ("1-2", "DEVICE_RELEASED")
    assert (device.passwords_tried, device.reads) == (tried, reads)
    done(order(house, "hold"))
    assert fault(house) == ""


def test_what_reads_the_device_is_told_who_released_it() -> None:
    house = House()
    house.plug()
    done(order(house, "release"))
    answers: list[Any] = []
    house.desk.prepare(SHOP, house.ask(), answers.append)
    house.settle()
    assert [(answer.fault, answer.detail["holder"]) for answer in answers] == [("DEVICE_RELEASED", "shop")]
    assert isinstance(answers[0], DeviceLent)


def test_a_repeat_of_a_key_is_answered_and_does_nothing() -> None:
    house = House()
    house.plug()
    done(order(house, "release"))
    done(order(house, "hold"))
    again = done(order(house, "release", sent_at_ms=0))
    assert again.known
    assert again.details.standing.release is None
    assert fault(house) == ""
    kinds = [type(row) for row in house.journal.rows if isinstance(row, DeviceReleased | DeviceHeld)]
    assert kinds == [DeviceReleased, DeviceHeld]


def test_two_of_a_key_at_once_are_one_order() -> None:
    house = House()
    house.plug()
    answers: list[Any] = []
    asked = DeviceOrder(
        what="release", device_no=DEVICE_NO, key="k" * 16, sent_at_ms=house.clock.now_ms, ttl_ms=9_000
    )
    house.desk.order(SHOP, asked, answers.append)
    house.desk.order(SHOP, asked, answers.append)
    house.settle()
    assert [answer.known for answer in answers] == [False, True]
    assert sum(isinstance(row, DeviceReleased) for row in house.journal.rows) == 1


def test_a_key_of_another_order_is_refused() -> None:
    house = House()
    house.plug()
    done(order(house, "release", key="k" * 16))
    assert refused(order(house, "hold", key="k" * 16)) == "KEY_CONFLICT"


@pytest.mark.parametrize(
    "what, who, changes, code",
    [
        ("release", SHOP, {"device_no": "661234567899"}, "DEVICE_UNKNOWN"),
        ("retry", SHOP, {}, "NOT_ALLOWED"),
        ("hold", Principal(name="guest", role=Role.VIEWER), {}, "NOT_ALLOWED"),
        ("release", SHOP, {"sent_at_ms": 0}, "EXPIRED"),
    ],
)
def test_what_is_refused_binds_no_key(what: str, who: Principal, changes: dict[str, Any], code: str) -> None:
    house = House()
    house.plug()
    assert refused(order(house, what, who, **changes)) == code
    assert house.roster.standings.order(who.name, f"order-{what}-00001") is None


def test_a_full_disk_refuses_the_order_and_the_device_stays_in_use() -> None:
    house = House()
    house.plug()
    house.journal.fails = JournalFull("JOURNAL_FULL")
    assert refused(order(house, "release")) == "JOURNAL_FULL"
    house.journal.fails = None
    assert fault(house) == ""
    done(order(house, "release"))


def test_an_agent_that_stops_takes_no_order() -> None:
    house = House()
    house.plug()
    house.desk.draining = True
    assert refused(order(house, "release")) == "DRAINING"


def test_a_device_that_hung_is_tried_again_on_the_word_of_a_technician() -> None:
    house = House()
    device = HangingDevice()
    house.plug("1-1", device)
    stuck = hanging(house, device)
    given_up(house)
    assert fault(house) == "DEVICE_HUNG"
    device.hangs = False
    answer = done(order(house, "retry", TECHNICIAN))
    assert answer.details.standing.hung == 0
    assert fault(house) == "DEVICE_HUNG"  # a thread of this process has it in its hands still
    stuck.comes_back()
    house.settle()
    assert fault(house) == ""
    assert [row.how for row in house.journal.rows if isinstance(row, DeviceFreed)] == ["retry"]


def test_a_quarantined_device_is_tried_again_on_the_word_of_a_technician() -> None:
    house = House()
    device = HangingDevice()
    house.plug("1-1", device)
    for _ in range(2):
        hanging(house, device)
        given_up(house)
        device.hangs = False
        house.restart()
        house.bus_changed()
    assert fault(house) == "DEVICE_QUARANTINED"
    done(order(house, "retry", TECHNICIAN))
    assert fault(house) == ""
    assert house.job(house.accepted(kind=JobKind.CHECK)).state is JobState.DONE


def test_the_details_say_all_that_is_known() -> None:
    house = House()
    house.plug()
    found = house.desk.device(DEVICE_NO)
    assert found.thing is not None
    assert (found.thing.name, found.live_jobs, found.standing.hung) == ("device", (), 0)


def test_a_kept_device_stays_claimed_and_is_given_back_when_it_is_released() -> None:
    house = House(keep=True)
    house.plug()
    assert (view(house).held_by, view(house).held_since_ms) == ("agent", house.clock.now_ms)
    assert house.source.held == {"1-1"}
    house.pass_time(16 * MINUTE)
    assert house.source.held == {"1-1"}
    done(order(house, "release"))
    assert (house.source.held, view(house).held_by) == (set(), "")
    done(order(house, "hold"))
    assert house.source.held == {"1-1"}


def test_a_device_that_is_not_kept_is_given_back_after_each_piece_of_work() -> None:
    house = House()
    house.plug()
    assert (house.source.held, view(house).held_by) == (set(), "")


def test_a_kept_device_is_given_back_at_the_end_and_when_it_is_unplugged() -> None:
    house = House(keep=True)
    house.plug("1-1")
    house.unplug("1-1")
    assert house.source.held == set()
    house.plug("1-1#2")
    house.roster.close(0)
    house.settle()
    assert house.source.held == set()


def test_a_kept_device_that_lost_an_answer_is_taken_afresh() -> None:
    house = House(keep=True)
    device = house.plug()
    device.fails = AnswerLost("ANSWER_LOST")
    house.roster.renew("1-1")
    house.settle()
    assert house.source.held == set()
    device.fails = None
    house.pass_time(31_000)
    assert house.source.held == {"1-1"}


def test_the_key_of_an_order_is_known_from_when_it_is_asked_and_not_told_while_verifying() -> None:
    house = House()
    house.plug()
    key = "order-release-00001"
    assert house.desk.knows_order(SHOP.name, key) is False
    done(order(house, "release"))
    assert house.desk.knows_order(SHOP.name, key)
    assert house.desk.knows_order(TECHNICIAN.name, key) is False
    house.desk.verifying = True
    assert house.desk.knows_order(SHOP.name, key) is None


def test_the_key_of_a_drain_is_known_to_the_start_that_it_stopped() -> None:
    house = House()
    boot = house.desk.status().boot
    assert house.desk.knows_drain(SHOP.name, boot, "drain-key") is False
    house.desk.drain(SHOP, boot, "drain-key", lambda _: None)
    assert house.desk.knows_drain(SHOP.name, boot, "drain-key")
    assert house.desk.knows_drain(SHOP.name, "another start", "drain-key") is None
