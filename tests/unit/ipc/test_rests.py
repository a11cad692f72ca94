"""A flooded event channel rests longer after each flood, and is forgiven after an hour without one."""

from __future__ import annotations

from taxagent.ipc.rests import Rests


def test_each_flood_costs_a_longer_rest_up_to_sixteen_minutes() -> None:
    rests, now, took = Rests(), 1000.0, []
    for _ in range(6):
        took.append(rests.shut_at(now))
        now += took[-1] + 1
    assert took == [60, 120, 240, 480, 960, 960]


def test_an_hour_without_a_flood_forgives() -> None:
    rests = Rests()
    assert [rests.shut_at(0.0), rests.shut_at(61.0)] == [60, 120]
    assert rests.shut_at(61 + 120 + 3601) == 60
