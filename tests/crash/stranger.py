"""Another program at the same device: it seals, reports and clears between two of our calls.

What it wrote is noted beside the world, so that the judge takes it for nobody's lie.
"""

from __future__ import annotations

from collections.abc import Iterator

from taxagent.device.refusals import Refused
from taxagent.model.bureau import Report
from taxagent.model.errors import AgentError
from taxagent.model.period import Period
from taxagent.simulator.denial import Denied
from taxagent.simulator.nonvolatile import Sent
from tests.builders.driven import DrivenBench
from tests.builders.judge import STRANGERS
from tests.builders.scenario import DEVICE_NO, TAXPAYER_ID, seal_of, sent

__all__ = ["Refused", "Stranger"]


class Stranger:
    """Does as much as device and bureau let it; then the device has no session."""

    def __init__(self, bench: DrivenBench) -> None:
        self._bench = bench
        self._device = bench.device
        self._gateway = bench.gateway()

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
            months = self._bench.job().scope.periods
            for group in self._bench.device.scenario.groups():
                self._clear(group, months[-1])

    def _due(self) -> Iterator[tuple[str, Period]]:
        for month in self._bench.job().scope.periods:
            for group in self._bench.device.scenario.groups():
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
            report = Report(
                device_no=DEVICE_NO, taxpayer_id=TAXPAYER_ID, group=group, period=month, summary=summary
            )
            if self._gateway.get_report(DEVICE_NO, group, month) is None:
                self._note(self._gateway.put_report(report).receipt_no)
        except (Denied, AgentError):
            return

    def _clear(self, group: str, month: Period) -> None:
        standing = self._device.memory.group(group)
        assert standing is not None
        try:
            ticket = self._gateway.put_ticket(DEVICE_NO, group, month)
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
        with (self._bench.folder / STRANGERS).open("a") as file:
            file.write(text + "\n")


class _Visit:
    """A session of the other program's."""

    def __init__(self, device: object) -> None:
        self._device = device

    def __enter__(self) -> None:
        device = self._device
        device.hello()  # type: ignore[attr-defined]
        device.open(device.memory.password)  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        self._device.close()  # type: ignore[attr-defined]
