"""A simulated device's meaning: its commands on model values, over a memory that is durable first.

Knows no frame and no USB. One thread at a time uses it, under `lock`.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from taxagent.device import refusals
from taxagent.device.refusals import Refused
from taxagent.model.device import SealOrder, WriteKind, WriteRecord
from taxagent.model.period import Period, first_day, last_day, period_of
from taxagent.simulator import rules
from taxagent.simulator.denial import Denied
from taxagent.simulator.kinds import first_unreported
from taxagent.simulator.monitor import exceeded
from taxagent.simulator.nonvolatile import Sent
from taxagent.simulator.readings import ReadableDevice, well_formed
from taxagent.simulator.sealing import Summary, sealed
from taxagent.simulator.state import GroupMemory, KeptSummary, Memory, with_summary

NOT_HASHED = "00" * 32  # a hash of two short secrets can be reversed


class VirtualDevice(ReadableDevice):
    """One device of any kind. Each write is remembered and logged before it is answered, refused or not."""

    def seal(self, order: SealOrder, sent: Sent) -> WriteRecord:
        """Close the oldest closed month of a group and keep its summary."""
        self._need_registered()

        def change() -> Memory:
            if self.quirks.seal_by_reading:
                raise Denied(refusals.NOT_THIS_KIND)
            return self._sealed(order)

        return self.kept.write(WriteKind.SEAL, sent, order.group, change)

    def reading_seals(self, group: str, month: Period) -> bool:
        """Return whether the reading of that summary is a seal, or the try of one."""
        standing = self.memory.group(group)
        if standing is None or not self.quirks.seal_by_reading:
            return False
        return last_day(month) >= first_unreported(standing.last_report, self.quirks)

    def seal_by_reading(self, group: str, month: Period, sent: Sent) -> bytes:
        """Seal a month for which `reading_seals`, and return its summary."""
        self._need_registered()

        def change() -> Memory:
            order = SealOrder(
                group=group,
                period_from=first_day(month),
                period_to=last_day(month),
                expected_last_report=self._group(group).last_report,
            )
            return self._sealed(order)

        self.kept.write(WriteKind.SEAL, sent, group, change)
        return self.read_summary(group, month)

    def apply_clock_ticket(self, ticket: bytes, sent: Sent) -> WriteRecord:
        """Take the clock ticket that lets a clear ticket in."""
        self._need_registered()

        def change() -> Memory:
            if not self.quirks.clock_ticket_first:
                raise Denied(refusals.NOT_THIS_KIND)
            return rules.after_clock_ticket(self.memory, ticket, self.now())

        return self.kept.write(WriteKind.CLOCK_TICKET, sent, "", change)

    def apply_ticket(self, ticket: bytes, expected_deadline: dt.date, sent: Sent) -> WriteRecord:
        """Clear: move the deadline of the ticket's group to the ticket's."""
        self._need_registered()

        def change() -> Memory:
            clear = rules.genuine_clear_ticket(ticket)
            now = self.now()
            pending = self._hindered(tuple(clear.group.split("+")), now)
            group = rules.after_clear(
                self.memory, clear, ticket, expected_deadline, now, self.quirks, pending=pending
            )
            return self.memory.with_group(group)

        return self.kept.write(WriteKind.APPLY_TICKET, sent, rules.group_of(ticket), change)

    def change_password(self, old: str, new: str, sent: Sent) -> WriteRecord:
        """Replace the password. A wrong old one costs a try, as in `open`."""
        self._need_open()

        def change() -> Memory:
            well_formed(new)
            self.kept.check_password(old)
            return msgspec.structs.replace(self.memory, password=new)

        unhashed = msgspec.structs.replace(sent, payload_sha256=NOT_HASHED)
        return self.kept.write(WriteKind.CHANGE_PASSWORD, unhashed, "", change)

    def refuse(self, kind: WriteKind | None, why: Refused, sent: Sent) -> None:
        """Refuse a command for a fault script, as if a rule had said no; a write is remembered as refused."""
        denied = Denied(why, tries_left=self.memory.tries_left)

        def change() -> Memory:
            raise denied

        if kind is not None:
            self.kept.write(kind, sent, "", change)
        raise denied

    # --- inside ---

    def _sealed(self, order: SealOrder) -> Memory:
        group, now = self._group(order.group), self.now()
        after = rules.after_seal(
            group,
            order,
            now,
            self.quirks,
            pending=self._hindered(group.types, now),
            settles_ms=self.scenario.settles_ms,
            certified=self.scenario.certificate_from <= now.date() <= self.scenario.certificate_to,
        )
        return with_summary(self.memory.with_group(after), self._summary(group, order, now))

    def _hindered(self, types: tuple[str, ...], now: dt.datetime) -> Refused | None:
        """Return the refusal where invoices of these types are not uploaded: which limit is exceeded."""
        for name in types:
            waiting = self._pending((name,), now)
            if waiting:
                kind = self._types.get(name)
                return exceeded(kind, waiting, now, self.scenario.kind) if kind else refusals.UPLOAD_PENDING
        return None

    def _summary(self, group: GroupMemory, order: SealOrder, now: dt.datetime) -> KeptSummary:
        month = period_of(order.period_to)
        summary = Summary(
            device_no=self.scenario.device_no,
            kind=self.scenario.kind,
            taxpayer_id=self.scenario.taxpayer_id,
            group=order.group,
            period=month,
            statistics=tuple(
                self._books.of(kind).statistics(order.period_from, order.period_to, now)
                for kind in group.types
            ),
        )
        return KeptSummary(group=order.group, period=month, summary=sealed(summary))
