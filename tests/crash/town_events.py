"""What happens in a town between two steps: cables, clocks, people, and other programs at the devices."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.builders.scenario import PASSWORD
from tests.crash.stranger import Stranger
from tests.crash.town_ports import Line, Weather

if TYPE_CHECKING:
    from taxagent.simulator.device import VirtualDevice
    from tests.crash.town import Town

_NIGHT, _FORTNIGHT = 36_000, 86_400 * 14


class Happenings:
    """Everything that the agent has no say in."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._draw = town.draw
        self._place = 0
        self._all = (
            self.unplugged,
            self.replugged,
            self.replugged,
            self.power_cycled,
            self.returns_filed,
            self.time_jumped,
            self.host_clock_set,
            self.device_clock_set,
            self.password_given,
            self.stranger_came,
        )

    def one(self) -> None:
        """Let one of them happen."""
        event = self._draw.choice(self._all)
        self._town.say(f"{self._town.steps:6} *** {event.__name__.replace('_', ' ')}")
        event()

    def unplugged(self) -> None:
        """A device is pulled out."""
        bus = self._town.source
        if bus.plugged:
            del bus.plugged[self._draw.choice(sorted(bus.plugged))]
            self._town.agent.bus_changed()

    def replugged(self) -> None:
        """What is out is plugged in, somewhere else."""
        bus = self._town.source
        for number in sorted(set(bus.devices) - set(bus.plugged.values())):
            bus.devices[number].close()
            self._place += 1
            bus.plugged[f"2-{self._place}"] = number
        self._town.agent.bus_changed()

    def replugged_everywhere(self) -> None:
        """Every device is pulled out and plugged in."""
        self._town.source.plugged.clear()
        self.replugged()

    def power_cycled(self) -> None:
        """A device forgets its session."""
        self._some_device().close()

    def returns_filed(self) -> None:
        """The returns are filed, of those taxpayers whose machines have all reported."""
        for described in self._town.scenarios:
            for month in self._town.months:
                with suppress(ValueError):
                    self._town.virtual_bureau.file_return(described.taxpayer_id, month)

    def password_given(self) -> None:
        """A person gives a device's right password (anew)."""
        self._town.secrets.give(self._some_device().scenario.device_no, PASSWORD)

    def time_jumped(self) -> None:
        """The machine slept: minutes, a night, a day, or over the month's end."""
        if not self.at_work():
            self._town.true.jump(self._draw.choice((600, _NIGHT, 86_400, _FORTNIGHT)))

    def host_clock_set(self) -> None:
        """The machine's clock is set, rightly or wrongly."""
        if not self.at_work():
            self._town.clock.error = dt.timedelta(hours=self._draw.choice((0, 0, 1, -1, 13, -13)))

    def device_clock_set(self) -> None:
        """A device's clock is right, or wrong."""
        if not self.at_work():
            error = dt.timedelta(hours=self._draw.choice((0, 0, 1, -1, 13)))
            self._some_device().kept.set_clock(self._town.true.now + error)

    def stranger_came(self) -> None:
        """Another program seals a month, or settles them all."""
        town, device = self._town, self._some_device()
        line = Line(town.clock, Weather(self._draw), lambda: town.virtual_bureau)
        stranger = Stranger(device, line.client, town.months, town.folder)
        if self._draw.randrange(3):
            stranger.seals()
        else:
            stranger.clears()

    def _some_device(self) -> VirtualDevice:
        return self._town.source.devices[self._draw.choice(self._town.scenarios).device_no]

    def at_work(self) -> bool:
        """Whether a device's thread may stand between its last look and a write: no clock jumps there."""
        return any(actor.working for actor in self._town.agent.devices())
