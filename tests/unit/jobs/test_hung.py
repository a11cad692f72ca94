"""A call to a device that does not return: its thread is given up; it does nothing more when it is back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from taxagent.jobs.asks import DeviceView
from taxagent.jobs.fence import Command
from taxagent.jobs.view_book import STALE_MS
from taxagent.model.device import DeviceInfo
from taxagent.model.errors import AnswerLost
from taxagent.model.events import AnyEvent, DeviceFreed, DeviceHung, DeviceQuarantined, TokenIssued
from taxagent.model.job import JobKind, JobState, Outcome, WaitReason
from taxagent.model.simtime import local_time
from taxagent.procedures.work import Work
from tests.builders.hanging import HangingDevice, given_up, hanging, stuck_in_next
from tests.builders.jobs import BASELINE, DEVICE_NO, PASSWORD, SEAL, SHOP, FakeDevice, House, settled

OTHER = "661234567891"


def plugged(house: House, location: str = "1-1") -> HangingDevice:
    device = HangingDevice()
    house.plug(location, device)
    return device


def view(house: House, device_no: str = DEVICE_NO) -> DeviceView:
    found = house.roster.view(device_no)
    assert found is not None
    return found


def fault(house: House, device_no: str = DEVICE_NO) -> str:
    problem = view(house, device_no).problem
    return problem.fault if problem is not None else ""


def rows(house: House, *kinds: type[AnyEvent]) -> list[AnyEvent]:
    return [row for row in house.journal.rows if isinstance(row, kinds)]


def sealed_then_hangs(work: Work) -> None:
    """Begin the seal, and hang in what is asked of the device next."""
    work.ledger.begin_irreversible(SEAL, BASELINE)
    work.device.clock()
    work.device.clock()
    work.ledger.end(SEAL, Outcome.EXECUTED)


def a_job_that_hangs(house: House) -> tuple[str, HangingDevice, Any]:
    device = plugged(house)
    house.procedure.script.append(sealed_then_hangs)
    answers: list[Any] = []
    house.desk.accept(SHOP, house.ask(), answers.append)
    house.loop()
    house.loop()
    stuck = stuck_in_next(house, device)
    return answers[0].job.job_id, device, stuck


def test_a_device_that_hangs_is_shown_journaled_and_used_no_more() -> None:
    house = House()
    device = plugged(house)
    stuck = hanging(house, device)
    house.pass_time(80_000)
    assert fault(house) == "DEVICE_SILENT"
    house.pass_time(20_000)
    assert fault(house) == "DEVICE_HUNG"
    assert house.roster.queue_of(DEVICE_NO) is None
    assert house.roster.given_up == 1
    (row,) = rows(house, DeviceHung)
    assert isinstance(row, DeviceHung)
    assert (row.location, row.command, row.limit_s) == ("1-1", "clock", 90)
    stuck.comes_back()
    house.settle()
    assert (fault(house), house.roster.given_up) == ("", 0)
    assert rows(house, DeviceHung, DeviceFreed) == [row]


def test_nothing_is_watched_where_nothing_runs() -> None:
    house = House()
    plugged(house)
    house.pass_time(10_000)
    assert len(house.timers) == 1


def test_the_job_in_its_step_is_unknown_and_its_thread_does_and_journals_nothing_more() -> None:
    house = House()
    job_id, device, stuck = a_job_that_hangs(house)
    given_up(house)
    job = house.job(job_id)
    assert job.state is JobState.UNKNOWN
    assert job.problem is not None
    assert (job.problem.fault, job.problem.outcome) == ("DEVICE_HUNG", Outcome.UNKNOWN)
    count, reads = len(house.journal.rows), device.reads
    house.pass_time(600_000)
    assert house.job(job_id).state is JobState.UNKNOWN
    device.hangs = False
    stuck.comes_back()
    assert len(house.journal.rows) == count
    assert device.reads == reads + 1  # the one that it was in; the second was not made
    house.procedure.script.append(settled)
    house.settle()
    assert house.job(job_id).state is JobState.DONE  # a thread of its own has read the device afresh


def test_a_job_without_an_open_step_waits_for_the_device() -> None:
    house = House()
    device = plugged(house)
    house.procedure.script.append(lambda work: void(work.device.clock()))
    answers: list[Any] = []
    house.desk.accept(SHOP, house.ask(kind=JobKind.CHECK), answers.append)
    house.loop()
    house.loop()
    stuck = stuck_in_next(house, device)
    given_up(house)
    job = house.job(answers[0].job.job_id)
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault) == (WaitReason.DEVICE, "DEVICE_HUNG")
    assert job.outcome is Outcome.NOT_EXECUTED
    stuck.comes_back()


def void(_: object) -> None:
    """A deed returns nothing."""


def test_replugged_it_is_taken_afresh_and_the_unknown_job_is_read() -> None:
    house = House()
    job_id, device, _ = a_job_that_hangs(house)
    given_up(house)
    house.unplug()
    device.hangs = False
    house.procedure.script.append(settled)
    house.plug("1-1#9", device)
    assert house.job(job_id).state is JobState.DONE
    assert fault(house) == ""
    (row,) = rows(house, DeviceFreed)
    assert isinstance(row, DeviceFreed)
    assert row.how == "replugged"
    assert house.roster.standings.of(DEVICE_NO).hung == 0


def test_the_other_devices_go_on() -> None:
    house = House()
    house.secrets[f"device-{OTHER}"] = PASSWORD
    stuck = hanging(house, plugged(house))
    other = house.plug("1-2", FakeDevice(OTHER))
    given_up(house)
    reads = other.reads
    house.roster.renew("1-2")
    house.settle()
    assert other.reads == reads + 1
    assert fault(house, OTHER) == ""
    stuck.comes_back()


def test_who_asked_for_what_was_queued_behind_it_is_told() -> None:
    house = House()
    stuck = hanging(house, plugged(house))
    answers: list[Any] = []
    house.desk.prepare(SHOP, house.ask(), answers.append)
    given_up(house)
    assert [(answer.fault, answer.outcome) for answer in answers] == [("DEVICE_HUNG", Outcome.NOT_EXECUTED)]
    stuck.comes_back()


def test_who_asked_for_what_hangs_is_told_once() -> None:
    house = House()
    device = plugged(house)
    answers: list[Any] = []
    house.desk.prepare(SHOP, house.ask(ttl_ms=600_000), answers.append)
    stuck = stuck_in_next(house, device)
    given_up(house)
    stuck.comes_back()
    house.settle()
    assert [(answer.fault, answer.outcome) for answer in answers] == [("DEVICE_HUNG", Outcome.NOT_EXECUTED)]


@pytest.mark.parametrize("kind", [JobKind.CHECK, JobKind.SETTLE])
def test_work_that_is_asked_for_later_waits_for_it(kind: JobKind) -> None:
    house = House()
    stuck = hanging(house, plugged(house))
    given_up(house)
    job = house.job(house.accepted(kind=kind))
    assert job.wait is not None
    assert (job.wait.reason, job.wait.fault) == (WaitReason.DEVICE, "DEVICE_HUNG")
    stuck.comes_back()


def test_one_that_hung_at_its_first_word_has_no_number_and_is_shown_all_the_same() -> None:
    house = House()
    device = HangingDevice(hangs=True)
    house.source.plugged["1-1"] = device
    house.mailbox.post(lambda: house.roster.changed(house.source.seen()))
    house.loop()
    stuck = stuck_in_next(house, device)
    given_up(house)
    (shown,) = house.roster.views()
    assert shown.problem is not None
    assert (shown.location, shown.device_no, shown.problem.fault) == ("1-1", "", "DEVICE_HUNG")
    stuck.comes_back()


def hung_twice(house: House) -> HangingDevice:
    """The agent was started anew after the first time, at the same plugging."""
    device = plugged(house)
    for _ in range(2):
        hanging(house, device)
        given_up(house)
        device.hangs = False
        house.restart()
        house.bus_changed()
    return device


def test_a_device_that_hung_twice_at_one_plugging_is_left_alone_after_a_restart_too() -> None:
    house = House()
    device = hung_twice(house)
    assert len(rows(house, DeviceHung)) == 2
    assert len(rows(house, DeviceQuarantined)) == 1
    assert fault(house) == "DEVICE_QUARANTINED"
    reads, passwords = device.reads, list(device.passwords_tried)
    house.pass_time(3_600_000)
    house.restart()
    house.bus_changed()
    assert (device.reads, device.passwords_tried) == (reads, passwords)
    assert fault(house) == "DEVICE_QUARANTINED"


def test_a_quarantined_device_is_used_again_once_it_is_plugged_in_anew() -> None:
    house = House()
    device = hung_twice(house)
    house.unplug()
    house.plug("1-1#9", device)
    assert fault(house) == ""
    assert house.roster.standings.of(DEVICE_NO).quarantined is False


def test_a_thread_that_comes_back_in_time_is_not_given_up() -> None:
    house = House()
    device = plugged(house)
    stuck = hanging(house, device)
    house.pass_time(80_000)
    stuck.comes_back()
    house.pass_time(100_000)
    assert fault(house) == ""
    assert rows(house, DeviceHung) == []


def test_the_end_of_the_agent_does_not_wait_for_a_thread_that_was_given_up() -> None:
    house = House()
    stuck = hanging(house, plugged(house))
    given_up(house)
    assert house.roster.close(0)
    stuck.comes_back()


def test_a_device_whose_claim_came_through_after_all_is_given_back() -> None:
    house = House()
    device = plugged(house)
    device.hangs_in = "claim"
    stuck = hanging(house, device)
    given_up(house)
    assert fault(house) == "DEVICE_HUNG"
    assert house.source.held == set()
    stuck.comes_back()
    assert house.source.held == set()
    house.settle()
    assert fault(house) == ""


class HangsWhereItCloses(HangingDevice):
    """Its reads return; it hangs in `close`."""

    def clock(self) -> dt.datetime:
        return FakeDevice.clock(self)

    def close(self) -> None:
        if self.hangs:
            self.entered.release()
            assert self.come_back.wait(20)
        super().close()


@pytest.mark.parametrize("replugged", [True, False])
def test_a_prepare_that_hung_where_it_closed_gives_no_token_and_shows_nothing_when_it_is_back(
    replugged: bool,
) -> None:
    house, device = House(), HangsWhereItCloses()
    house.plug("1-1", device)
    answers: list[Any] = []
    house.desk.prepare(SHOP, house.ask(ttl_ms=3_600_000), answers.append)
    house.loop()
    stuck = stuck_in_next(house, device)
    given_up(house)
    assert [answer.fault for answer in answers] == ["DEVICE_HUNG"]
    if replugged:
        house.unplug("1-1")
        house.plug("1-1", FakeDevice())
        house.pass_time(30 * 60_000)
    shown = view(house)
    stuck.comes_back()
    house.loop()
    assert rows(house, TokenIssued) == []
    assert view(house).as_of_ms == shown.as_of_ms
    assert len(answers) == 1


def test_a_new_plugging_counts_also_where_the_first_reading_there_fails_after_the_greeting() -> None:
    house = House()
    device = plugged(house)
    stuck = hanging(house, device)
    given_up(house)
    stuck.comes_back()
    house.settle()
    house.unplug()
    again = HangingDevice()
    well = again.info

    def lost() -> DeviceInfo:
        raise AnswerLost("ANSWER_LOST")

    again.info = lost  # type: ignore[method-assign]
    house.plug("1-2", again)
    again.info = well  # type: ignore[method-assign]
    (freed,) = rows(house, DeviceFreed)
    assert isinstance(freed, DeviceFreed)
    assert freed.how == "replugged"
    house.pass_time(60_000)
    assert fault(house) == ""
    stuck = hanging(house, again, "1-2")
    given_up(house)
    assert fault(house) == "DEVICE_HUNG"
    assert rows(house, DeviceQuarantined) == []
    stuck.comes_back()


def test_a_reading_that_fails_time_after_time_frees_a_device_once() -> None:
    house = House()
    device = plugged(house)
    stuck = hanging(house, device)
    given_up(house)
    stuck.comes_back()
    house.settle()
    house.unplug()
    house.secrets.clear()
    house.plug("1-2")
    house.pass_time(3 * STALE_MS)
    assert len(rows(house, DeviceFreed)) == 1


def test_a_good_password_whose_refusal_never_came_back_is_not_tried_again() -> None:
    """It was changed at the device; the try was counted; and then the call did not return in time."""
    house = House()
    device = plugged(house)
    tried = len(device.passwords_tried)
    device.password = "changed"
    device.hangs_in = "open"
    stuck = hanging(house, device)
    house.pass_time(200_000)
    assert fault(house) == "DEVICE_HUNG"
    stuck.comes_back()
    house.settle()
    assert fault(house) == "PASSWORD_LATCHED"
    house.pass_time(3_600_000)
    assert (len(device.passwords_tried), device.tries_left) == (tried + 1, 4)


def test_a_good_password_whose_acceptance_never_came_back_is_used_on() -> None:
    house = House()
    device = plugged(house)
    device.hangs_in = "open"
    stuck = hanging(house, device)
    house.pass_time(200_000)
    assert fault(house) == "DEVICE_HUNG"
    stuck.comes_back()
    house.settle()
    assert fault(house) == ""


def test_a_good_password_is_used_on_although_someone_else_mistyped() -> None:
    house = House()
    device = plugged(house)
    device.tries_left = 3
    house.roster.renew("1-1")
    house.settle()
    assert fault(house) == ""


def test_a_device_that_leaves_a_command_unanswered_is_shown_so_long_before_its_thread_is_given_up() -> None:
    house = House()
    device = plugged(house)
    stuck = hanging(house, device)
    house.pass_time(5_000)
    assert fault(house) == ""
    begun = local_time(house.clock.now_ms - 5_000).strftime("%H:%M:%S")
    before = house.desk.status()
    house.pass_time(10_000)
    problem = view(house).problem
    assert problem is not None
    assert (problem.fault, problem.detail["since"], problem.detail["limit"]) == (
        "DEVICE_SILENT",
        begun,
        "90 s",
    )
    (shown,) = house.desk.status().devices
    assert (before.devices[0].problem, shown.problem) == (None, problem)
    stuck.comes_back()
    house.pass_time(5_000)
    assert fault(house) == ""
    assert house.desk.status().devices[0].problem is None


def test_a_device_that_is_silent_before_it_has_said_who_it_is_is_shown_at_its_place() -> None:
    house = House()
    device = HangingDevice()
    device.hangs_in = "claim"
    house.source.plugged["1-1"] = device
    seen = house.source.seen()
    house.mailbox.post(lambda: house.roster.changed(seen))
    house.loop()
    stuck = stuck_in_next(house, device)
    house.pass_time(15_000)
    (shown,) = house.desk.status().devices
    assert shown.problem is not None
    assert (shown.location, shown.device_no, shown.problem.fault) == ("1-1", "", "DEVICE_SILENT")
    stuck.comes_back()


@pytest.mark.parametrize(("name", "usual_s"), [("hello", 9), ("seal", 29), ("apply_ticket", 29)])
def test_what_writes_may_take_longer_before_it_is_called_silence(name: str, usual_s: int) -> None:
    command = Command(name=name, limit_s=150, late_at=250)
    assert command.unanswered_s(100 + usual_s) is None
    assert command.unanswered_s(101 + usual_s) == usual_s + 1
