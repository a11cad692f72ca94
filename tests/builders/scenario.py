"""Simulated devices for tests: a scenario in code, a clock that stands still, tickets of the bureau."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from taxagent.device.usbip_server import Connect, in_process
from taxagent.model.device import DeviceKind, SealOrder
from taxagent.model.period import Period, first_day, last_day, plus
from taxagent.model.simtime import SHANGHAI
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.nonvolatile import Sent
from taxagent.simulator.running import ANY_LOOPBACK, Running, serve
from taxagent.simulator.scenario import Blanks, Generated, ListedInvoice, Scenario, TypeScenario
from taxagent.simulator.sealing import ClearTicket, ClockTicket, sealed
from taxagent.simulator.state import DeviceStore

DEVICE_NO = "661700000011"
TAXPAYER_ID = "91370102MA3CXK7T44"
PASSWORD = "88888888"
CODE = "3700221320"
NOON = dt.datetime(2026, 11, 3, 12, 0)
OCTOBER = Period("2026-10")


class StillClock:
    """ports.Clock that stands where it was put."""

    def __init__(self, local: dt.datetime = NOON) -> None:
        self.now = local

    def utc_ms(self) -> int:
        return round(self.now.replace(tzinfo=SHANGHAI).timestamp() * 1000)

    def sim_ms(self) -> int | None:
        return None

    def local(self) -> dt.datetime:
        return self.now.replace(tzinfo=SHANGHAI)

    def monotonic(self) -> float:
        return self.now.timestamp()


def type_007(**changes: Any) -> TypeScenario:
    """Return a type that reported September and locks on the 16th of November."""
    fields: dict[str, Any] = {
        "invoice_type": "007",
        "last_report": dt.date(2026, 9, 30),
        "invoicing_deadline": dt.date(2026, 11, 16),
        "stock": (Blanks(code=CODE, number_from="00000001", count=200),),
        "generate": Generated(seed=1, months=("2026-09", "2026-10"), per_month=20),
    }
    return TypeScenario(**(fields | changes))


def listed(number: int, issued_at: dt.datetime, **changes: Any) -> ListedInvoice:
    """Return an invoice of 100.00 yuan with 13.00 yuan of tax."""
    fields: dict[str, Any] = {"amount": 100_00, "tax": 13_00, "buyer": "个人"}
    return ListedInvoice(code=CODE, number=f"{number:08d}", issued_at=issued_at, **(fields | changes))


def scenario(**changes: Any) -> Scenario:
    """Return a device with one type, 007, whose October is to be reported."""
    fields: dict[str, Any] = {
        "device_no": DEVICE_NO,
        "kind": DeviceKind.CONTROL_DISK,
        "taxpayer_id": TAXPAYER_ID,
        "taxpayer_name": "济南明湖文具有限公司",
        "password": PASSWORD,
        "certificate_from": dt.date(2024, 3, 1),
        "certificate_to": dt.date(2029, 2, 28),
        "types": (type_007(),),
    }
    return Scenario(**(fields | changes))


def virtual_device(folder: Path, base: StillClock | None = None, **changes: Any) -> VirtualDevice:
    """Return a device over the state in `folder`, not opened."""
    described = scenario(**changes)
    return VirtualDevice(described, DeviceStore(folder, described.device_no), base or StillClock())


def opened(folder: Path, base: StillClock | None = None, **changes: Any) -> VirtualDevice:
    """Return a device that was let in with the password."""
    device = virtual_device(folder, base, **changes)
    device.hello()
    device.open(device.memory.password)
    return device


@contextmanager
def running(folder: Path, *scenarios: Scenario, servers: bool = False) -> Iterator[Running]:
    """Run simulated devices in this process; with `servers` also on TCP ports."""
    address = ANY_LOOPBACK if servers else None
    with serve(
        scenarios or (scenario(),), folder, clock=StillClock(), usbip=address, control=address
    ) as simulator:
        yield simulator


def host_of(simulator: Running) -> Connect:
    """Return the carrier by which a USB/IP host of this process reaches the simulator."""
    return in_process(simulator.serve)


def sent(number: int = 1) -> Sent:
    """Return how a write number `number` came in."""
    return Sent(
        payload_sha256=hashlib.sha256(str(number).encode()).hexdigest(), session="ab" * 8, sequence=number
    )


def seal_of(month: str = "2026-10", *, group: str = "007", expected: dt.date | None = None) -> SealOrder:
    """Return the order that seals a month, expecting the months before it to be sealed."""
    before = last_day(plus(Period(month), -1))
    return SealOrder(
        group=group,
        period_from=first_day(Period(month)),
        period_to=last_day(Period(month)),
        expected_last_report=expected or before,
    )


def clear_ticket(**changes: Any) -> bytes:
    """Return a genuine clear ticket for October, unless the changes make it something else."""
    ticket = ClearTicket(
        ticket_no="T1",
        serial=1,
        device_no=DEVICE_NO,
        group="007",
        period=OCTOBER,
        deadline=dt.date(2026, 12, 15),
    )
    return sealed(msgspec.structs.replace(ticket, **changes))


def clock_ticket(**changes: Any) -> bytes:
    """Return the genuine clock ticket that goes with `clear_ticket`."""
    ticket = ClockTicket(ticket_no="T1", serial=1, device_no=DEVICE_NO, clock=NOON)
    return sealed(msgspec.structs.replace(ticket, **changes))
