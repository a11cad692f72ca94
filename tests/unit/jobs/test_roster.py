"""What is plugged, who can be read, and how old what is known of a device is."""

from __future__ import annotations

import msgspec
import pytest

from taxagent.jobs.asks import DeviceView
from taxagent.model.errors import AnswerLost, DeviceAbsent, DeviceInUse
from taxagent.model.job import JobKind
from taxagent.model.usb import Recognised, SeenDevice
from tests.builders.jobs import DEVICE_NO, PASSWORD, FakeDevice, House

MINUTE = 60_000
OTHER = "661234567891"


def view(house: House, device_no: str = DEVICE_NO) -> DeviceView:
    found = house.roster.view(device_no)
    assert found is not None
    return found


def fault(house: House, device_no: str = DEVICE_NO) -> str:
    problem = view(house, device_no).problem
    return problem.fault if problem is not None else ""


def test_a_plugged_device_is_identified_and_read() -> None:
    house = House()
    house.plug()
    seen = view(house)
    assert (seen.location, seen.stale, seen.problem) == ("1-1", False, None)
    assert seen.types[0].periods == (("2026-10", "report_due"),)


def test_only_devices_of_the_profile_are_opened() -> None:
    house = House()
    thing = SeenDevice(location="1-9", vendor_id=1, product_id=2, recognised=Recognised.VENDOR, name="x")
    house.roster.changed((thing,))
    house.settle()
    assert house.source.queues == []
    assert house.roster.seen == (thing,)


def test_a_device_that_is_unplugged_is_away_and_its_view_is_stale() -> None:
    house = House()
    house.plug()
    house.unplug()
    assert (view(house).location, view(house).stale) == ("", True)
    assert house.roster.queue_of(DEVICE_NO) is None


def test_a_device_that_is_replugged_elsewhere_is_the_same_device() -> None:
    house = House()
    device = house.plug("1-1")
    house.unplug("1-1")
    house.plug("2-4", device)
    assert [(each.device_no, each.location) for each in house.roster.views()] == [(DEVICE_NO, "2-4")]


def test_a_view_ages_to_stale() -> None:
    house = House()
    house.plug()
    house.clock.now_ms += 15 * MINUTE
    assert not view(house).stale
    house.clock.now_ms += 1
    assert view(house).stale


def test_a_free_device_is_read_again_every_quarter_of_an_hour() -> None:
    house = House()
    device = house.plug()
    house.pass_time(46 * MINUTE)
    assert device.reads == 4
    assert not view(house).stale


def test_a_device_that_is_in_use_says_by_whom_and_is_looked_at_again() -> None:
    house = House()
    house.source.refuses = DeviceInUse("DEVICE_IN_USE", location="1-1", holder="invoicing.exe")
    house.plug()
    (shown,) = house.roster.views()
    assert (shown.held_by, shown.location, shown.device_no) == ("invoicing.exe", "1-1", "")
    house.source.refuses = None
    house.pass_time(30_000)
    assert [(each.device_no, each.held_by) for each in house.roster.views()] == [(DEVICE_NO, "")]


def test_a_device_that_is_held_all_day_is_looked_at_every_half_minute_and_no_more() -> None:
    house = House()
    device = house.plug()
    house.source.refuses = DeviceInUse("DEVICE_IN_USE", location="1-1", holder="x")
    house.pass_time(8 * 60 * MINUTE + 10_000)  # past the last look whether its thread hangs
    assert fault(house) == "DEVICE_IN_USE"
    assert len(house.timers) == 2
    house.source.refuses = None
    reads = device.reads
    house.pass_time(MINUTE)
    assert device.reads == reads + 1


def test_a_problem_does_not_make_an_old_reading_young() -> None:
    house = House()
    device = house.plug()
    device.fails = AnswerLost("ANSWER_LOST")
    house.pass_time(16 * MINUTE)
    assert fault(house) == "ANSWER_LOST"
    assert view(house).state is not None
    assert view(house).stale


@pytest.mark.parametrize("error", [AnswerLost("ANSWER_LOST"), DeviceAbsent("DEVICE_MUTE", what="silent")])
def test_what_passes_is_tried_again(error: Exception) -> None:
    house = House()
    device = FakeDevice(fails=error)
    house.plug("1-1", device)
    assert fault(house) == getattr(error, "fault", None)
    device.fails = None
    house.pass_time(30_000)
    assert fault(house) == ""


def test_looks_that_fail_the_same_way_are_no_news() -> None:
    house = House()
    house.secrets.clear()
    house.plug()
    house.roster.renew("1-1")
    house.settle()
    assert house.identified == [DEVICE_NO]
    house.secrets[f"device-{DEVICE_NO}"] = PASSWORD
    house.roster.renew("1-1")
    house.settle()
    assert house.identified == [DEVICE_NO, DEVICE_NO]


def test_a_refused_password_is_never_tried_again_by_itself() -> None:
    house = House()
    device = FakeDevice(password="something else")
    house.plug("1-1", device)
    assert fault(house) == "PASSWORD_WRONG"
    assert not device.session_open
    house.pass_time(60 * MINUTE)
    house.unplug("1-1")
    house.plug("1-2", device)
    house.restart()
    house.bus_changed()
    assert fault(house) == "PASSWORD_LATCHED"
    assert device.passwords_tried == [PASSWORD]


def test_a_device_without_a_password_has_its_number_all_the_same() -> None:
    house = House()
    house.secrets.clear()
    house.plug()
    assert fault(house) == "PASSWORD_MISSING"


def test_a_device_that_at_first_could_not_be_had_gets_its_number_when_it_says_it() -> None:
    house = House()
    house.secrets.clear()
    house.source.refuses = DeviceInUse("DEVICE_IN_USE", location="1-1", holder="x")
    house.plug()
    house.source.refuses = None
    house.pass_time(30_000)
    assert [(each.device_no, each.location) for each in house.roster.views()] == [(DEVICE_NO, "1-1")]
    assert fault(house) == "PASSWORD_MISSING"


def test_under_a_simulated_clock_a_real_device_is_refused_before_it_is_opened() -> None:
    house = House(simulation=True)
    device = house.plug("1-1", FakeDevice(simulated=False))
    assert fault(house) == "SIMULATION_REAL_DEVICE"
    assert device.passwords_tried == []


def test_a_reading_that_was_queued_when_the_device_went_leaves_no_ghost() -> None:
    house = House()
    house.source.plugged["1-1"] = FakeDevice()
    house.mailbox.post(lambda: house.roster.changed(house.source.seen()))
    house.loop()
    house.unplug()
    assert house.roster.views() == ()


def test_a_reading_that_ends_after_the_device_went_does_not_plug_it_in() -> None:
    house = House()
    house.plug()
    state = view(house).state
    assert state is not None
    house.unplug()
    house.roster.took("1-1", state)
    assert (view(house).location, view(house).stale) == ("", True)


def test_two_devices_are_told_apart() -> None:
    house = House()
    house.secrets[f"device-{OTHER}"] = PASSWORD
    house.plug("1-1")
    house.plug("1-2", FakeDevice(OTHER))
    house.unplug("1-1")
    assert [(each.device_no, each.location) for each in house.roster.views()] == [
        (DEVICE_NO, ""),
        (OTHER, "1-2"),
    ]


def test_after_the_close_no_device_gets_a_queue() -> None:
    house = House()
    house.plug("1-1")
    assert house.roster.close(0)
    house.plug("1-2", FakeDevice(OTHER))
    assert len(house.source.queues) == 1


def blanks(house: House) -> int | None:
    state = view(house).state
    assert state is not None
    return sum(numbers.count for each in state.stock for numbers in each.ranges) if state.stock else None


def test_a_snapshot_knows_how_many_blank_invoices_are_left() -> None:
    house = House()
    house.plug(device=FakeDevice(blanks=7))
    assert blanks(house) == 7


def test_a_type_of_which_the_device_knows_no_stock_is_left_out() -> None:
    house = House()
    house.plug(device=FakeDevice(blanks=None))
    assert (blanks(house), view(house).problem) == (None, None)


def test_a_jobs_reading_keeps_the_stock_that_was_known() -> None:
    house = House()
    house.plug(device=FakeDevice(blanks=7))
    state = view(house).state
    assert state is not None
    house.roster.took("1-1", msgspec.structs.replace(state, stock=None))
    assert blanks(house) == 7


def test_a_password_that_is_given_meanwhile_is_used_soon_after_somebody_looks() -> None:
    house = House()
    house.secrets.clear()
    house.plug()
    assert fault(house) == "PASSWORD_MISSING"
    house.secrets[f"device-{DEVICE_NO}"] = PASSWORD
    house.clock.now_ms += 1_000
    house.desk.status()
    house.settle()
    assert fault(house) == ""


def test_a_device_without_a_password_is_not_read_again_however_often_somebody_looks() -> None:
    house = House()
    house.secrets.clear()
    device = house.plug()
    for _ in range(10):
        house.clock.now_ms += 1_000
        house.desk.status()
        house.settle()
    assert (device.passwords_tried, house.identified) == ([], [DEVICE_NO])


def test_a_reading_is_shown_as_old_as_it_is_and_not_over_a_newer_one() -> None:
    house = House()
    house.plug()
    first = view(house)
    assert first.state is not None
    house.clock.now_ms += 60_000
    house.roster.took("1-1", first.state, first.as_of_ms + 1000)
    assert view(house).as_of_ms == first.as_of_ms + 1000
    house.roster.took("1-1", first.state, first.as_of_ms)
    assert view(house).as_of_ms == first.as_of_ms + 1000


def test_a_reading_of_a_clock_that_was_set_back_is_shown() -> None:
    house = House()
    house.plug()
    first = view(house)
    assert first.state is not None
    house.clock.now_ms -= 3_600_000
    house.roster.took("1-1", first.state, house.clock.now_ms)
    assert view(house).as_of_ms == house.clock.now_ms


def test_a_device_that_did_not_answer_a_job_is_shown_so_at_once_and_until_it_answers() -> None:
    house = House()
    house.plug()
    house.source.refuses = DeviceAbsent("DEVICE_MUTE", location="1-1", what="setup_unanswered")
    job_id = house.accepted(kind=JobKind.CHECK)
    wait = house.job(job_id).wait
    assert wait is not None
    assert wait.fault == "DEVICE_MUTE"
    found = house.roster.view(DEVICE_NO)
    assert found is not None
    assert found.problem is not None
    assert (found.problem.fault, found.problem.detail["what"]) == ("DEVICE_MUTE", "setup_unanswered")
    rows = len(house.journal.rows)
    house.pass_time(300_000)
    assert len(house.journal.rows) - rows <= 2 * 6  # a try a minute, not one after each look
    house.source.refuses = None
    house.pass_time(60_000)
    found = house.roster.view(DEVICE_NO)
    assert found is not None
    assert found.problem is None
