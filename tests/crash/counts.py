"""What the parts of a campaign counted, added up; its last line is one JSON object."""

from __future__ import annotations

import json

from taxagent.model.value import Value


class Counts(Value, frozen=True, kw_only=True):
    """Each part reports its own; parts are added.

    `worlds` that were run to their end and judged, `distinct` durable states among those that deaths left,
    `crash_points` at which an agent was thought dead or a fault struck, `random` worlds of a seed, `kills` of
    real processes, `torn` states of a disk after a power cut, `violations` of any rule.
    """

    worlds: int = 0
    distinct: int = 0
    crash_points: int = 0
    random: int = 0
    kills: int = 0
    torn: int = 0
    violations: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    def line(self) -> str:
        """Return the campaign's last line."""
        return json.dumps({name: getattr(self, name) for name in self.__struct_fields__})
