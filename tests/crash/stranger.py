"""Another program at the same device: it seals, reports and clears between two of our calls.

What it wrote is noted beside the world, so that the judge takes it for nobody's lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taxagent.model.bureau import Report
from taxagent.model.errors import AgentError
from taxagent.model.period import Period
from taxagent.ports import Bureau
from taxagent.simulator.bureau_state import BureauStore
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.nonvolatile import Sent
from taxagent.simulator.state import read_log
from tests.builders.judge import STRANGERS
from tests.builders.scenario import seal_of, sent
from tests.crash.durable import TOLD


class Stranger:
    """Does as much as device and bureau let it; then the device has no session."""

    def __init__(
        self, device: VirtualDevice, gateway: Bureau, months: tuple[Period, ...], folder: Path
    ) -> None:
        self._device = device
        self._gateway = gateway
        self._months = months
        self._folder = folder

    def seals(self) -> None:
        """Seal the oldest month of the first group that is due."""
        with _Visit(self._device):
            for group, month in self._due():
                if self._seal(group, month):
                    return

    def clears(self) -> None:
        """Seal, report and clear all that is due."""
        with _Visit(self._device):
            for group, month in self._due():
                self._seal(group, month)
                self._report(group, month)
            for group in self._device.scenario.groups():
                self._clear(group, self._months[-1])

    def _due(self) -> Iterator[tuple[str, Period]]:
        for month in self._months:
            for group in self._device.scenario.groups():
                yield group, month

    def _seal(self, group: str, month: Period) -> bool:
        standing = self._device.memory.group(group)
        assert standing is not None
        try:
            if self._device.quirks.seal_by_reading:
                if not self._device.reading_seals(group, month):
                    return False
                self._device.seal_by_reading(group, month, self._sent())
            else:
                order = seal_of(month, group=group, expected=standing.last_report)
                self._device.seal(order, self._sent())
        except Denied:
            return False
        return True

    def _report(self, group: str, month: Period) -> None:
        try:
            summary = self._device.read_summary(group, month)
            number = self._device.scenario.device_no
            report = Report(
                device_no=number,
                taxpayer_id=self._device.scenario.taxpayer_id,
                group=group,
                period=month,
                summary=summary,
            )
            if self._gateway.get_report(number, group, month) is None:
                self._note(self._gateway.put_report(report).receipt_no)
        except (Denied, AgentError):
            return

    def _clear(self, group: str, month: Period) -> None:
        standing = self._device.memory.group(group)
        assert standing is not None
        try:
            number = self._device.scenario.device_no
            given = self._gateway.get_ticket(number, group, month)
            ticket = self._gateway.put_ticket(number, group, month)
            if given is None:
                self._note(ticket.ticket_no)
            if ticket.clock_ticket is not None:
                self._device.apply_clock_ticket(ticket.clock_ticket, self._sent())
            self._device.apply_ticket(ticket.clear_ticket, standing.invoicing_deadline, self._sent())
        except (Denied, AgentError):
            return

    def _sent(self) -> Sent:
        one = sent(1000 + self._device.memory.write_no)
        self._note(one.payload_sha256)
        return one

    def _note(self, text: str) -> None:
        with (self._folder / STRANGERS).open("a") as file:
            file.write(text + "\n")


class _Visit:
    """A session of the other program's."""

    def __init__(self, device: VirtualDevice) -> None:
        self._device = device

    def __enter__(self) -> None:
        self._device.hello()
        self._device.open(self._device.memory.password)

    def __exit__(self, *_: object) -> None:
        self._device.close()


def strangers_were(folder: Path) -> None:
    """The journal of a world is gone: what was done so far is a stranger's to the one that follows."""
    (folder / TOLD).unlink(missing_ok=True)
    writes = [line for path in sorted(folder.glob("device/*.writes.jsonl")) for line in read_log(path)]
    taken = [call.reference for call in BureauStore(folder / "bureau").logged() if call.reference]
    with (folder / STRANGERS).open("a") as file:
        for text in [*(line.write.payload_sha256 for line in writes), *taken]:
            file.write(text + "\n")
