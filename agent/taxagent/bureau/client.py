"""ports.Bureau over the gateway: asks, checks that the answer is about what was asked, words the refusals.

Knows no jobs: what a failure means for a job is decided by the decision table, from the error's class alone.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import msgspec
import structlog

from taxagent.bureau import messages as m
from taxagent.bureau.exchange import Call, Exchange, GatewaySettings, RawAnswer
from taxagent.bureau.judging import error_of, garbled, retry_after_s
from taxagent.bureau.retrying import Retrying
from taxagent.model.bureau import (
    BureauStatus,
    Declaration,
    DeclarationState,
    FilingRow,
    Machine,
    Maintenance,
    Receipt,
    Report,
    Ticket,
)
from taxagent.model.errors import AgentError, AnswerLost, BureauDown, BureauRefused
from taxagent.model.filing import in_reach
from taxagent.model.period import Period
from taxagent.model.value import Value, from_json, to_json
from taxagent.ports import Clock

if TYPE_CHECKING:
    import httpx

A = TypeVar("A", bound=Value)

_log = structlog.get_logger("bureau.client")

__all__ = ["GatewayClient", "GatewaySettings"]


class GatewayClient:
    """The bureau gateway as the agent sees it; threads may share one.

    Every method raises
    - BureauDown: certainly not carried out (BUREAU_DOWN not reached or no usable answer to a read,
      BUREAU_BUSY, BUREAU_MAINTENANCE, BUREAU_GARBLED answer to a read), or ChallengeAsked, one of them;
    - AnswerLost (put_report, put_ticket, confirm): it may have been carried out
      (ANSWER_LOST, BUREAU_GARBLED);
    - BureauRefused: the bureau's no in its words, or BUREAU_AUTH where a certificate was refused.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Clock,
        *,
        pause: Callable[[float], bool] | None = None,
        jitter: Callable[[], float] = random.random,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Do no I/O yet. ValueError where the url is not https.

        `pause(seconds)` sleeps between tries and returns True when the agent ends: `stop.wait` of its stop
        event. `transport` replaces the network (tests).
        """
        self._exchange = Exchange(settings, clock, transport)
        self._clock = clock
        self._retrying = Retrying(clock, pause or threading.Event().wait, jitter)

    def close(self) -> None:
        """Drop the connections."""
        self._exchange.close()

    def status(self) -> BureauStatus:
        answer = self._asked(Call(op=m.Op.STATUS, path=m.STATUS_PATH), m.StatusAnswer)
        off = answer.maintenance
        return BureauStatus(
            clock_ms=answer.clock_ms,
            maintenance=Maintenance(from_ms=off.from_ms, until_ms=off.until_ms, text=off.text)
            if off
            else None,
            minimum_agent_version=answer.minimum_agent_version,
            filing_calendar=tuple(_believable(answer.filing_calendar)),
            notices=answer.notices,
        )

    def put_report(self, report: Report) -> Receipt:
        body = m.ReportBody(
            taxpayer_id=report.taxpayer_id,
            summary=report.summary,
            device_kind=report.device_kind,
            terminal_no=report.terminal_no,
        )
        about = (report.device_no, report.group, report.period)
        call = _write(m.Op.REPORT_PUT, about, body, report.summary)
        answer = self._asked(call, m.ReceiptAnswer)
        if answer.summary_sha256 != hashlib.sha256(report.summary).hexdigest():
            raise garbled(call, "a receipt for another summary")
        return _receipt(call, answer, about)

    def get_report(self, device_no: str, group: str, month: Period) -> Receipt | None:
        about = (device_no, group, month)
        call = Call(op=m.Op.REPORT_GET, path=m.device_path(m.Op.REPORT_GET, *about))
        answer = self._found(call, m.ReceiptAnswer)
        return _receipt(call, answer, about) if answer else None

    def get_declaration(self, taxpayer_id: str, month: Period) -> Declaration:
        call = Call(op=m.Op.DECLARATION_GET, path=m.declaration_path(taxpayer_id, month))
        answer = self._asked(call, m.DeclarationAnswer)
        if (answer.taxpayer_id, answer.period) != (taxpayer_id, month):
            raise garbled(call, f"an answer about {answer.taxpayer_id} {answer.period}")
        try:
            state = DeclarationState(answer.state)
        except ValueError as error:
            raise garbled(call, f"unknown state {answer.state!r}") from error
        return Declaration(
            taxpayer_id=taxpayer_id,
            period=month,
            state=state,
            text=answer.text,
            filed_ms=answer.filed_ms,
            unreported=tuple(_machine(one) for one in answer.unreported),
        )

    def put_ticket(self, device_no: str, group: str, month: Period, *, supersedes: str = "") -> Ticket:
        about = (device_no, group, month)
        call = _write(m.Op.TICKET_PUT, about, m.TicketBody(supersedes=supersedes), supersedes.encode())
        return _ticket(call, self._asked(call, m.TicketAnswer), about)

    def get_ticket(self, device_no: str, group: str, month: Period) -> Ticket | None:
        about = (device_no, group, month)
        call = Call(op=m.Op.TICKET_GET, path=m.device_path(m.Op.TICKET_GET, *about))
        answer = self._found(call, m.TicketAnswer)
        return _ticket(call, answer, about) if answer else None

    def confirm(self, device_no: str, group: str, month: Period, ticket_no: str) -> None:
        about = (device_no, group, month)
        call = _write(m.Op.CONFIRM, about, m.ConfirmBody(ticket_no=ticket_no), ticket_no.encode())
        answer = self._asked(call, m.ConfirmAnswer)
        _must_be_about(call, (answer.device_no, answer.group, answer.period), about)

    def answer_challenge(self, challenge_id: str, answer: str) -> None:
        call = Call(
            op=m.Op.CHALLENGE_ANSWER,
            path=m.challenge_path(challenge_id),
            body=to_json(m.ChallengeBody(answer=answer)),
        )
        taken = self._asked(call, m.ChallengeAnswer)
        if taken.challenge_id != challenge_id:
            raise garbled(call, f"an answer about {taken.challenge_id}")

    def _asked(self, call: Call, kind: type[A]) -> A:
        answer = self._found(call, kind)
        if answer is None:
            raise garbled(call, "404 ABSENT where there is always an answer")
        return answer

    def _found(self, call: Call, kind: type[A]) -> A | None:
        """Return the answer, or None where the bureau says that it holds no such thing."""
        maybe_done = False

        def attempt() -> RawAnswer | None:
            nonlocal maybe_done
            try:
                raw = self._exchange.send(call)
                return None if _is_absent(call, raw) else self._accepted(call, raw)
            except AnswerLost:
                maybe_done = True
                raise

        try:
            raw = self._retrying.run(attempt, repeatable=call.op.repeatable)
        except AgentError as error:
            raise _final(call, error, maybe_done=maybe_done) from error
        if raw is None:
            return None
        try:
            return from_json(raw.body, kind)
        except msgspec.MsgspecError as error:
            raise garbled(call, str(error)) from error

    def _accepted(self, call: Call, raw: RawAnswer) -> RawAnswer:
        if raw.status == 200:
            return raw
        raise error_of(call, raw, retry_after_s(raw, self._clock))


def _final(call: Call, error: AgentError, *, maybe_done: bool) -> AgentError:
    """Return what a call that ended with `error` tells; `maybe_done`: a try may have been executed."""
    if not call.op.writes:
        if isinstance(error, AnswerLost):  # a read changes nothing: it is only not answered
            fault = "BUREAU_DOWN" if error.fault == "ANSWER_LOST" else error.fault
            return BureauDown(fault, retry_after_s=None, **error.detail)
        return error
    settled = isinstance(error, BureauRefused) and error.fault != "BUREAU_AUTH"
    if maybe_done and not settled and not isinstance(error, AnswerLost):
        return AnswerLost("ANSWER_LOST", **error.detail)
    return error


def _write(op: m.Op, about: tuple[str, str, Period], body: Value, payload: bytes) -> Call:
    return Call(
        op=op,
        path=m.device_path(op, *about),
        body=to_json(body),
        key=m.idempotency_key(op, *about, payload),
    )


def _is_absent(call: Call, raw: RawAnswer) -> bool:
    if raw.status != 404 or call.op.writes:
        return False
    try:
        return from_json(raw.body, m.ErrorAnswer).code == m.Code.ABSENT
    except msgspec.MsgspecError:
        return False


def _must_be_about(call: Call, told: tuple[str, str, str], asked: tuple[str, str, Period]) -> None:
    if told != asked:
        raise garbled(call, f"an answer about {' '.join(told)}")


def _believable(rows: Iterable[m.FilingRowMessage]) -> Iterator[FilingRow]:
    """Leave out a row that cannot be meant: one slip in the bureau's calendar must not stop every shop."""
    for row in rows:
        month = Period(row.month)
        if in_reach(month, row.deadline):
            yield FilingRow(month=month, deadline=row.deadline)
        else:
            _log.warning("filing_row_ignored", month=row.month, deadline=row.deadline.isoformat())


def _machine(told: m.MachineMessage) -> Machine:
    return Machine(device_no=told.device_no, terminal_no=told.terminal_no, device_kind=told.device_kind)


def _receipt(call: Call, answer: m.ReceiptAnswer, asked: tuple[str, str, Period]) -> Receipt:
    _must_be_about(call, (answer.device_no, answer.group, answer.period), asked)
    return Receipt(
        receipt_no=answer.receipt_no,
        device_no=answer.device_no,
        group=answer.group,
        period=asked[2],
        summary_sha256=answer.summary_sha256,
        received_ms=answer.received_ms,
    )


def _ticket(call: Call, answer: m.TicketAnswer, asked: tuple[str, str, Period]) -> Ticket:
    _must_be_about(call, (answer.device_no, answer.group, answer.period), asked)
    return Ticket(
        ticket_no=answer.ticket_no,
        device_no=answer.device_no,
        group=answer.group,
        period=asked[2],
        deadline=answer.deadline,
        clear_ticket=answer.clear_ticket,
        clock_ticket=answer.clock_ticket,
        issued_ms=answer.issued_ms,
    )
