"""Another device where one hung or was released: after a power off the bus counts its places anew."""

from __future__ import annotations

from typing import Any

import pytest

from taxagent.jobs.asks import DeviceOrder, DeviceView, Ordered
from taxagent.jobs.standings import Standings
from taxagent.model.errors import AgentError
from taxagent.model.events import DeviceFreed, DeviceHung
from tests.builders.hanging import HangingDevice, given_up, hanging, stuck_in_next
from tests.builders.jobs import DEVICE_NO, PASSWORD, SHOP, FakeClock, FakeDevice, House

B = "661234567891"


def released(house: House) -> None:
    answers: list[Ordered | AgentError] = []
    ask = DeviceOrder(
        what="release",
        device_no=DEVICE_NO,
        key="order-release-0001",
        request_sha256="release",
        sent_at_ms=house.clock.now_ms,
        ttl_ms=10_000,
    )
    house.desk.order(SHOP, ask, answers.append)
    house.settle()
    assert isinstance(answers[0], Ordered)


def quarantined(house: House) -> HangingDevice:
    device = HangingDevice()
    house.plug("1-1", device)
    for _ in range(2):
        device.come_back.clear()
        hang_once(house, device)
    assert fault(house) == "DEVICE_QUARANTINED"
    return device


def hang_once(house: House, device: HangingDevice) -> None:
    stuck = hanging(house, device)
    given_up(house)
    house.settle()
    stuck.comes_back()
    house.settle()


def view(house: House, device_no: str = DEVICE_NO) -> DeviceView:
    found = house.roster.view(device_no)
    assert found is not None
    return found


def fault(house: House, device_no: str = DEVICE_NO) -> str:
    problem = view(house, device_no).problem
    return problem.fault if problem is not None else ""


def at_the_old_place(house: House, boot: str) -> FakeDevice:
    """Power off; B goes into the port of A; power on, and the bus counts its places from the beginning."""
    house.secrets[f"device-{B}"] = PASSWORD
    house.source.plugged.clear()
    house.source.boot = boot
    house.restart()
    return house.plug("1-1", FakeDevice(B))


@pytest.mark.parametrize("boot", ["boot-2", ""])
def test_another_device_at_the_place_of_a_released_one_is_greeted_and_used(boot: str) -> None:
    house = House()
    house.source.boot = boot and "boot-1"
    house.plug()
    released(house)
    at_the_old_place(house, boot)
    assert (fault(house, B), view(house, B).location) == ("", "1-1")
    assert house.roster.view(DEVICE_NO) is None
    house.unplug()
    house.plug("1-2")
    assert fault(house) == "DEVICE_RELEASED"


@pytest.mark.parametrize("boot", ["boot-2", ""])
def test_another_device_at_the_place_of_a_quarantined_one_is_greeted_and_used(boot: str) -> None:
    house = House()
    house.source.boot = boot and "boot-1"
    quarantined(house)
    at_the_old_place(house, boot)
    assert (fault(house, B), view(house, B).location) == ("", "1-1")
    assert house.roster.standings.of(DEVICE_NO).quarantined


def test_a_quarantined_device_is_not_touched_by_an_agent_that_starts_at_the_same_plugging() -> None:
    house = House()
    house.source.boot = "boot-1"
    device = quarantined(house)
    device.reads = 0
    house.restart()
    house.bus_changed()
    house.pass_time(3_600_000)
    assert (fault(house), device.reads) == ("DEVICE_QUARANTINED", 0)


def test_a_hang_without_a_greeting_after_a_power_off_is_not_held_against_who_was_there_before() -> None:
    house = House()
    device = HangingDevice()
    house.plug("1-1", device)
    hang_once(house, device)
    house.source.plugged.clear()
    house.source.boot = "boot-2"
    house.restart()
    other = HangingDevice(B)
    other.hangs_in = "claim"
    house.source.plugged["1-1"] = other
    seen = house.source.seen()
    house.mailbox.post(lambda: house.roster.changed(seen))
    house.loop()
    stuck = stuck_in_next(house, other)
    given_up(house)
    house.settle()
    assert house.roster.standings.of(DEVICE_NO).hung == 1
    assert not house.roster.standings.of(DEVICE_NO).quarantined
    stuck.comes_back()


def test_a_device_that_was_freed_does_not_hide_the_one_that_is_there_now() -> None:
    standings = Standings(FakeClock())
    facts: dict[str, Any] = {"location": "1-1", "arrival": "boot-1:1-1", "at_ms": 1, "sim_ms": None}
    standings.take(DeviceHung(device_no=DEVICE_NO, command="clock", limit_s=90, **facts))
    standings.take(DeviceFreed(device_no=DEVICE_NO, how="retry", at_ms=2, sim_ms=None))
    standings.take(DeviceHung(device_no=B, command="clock", limit_s=90, **facts))
    found = standings.at("boot-1:1-1")
    assert found is not None
    assert found.device_no == B
