"""A simulated bureau without a network, and how its replies are read."""

from __future__ import annotations

from pathlib import Path

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Op, idempotency_key
from taxagent.model.bureau import DeclarationState, Report
from taxagent.model.period import Period
from taxagent.model.value import Value, from_json, to_json
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_requests import Reply, Request
from taxagent.simulator.bureau_state import BureauStore
from tests.builders.bureau import DEVICE, OCTOBER, TAXPAYER, BureauClock, sealed_report

SEPTEMBER = Period("2026-09")
OTHER_TAXPAYER = "91110108MA01ABCD1E"


class Bench:
    """A bureau without a network."""

    def __init__(self, directory: Path, scenario: BureauScenario | None = None, *, at: str = "") -> None:
        self.directory = directory
        self.scenario = scenario or BureauScenario()
        self.clock = BureauClock(at) if at else BureauClock()
        self.group = "007"  # of the device, in every call
        self.restart()

    def restart(self) -> None:
        self.bureau = VirtualBureau(BureauStore(self.directory), self.scenario, self.clock)

    def put(self, op: Op, body: Value, payload: bytes, month: Period = OCTOBER, *, key: str = "") -> Reply:
        return self.bureau.reply(
            Request(
                op=op,
                device_no=DEVICE,
                group=self.group,
                period=month,
                key=key or idempotency_key(op, DEVICE, self.group, month, payload),
                body=to_json(body),
            )
        )

    def report(self, report: Report | None = None, *, month: Period = OCTOBER, key: str = "") -> Reply:
        report = report or sealed_report(month=month)
        body = m.ReportBody(taxpayer_id=report.taxpayer_id, summary=report.summary)
        return self.put(Op.REPORT_PUT, body, report.summary, month, key=key)

    def ticket(self, *, month: Period = OCTOBER, supersedes: str = "") -> Reply:
        return self.put(Op.TICKET_PUT, m.TicketBody(supersedes=supersedes), supersedes.encode(), month)

    def confirm(self, ticket_no: str) -> Reply:
        return self.put(Op.CONFIRM, m.ConfirmBody(ticket_no=ticket_no), ticket_no.encode())

    def get(self, op: Op, month: Period = OCTOBER) -> Reply:
        return self.bureau.reply(Request(op=op, device_no=DEVICE, group=self.group, period=month))

    def declaration(self, month: Period = OCTOBER) -> m.DeclarationAnswer:
        reply = self.bureau.reply(Request(op=Op.DECLARATION_GET, taxpayer_id=TAXPAYER, period=month))
        return from_json(reply.body, m.DeclarationAnswer)

    def file(self, month: Period = OCTOBER, state: DeclarationState = DeclarationState.ACCEPTED) -> None:
        self.bureau.file_return(TAXPAYER, month, state)


def refusal(reply: Reply) -> m.ErrorAnswer:
    assert reply.status != 200
    return from_json(reply.body, m.ErrorAnswer)


def granted(reply: Reply) -> m.TicketAnswer:
    assert reply.status == 200, reply.body
    return from_json(reply.body, m.TicketAnswer)
