"""How a simulated device behaves as hardware right now: what its scenario says, changed by orders and faults.

Knows no USB. Read by the threads of the connection and of the device, changed by the control connection.
"""

from __future__ import annotations

from taxagent.device.wire import BLOCK
from taxagent.simulator.scenario import AtStart, UsbScenario


class Quirks:
    """The manners of one device; `silent` and `hung` last until it loses power."""

    def __init__(self, scenario: UsbScenario) -> None:
        self.readable_strings = scenario.readable_strings
        self.empty_reads = scenario.empty_reads
        self.largest_read: int = scenario.largest_read
        self.silent = scenario.at_start is AtStart.SILENT
        self.hung = scenario.at_start is AtStart.HUNG

    def breaks_at(self, length: int) -> bool:
        """Return whether a read of that many bytes is too large for its buffer."""
        return self.largest_read < BLOCK and length > self.largest_read

    def power_cycled(self) -> None:
        """Come to itself again."""
        self.silent = False
        self.hung = False

    @property
    def state(self) -> str:
        """Return "working", "silent" or "hung"."""
        if self.hung:
            return AtStart.HUNG.value
        return AtStart.SILENT.value if self.silent else AtStart.WORKING.value
