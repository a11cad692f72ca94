"""ports.Device over a virtual device and ports.Bureau over any other, with every call passing a tap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import msgspec

from taxagent.device import commands as c
from taxagent.model.bureau import BureauStatus, Declaration, Receipt, Report, Ticket
from taxagent.model.device import (
    DeviceInfo,
    Hello,
    MonitorData,
    SealOrder,
    Statistics,
    Stock,
    WriteRecord,
)
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceAbsent,
    DeviceInUse,
    DeviceRefused,
    PasswordRefused,
)
from taxagent.model.invoice import Invoice
from taxagent.model.period import Period
from taxagent.ports import Bureau
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.nonvolatile import Sent

T = TypeVar("T")
_ALL = 1_000_000


class Passage(Protocol):
    """What the calls pass."""

    def call(self, name: str, work: Callable[[], T]) -> T: ...


class ModelDevice:
    """ports.Device without frames: what the driver does of a virtual device's values and refusals."""

    def __init__(self, device: VirtualDevice, tap: Passage, *, loses: str = "") -> None:
        self._device = device
        self._tap = tap
        self._loses = loses
        self._sequence = 0

    def hello(self) -> Hello:
        return self._asked("hello", self._device.hello)

    def open(self, password: str) -> None:
        self._asked("open", lambda: self._device.open(password))

    def close(self) -> None:
        self._asked("close", self._device.close)

    def info(self) -> DeviceInfo:
        return self._asked("info", self._device.info)

    def clock(self) -> dt.datetime:
        return self._asked("clock", self._device.clock)

    def monitor(self) -> tuple[MonitorData, ...]:
        return self._asked(
            "monitor", lambda: tuple(self._device.monitor(kind) for kind in self._device.types())
        )

    def stock(self, invoice_type: str) -> Stock:
        return self._asked("stock", lambda: self._device.stock(invoice_type))

    def statistics(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        return self._asked("statistics", lambda: self._device.statistics(invoice_type, day_from, day_to))

    def invoices(self, invoice_type: str, day_from: dt.date, day_to: dt.date) -> Iterator[Invoice]:
        page, _ = self._asked(
            "invoices", lambda: self._device.invoices(invoice_type, day_from, day_to, start=0, limit=_ALL)
        )
        return iter(page)

    def find_invoice(self, code: str, number: str) -> Invoice | None:
        return self._asked("find_invoice", lambda: self._device.find_invoice(code, number))

    def seal(self, order: SealOrder) -> None:
        self._asked("seal", lambda: self._device.seal(order, self._sent(self.seal_sha256(order))))

    def seal_sha256(self, order: SealOrder) -> str:
        return c.payload_sha256(c.SEAL.body(order))

    def read_summary(self, group: str, month: Period) -> bytes:
        return self._asked("read_summary", lambda: self._device.read_summary(group, month))

    def apply_clock_ticket(self, ticket: bytes) -> None:
        sha256 = self.clock_ticket_sha256(ticket)
        self._asked("clock_ticket", lambda: self._device.apply_clock_ticket(ticket, self._sent(sha256)))

    def apply_ticket(self, ticket: bytes, expected_deadline: dt.date) -> None:
        sha256 = self.ticket_sha256(ticket, expected_deadline)
        self._asked(
            "apply_ticket", lambda: self._device.apply_ticket(ticket, expected_deadline, self._sent(sha256))
        )

    def clock_ticket_sha256(self, ticket: bytes) -> str:
        return c.payload_sha256(c.CLOCK_TICKET.body(c.ClockTicketOrder(ticket=ticket)))

    def ticket_sha256(self, ticket: bytes, expected_deadline: dt.date) -> str:
        order = c.TicketOrder(ticket=ticket, expected_deadline=expected_deadline)
        return c.payload_sha256(c.APPLY_TICKET.body(order))

    def last_writes(self) -> tuple[WriteRecord, ...]:
        return self._asked("last_writes", self._device.last_writes)

    def self_test(self) -> None:
        self._asked("self_test", self._device.self_test)

    def _sent(self, sha256: str) -> Sent:
        self._sequence += 1
        return Sent(payload_sha256=sha256, session=self._device.session, sequence=self._sequence)

    def _asked(self, name: str, work: Callable[[], T]) -> T:
        def refusing() -> T:
            try:
                result = work()
                if name == self._loses:
                    raise AnswerLost("ANSWER_LOST", what=name)
                return result
            except Denied as denied:
                if name == self._loses:
                    raise AnswerLost("ANSWER_LOST", what=name) from denied
                raise _as_the_driver_says(denied) from denied

        return self._tap.call(name, refusing)


class TappedBureau:
    """ports.Bureau in front of another one; `ticket_changes` are made to the tickets that it gives."""

    def __init__(self, bureau: Bureau, tap: Passage, ticket_changes: dict[str, Any]) -> None:
        self._bureau = bureau
        self._tap = tap
        self._changes = ticket_changes

    def status(self) -> BureauStatus:
        return self._tap.call("status", self._bureau.status)

    def put_report(self, report: Report) -> Receipt:
        return self._tap.call("put_report", lambda: self._bureau.put_report(report))

    def get_report(self, device_no: str, group: str, month: Period) -> Receipt | None:
        return self._tap.call("get_report", lambda: self._bureau.get_report(device_no, group, month))

    def get_declaration(self, taxpayer_id: str, month: Period) -> Declaration:
        return self._tap.call("get_declaration", lambda: self._bureau.get_declaration(taxpayer_id, month))

    def put_ticket(self, device_no: str, group: str, month: Period, *, supersedes: str = "") -> Ticket:
        ticket = self._tap.call(
            "put_ticket", lambda: self._bureau.put_ticket(device_no, group, month, supersedes=supersedes)
        )
        return msgspec.structs.replace(ticket, **self._changes)

    def get_ticket(self, device_no: str, group: str, month: Period) -> Ticket | None:
        return self._tap.call("get_ticket", lambda: self._bureau.get_ticket(device_no, group, month))

    def confirm(self, device_no: str, group: str, month: Period, ticket_no: str) -> None:
        self._tap.call("confirm", lambda: self._bureau.confirm(device_no, group, month, ticket_no))

    def answer_challenge(self, challenge_id: str, answer: str) -> None:
        self._tap.call("answer_challenge", lambda: self._bureau.answer_challenge(challenge_id, answer))


def _as_the_driver_says(denied: Denied) -> AgentError:
    """Return the driver's error for a refusal (taxagent.device.exchange does the same from sense data)."""
    fault, code = denied.why.fault, denied.code
    if fault == "PASSWORD_WRONG":
        return PasswordRefused(denied.tries_left, device_code=code)
    if fault == "SESSION_UNKNOWN":
        return DeviceAbsent(fault, device_code=code)
    if fault == "DEVICE_BUSY":
        return DeviceInUse(fault, device_code=code)
    return DeviceRefused(fault, device_code=code, what=denied.why.meaning)
