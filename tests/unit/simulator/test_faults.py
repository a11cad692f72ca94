"""A fault strikes once, at the place it was ordered for; a hold stands until it is released or dropped."""

from __future__ import annotations

import threading

import pytest

from taxagent.simulator.faults import Act, Fault, FaultScript, Point, Turn
from tests.builders.scenario import DEVICE_NO


def fault(**changes: object) -> Fault:
    fields = {"device_no": DEVICE_NO, "command": "seal", "act": Act.LOSE}
    return Fault(**(fields | changes))  # type: ignore[arg-type]


def visit(script: FaultScript, command: str = "seal", point: Point = Point.BEFORE) -> Act | None:
    struck = script.at(DEVICE_NO, command, point, Turn())
    return struck.act if struck else None


def test_a_fault_strikes_its_command_at_its_point_and_only_once() -> None:
    heard: list[Fault] = []
    script = FaultScript(heard.append)
    number = script.arm(fault())
    assert visit(script, "clock") is None
    assert visit(script, point=Point.AFTER) is None
    assert script.at("661700000012", "seal", Point.BEFORE, Turn()) is None
    assert visit(script) is Act.LOSE
    assert visit(script) is None
    assert [f.fault_id for f in heard] == [number]


def test_a_fault_can_wait_for_the_nth_visit() -> None:
    script = FaultScript(lambda _: None)
    script.arm(fault(nth=3))
    assert [visit(script) for _ in range(4)] == [None, None, Act.LOSE, None]


def test_two_faults_at_one_place_strike_one_after_the_other() -> None:
    script = FaultScript(lambda _: None)
    script.arm(fault(act=Act.LOSE))
    script.arm(fault(act=Act.STALL))
    assert [visit(script) for _ in range(3)] == [Act.LOSE, Act.STALL, None]


def test_cleared_faults_do_not_strike() -> None:
    script = FaultScript(lambda _: None)
    script.arm(fault())
    script.clear()
    assert visit(script) is None


@pytest.mark.parametrize("way", ["release", "drop", "clear"])
def test_a_hold_ends_when_it_is_released_dropped_or_cleared(way: str) -> None:
    reached = threading.Event()
    script = FaultScript(lambda _: reached.set())
    number = script.arm(fault(act=Act.HOLD))
    turn = Turn()
    held = threading.Thread(target=script.at, args=(DEVICE_NO, "seal", Point.BEFORE, turn))
    held.start()
    assert reached.wait(10)
    if way == "release":
        assert script.release(number)
    elif way == "drop":
        turn.drop()
    else:
        script.clear()
    held.join(10)
    assert not held.is_alive()
    assert turn.dropped() is (way == "drop")
    assert not script.release(number)
