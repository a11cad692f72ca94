"""A sleep is noticed once, and by what the clocks say of it."""

from __future__ import annotations

from collections.abc import Callable

from taxagent.host.clock import HostClock
from taxagent.host.waking import LOOK_MS, Waking


class Machine:
    """Seconds slept so far, and timers by hand."""

    def __init__(self, slept: float = 100.0) -> None:
        self.slept = slept
        self.timers: list[tuple[int, Callable[[], None]]] = []
        self.woke = 0
        self.waking = Waking(
            lambda: self.slept, later=lambda ms, call: self.timers.append((ms, call)), woke=self._woke
        )

    def _woke(self) -> None:
        self.woke += 1


def test_each_sleep_is_noticed_once_and_those_before_the_start_are_not() -> None:
    machine = Machine()
    machine.waking.start()
    assert (machine.woke, [ms for ms, _ in machine.timers]) == (0, [LOOK_MS])
    machine.slept += 3600
    machine.timers.pop()[1]()
    assert machine.woke == 1
    machine.timers.pop()[1]()
    assert machine.woke == 1


def test_a_bus_that_changed_is_an_occasion_to_look() -> None:
    machine = Machine()
    machine.slept += 60
    machine.waking.look()
    assert machine.woke == 1


def test_clocks_that_are_read_one_after_the_other_are_no_sleep() -> None:
    machine = Machine()
    machine.slept += 0.01
    machine.waking.look()
    assert machine.woke == 0


def test_the_machine_has_slept_no_less_than_not_at_all() -> None:
    assert HostClock().asleep_s() > -1.0
