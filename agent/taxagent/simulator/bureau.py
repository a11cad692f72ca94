"""The simulated tax bureau: verifies seals, holds reports and returns, issues signed tickets.

Knows the rules of order and no socket. One lock: calls are carried out one after the other.
"""

from __future__ import annotations

import hashlib
import threading

from msgspec.structs import replace

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Code, Op
from taxagent.model.bureau import DeclarationState
from taxagent.model.device import DeviceKind
from taxagent.model.period import Period
from taxagent.model.value import Value, from_json, to_json
from taxagent.ports import Clock
from taxagent.simulator import bureau_answers as answers
from taxagent.simulator.bureau_conditions import Conditions, changed
from taxagent.simulator.bureau_faults import FaultScript, Point
from taxagent.simulator.bureau_keys import payload_sha256_of, whole_body_sha256_of
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_requests import BureauSaysNo, Reply, Request, body_of
from taxagent.simulator.bureau_rules import TicketRules, clock_ms, issued, own_summary
from taxagent.simulator.bureau_state import (
    BureauMemory,
    BureauStore,
    HeldReport,
    IssuedTicket,
    KeptAnswer,
    KnownMachine,
    LoggedCall,
    Result,
)

_DAY_MS = 86_400_000


class VirtualBureau:
    """A bureau whose state is on disk before it answers. Any thread."""

    def __init__(self, store: BureauStore, scenario: BureauScenario, clock: Clock) -> None:
        """Take up what `store` kept. Raises AgentError SCENARIO_INVALID where that is not readable."""
        self.faults = FaultScript()
        self._store = store
        self._scenario = scenario
        self._clock = clock
        self.conditions = scenario.conditions
        self._lock = threading.Lock()
        self._memory = store.load()
        self._asked: dict[str, int] = {}  # device_no -> ms of the last read about it

    @property
    def memory(self) -> BureauMemory:
        """All that the bureau remembers now."""
        return self._memory

    def now_ms(self) -> int:
        """Return the bureau's time, ms UTC."""
        return clock_ms(self._clock)

    def calls(self) -> tuple[LoggedCall, ...]:
        """Return the log of calls, oldest first."""
        with self._lock:
            return self._store.logged()

    def change(self, changes: dict[str, object]) -> Conditions:
        """Have other conditions from now on, and return them all. ValueError where they make no sense."""
        with self._lock:
            self.conditions = changed(self.conditions, changes)
            return self.conditions

    def file_return(
        self,
        taxpayer_id: str,
        month: Period,
        state: DeclarationState = DeclarationState.ACCEPTED,
        text: str = "",
    ) -> m.DeclarationAnswer:
        """Take a return as the e-tax bureau would; a later one replaces it. MISSING takes it back.

        ValueError naming the machines where the taxpayer has several and not all have reported.
        """
        with self._lock:
            if state is DeclarationState.ACCEPTED:
                answers.must_be_reported(self._scenario, self._memory, taxpayer_id, month)
            declared = m.DeclarationAnswer(
                taxpayer_id=taxpayer_id,
                period=month,
                state=state,
                text=text or answers.STATE_WORDS[state],
                filed_ms=self.now_ms(),
            )
            returns = {**self._memory.returns, f"{taxpayer_id}/{month}": declared}
            self._keep(replace(self._memory, returns=returns, filings=(*self._memory.filings, declared)))
            return declared

    def reply(self, request: Request) -> Reply:
        """Carry out a call and return its answer. Raises ConnectionDropped where a fault says so."""
        try:
            self.faults.wait(self.conditions.pace_s)
            self.conditions.stop(request, self.now_ms())
            instead = self.faults.strike(request.op, Point.BEFORE)
            if instead is not None:
                return instead
            if request.op is not Op.CHALLENGE_ANSWER:
                self.faults.challenges.stop()
            with self._lock:
                reply = self._carried_out(request)
        except BureauSaysNo as no:
            result = Result.ANSWERED if no.answer.code == Code.ABSENT else Result.REFUSED
            self._log(request, result, no.status, code=no.answer.code)
            return no.reply()
        return self.faults.strike(request.op, Point.AFTER, reply) or reply

    def _carried_out(self, request: Request) -> Reply:
        now = self.now_ms()
        if request.op.method != "PUT":
            answer = self._read(request, now)
            told = answer.maintenance if isinstance(answer, m.StatusAnswer) else None
            self._log(request, Result.ANSWERED, 200, maintenance=told)
            return _ok(answer)
        payload_sha256 = payload_sha256_of(request)
        kept = self._memory.kept.get(request.key)
        if kept is not None and kept.payload_sha256 not in (payload_sha256, whole_body_sha256_of(request)):
            raise BureauSaysNo(409, Code.KEY_CONFLICT, "the key was used with another payload")
        if kept is not None:
            self._log(request, Result.REPEATED, 200, reference=_reference(kept.body))
            return Reply(status=200, body=kept.body)
        memory, answer = self._write(request, now)
        reply = _ok(answer)
        fresh = {key: one for key, one in memory.kept.items() if now - one.at_ms < m.KEY_LIFE_DAYS * _DAY_MS}
        fresh[request.key] = KeptAnswer(at_ms=now, payload_sha256=payload_sha256, body=reply.body)
        self._keep(replace(memory, kept=fresh))
        self._log(request, Result.ACCEPTED, 200, reference=_reference(reply.body))
        return reply

    def _read(self, request: Request, now: int) -> Value:
        if request.device_no:
            self._not_too_soon(request.device_no, now)
        match request.op:
            case Op.REPORT_GET:
                report = self._memory.reports.get(request.about)
                if report is not None:
                    return report.receipt
                raise BureauSaysNo(404, Code.ABSENT, "没有收到该属期的汇总数据")
            case Op.TICKET_GET:
                tickets = self._memory.tickets.get(request.about)
                if tickets:
                    return tickets[-1].ticket
                raise BureauSaysNo(404, Code.ABSENT, "没有签发过清卡密文")
            case Op.DECLARATION_GET:
                return self._declared(request.taxpayer_id, request.period)
            case Op.CHALLENGE_ANSWER:
                answer = body_of(request, m.ChallengeBody).answer
                self.faults.challenges.answer(request.challenge_id, answer)
                return m.ChallengeAnswer(challenge_id=request.challenge_id, accepted_ms=now)
            case _:
                return answers.status(self._scenario, self.conditions, now)

    def _write(self, request: Request, now: int) -> tuple[BureauMemory, Value]:
        match request.op:
            case Op.REPORT_PUT:
                return self._put_report(request, now)
            case Op.TICKET_PUT:
                return self._put_ticket(request, now)
            case _:
                return self._confirm(request, now)

    def _declared(self, taxpayer_id: str, month: Period) -> m.DeclarationAnswer:
        return answers.declared(self._scenario, self._memory, taxpayer_id, month)

    def _put_report(self, request: Request, now: int) -> tuple[BureauMemory, Value]:
        memory = self._memory
        body = body_of(request, m.ReportBody)
        owner = memory.owners.get(request.device_no)
        summary = own_summary(self._scenario, owner, request, body, now)
        held = memory.reports.get(request.about)
        summary_sha256 = hashlib.sha256(body.summary).hexdigest()
        if held is not None:
            if held.receipt.summary_sha256 != summary_sha256:
                raise BureauSaysNo(409, Code.REPORT_DIFFERS, "该属期已有另一份汇总数据")
            return memory, held.receipt
        receipt = m.ReceiptAnswer(
            receipt_no=f"R{memory.receipts + 1:08d}",
            device_no=request.device_no,
            group=request.group,
            period=request.period,
            summary_sha256=summary_sha256,
            received_ms=now,
        )
        machine = KnownMachine(terminal_no=body.terminal_no or 0, device_kind=summary.kind.value)
        report = HeldReport(taxpayer_id=body.taxpayer_id, summary=body.summary, receipt=receipt)
        changed = replace(
            memory,
            reports={**memory.reports, request.about: report},
            owners={**memory.owners, request.device_no: body.taxpayer_id},
            kinds={**memory.kinds, request.device_no: summary.kind},
            machines={**memory.machines, request.device_no: machine},
            receipts=memory.receipts + 1,
        )
        return changed, receipt

    def _put_ticket(self, request: Request, now: int) -> tuple[BureauMemory, Value]:
        memory = self._memory
        supersedes = body_of(request, m.TicketBody).supersedes
        before = memory.tickets.get(request.about, ())
        if supersedes and supersedes not in {one.ticket.ticket_no for one in before}:
            raise BureauSaysNo(409, Code.TICKET_UNKNOWN, f"没有签发过密文 {supersedes}")
        if before and supersedes != before[-1].ticket.ticket_no:
            return memory, before[-1].ticket
        TicketRules(self._scenario, memory, self._declared).check(request, now)
        serial = memory.serials.get(request.device_no, 0) + 1
        kind = memory.kinds.get(request.device_no, DeviceKind.CONTROL_DISK)  # the only one that told none
        one = issued(self._scenario, kind, request, serial, now)
        changed = replace(
            memory,
            tickets={**memory.tickets, request.about: (*before, one)},
            serials={**memory.serials, request.device_no: serial},
        )
        return changed, one.ticket

    def _confirm(self, request: Request, now: int) -> tuple[BureauMemory, Value]:
        memory = self._memory
        ticket_no = body_of(request, m.ConfirmBody).ticket_no
        before = memory.tickets.get(request.about, ())
        if ticket_no not in {one.ticket.ticket_no for one in before}:
            raise BureauSaysNo(409, Code.TICKET_UNKNOWN, f"没有签发过密文 {ticket_no}")
        after = tuple(_confirmed(one, ticket_no, now) for one in before)
        answer = m.ConfirmAnswer(
            device_no=request.device_no,
            group=request.group,
            period=request.period,
            ticket_no=ticket_no,
            confirmed_ms=now,
        )
        return replace(memory, tickets={**memory.tickets, request.about: after}), answer

    def _not_too_soon(self, device_no: str, now: int) -> None:
        least = self._scenario.least_interval_ms
        wait_ms = self._asked.get(device_no, -least) + least - now
        if 0 < wait_ms <= least:  # more than that: its clock was put back since
            raise BureauSaysNo(429, Code.TOO_SOON, "查询过于频繁", retry_after_s=wait_ms / 1000)
        self._asked[device_no] = now

    def _keep(self, memory: BureauMemory) -> None:
        self._store.save(memory)
        self._memory = memory

    def _log(
        self,
        request: Request,
        result: Result,
        status: int,
        *,
        code: str = "",
        reference: str = "",
        maintenance: m.MaintenanceMessage | None = None,
    ) -> None:
        self._store.log(
            LoggedCall(
                at_ms=self.now_ms(),
                op=request.op,
                device_no=request.device_no,
                group=request.group,
                period=request.period,
                taxpayer_id=request.taxpayer_id,
                key=request.key,
                result=result,
                status=status,
                code=code,
                reference=reference,
                maintenance=maintenance,
            )
        )


class _Numbered(Value, frozen=True, kw_only=True):
    receipt_no: str = ""
    ticket_no: str = ""


def _reference(body: bytes) -> str:
    numbered = from_json(body, _Numbered)
    return numbered.receipt_no or numbered.ticket_no


def _ok(answer: Value) -> Reply:
    return Reply(status=200, body=to_json(answer))


def _confirmed(one: IssuedTicket, ticket_no: str, now: int) -> IssuedTicket:
    if one.ticket.ticket_no != ticket_no or one.confirmed_ms is not None:
        return one
    return replace(one, confirmed_ms=now)
