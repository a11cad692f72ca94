"""When the simulated bureau takes a report and when it issues a ticket (domain: report, declare, clear)."""

from __future__ import annotations

from collections.abc import Callable

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Code, Missing
from taxagent.model.bureau import DeclarationState
from taxagent.model.device import QUIRKS, DeviceKind
from taxagent.model.period import Period, last_day, plus
from taxagent.model.simtime import local_time
from taxagent.ports import Clock
from taxagent.simulator.bureau_machines import unreported, unreported_words
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_requests import BureauSaysNo, Request
from taxagent.simulator.bureau_state import BureauMemory, IssuedTicket
from taxagent.simulator.sealing import ClearTicket, ClockTicket, SealError, Summary, sealed, unsealed

SETTLED = (DeclarationState.ACCEPTED, DeclarationState.NOT_DUE)


def clock_ms(clock: Clock) -> int:
    """Return the bureau's time in ms UTC: simulated where there is a simulation."""
    simulated = clock.sim_ms()
    return clock.utc_ms() if simulated is None else simulated


def own_summary(
    scenario: BureauScenario, owner: str | None, request: Request, body: m.ReportBody, now: int
) -> Summary:
    """Return the summary in `body` if it may be taken; `owner` is whose device it was until now, if known.

    Raises BureauSaysNo.
    """
    _must_have_ended(request.period, now)
    try:
        summary = unsealed(body.summary, Summary)
    except SealError as error:
        raise BureauSaysNo(422, Code.SEAL_INVALID, f"汇总密文校验不通过：{error}") from error
    told = (summary.device_no, summary.group, summary.period)
    if told != (request.device_no, request.group, request.period):
        raise BureauSaysNo(422, Code.SEAL_INVALID, f"汇总密文属于 {'/'.join(told)}")
    registration = scenario.registration(request.device_no)
    if registration is not None:
        owner = registration.taxpayer_id
        if registration.kind not in (None, summary.kind):
            raise BureauSaysNo(422, Code.SEAL_INVALID, f"设备发行时的种类是 {registration.kind}")
    elif not scenario.serves(body.taxpayer_id):
        raise BureauSaysNo(403, Code.DEVICE_UNKNOWN, "设备未发行")
    if summary.taxpayer_id != body.taxpayer_id or owner not in (None, body.taxpayer_id):
        raise BureauSaysNo(403, Code.TAXPAYER_MISMATCH, "设备不属于该纳税人")
    return summary


class TicketRules:
    """Whether a device's months may be cleared up to one of them."""

    def __init__(
        self,
        scenario: BureauScenario,
        memory: BureauMemory,
        declared: Callable[[str, Period], m.DeclarationAnswer],
    ) -> None:
        self._scenario = scenario
        self._memory = memory
        self._declared = declared

    def check(self, request: Request, now: int) -> None:
        """Raise BureauSaysNo unless every month that the ticket would settle is reported and declared."""
        _must_have_ended(request.period, now)
        months = self._unsettled(request)
        prefix = f"{request.device_no}/{request.group}/"
        unreported = [month for month in months if prefix + month not in self._memory.reports]
        if unreported:
            missing = tuple(Missing(period=month, group=request.group) for month in unreported)
            raise BureauSaysNo(409, Code.NOT_REPORTED, "未完成抄报，不能清卡", missing=missing)
        taxpayer_id = self._memory.reports[prefix + request.period].taxpayer_id
        for month in months:
            self._others_reported(taxpayer_id, month, request.device_no)
            answer = self._declared(taxpayer_id, month)
            if answer.state in SETTLED:
                continue
            mismatch = answer.state == DeclarationState.MISMATCH
            code = Code.DECLARATION_MISMATCH if mismatch else Code.NOT_DECLARED
            raise BureauSaysNo(409, code, answer.text, missing=(Missing(period=month),))

    def _others_reported(self, taxpayer_id: str, month: Period, device_no: str) -> None:
        machines = unreported(self._scenario, self._memory, taxpayer_id, month, besides=device_no)
        if not machines:
            return
        missing = tuple(
            Missing(period=month, device_no=one.device_no, terminal_no=one.terminal_no) for one in machines
        )
        raise BureauSaysNo(409, Code.MACHINE_NOT_REPORTED, unreported_words(month, machines), missing=missing)

    def _unsettled(self, request: Request) -> list[Period]:
        """Return the months up to the request's that no ticket has settled yet, oldest first.

        They begin after the newest ticket of the group; without one, at the registration's first period or,
        where nothing is known of the device, at its oldest report.
        """
        prefix = f"{request.device_no}/{request.group}/"
        ticketed = [about.removeprefix(prefix) for about in self._memory.tickets if about.startswith(prefix)]
        if ticketed and max(ticketed) > request.period:
            raise BureauSaysNo(409, Code.ALREADY_CLEARED, f"已清卡至 {max(ticketed)}")
        earlier = [month for month in ticketed if month < request.period]
        first = plus(Period(max(earlier)), 1) if earlier else self._first_period(request, prefix)
        months = [first]
        while months[-1] < request.period:
            months.append(plus(months[-1], 1))
        return months

    def _first_period(self, request: Request, prefix: str) -> Period:
        registration = self._scenario.registration(request.device_no)
        if registration is not None and registration.first_period is not None:
            return min(registration.first_period, request.period)
        reported = (about.removeprefix(prefix) for about in self._memory.reports if about.startswith(prefix))
        return min((Period(month) for month in reported if month <= request.period), default=request.period)


def issued(
    scenario: BureauScenario, kind: DeviceKind, request: Request, serial: int, now: int
) -> IssuedTicket:
    """Return a new ticket that settles the group up to the request's period, for a device of `kind`.

    The month P is filed in P+1 and done; invoicing goes on until the filing deadline of P+2.
    """
    device_no, group = request.device_no, request.group
    ticket_no = f"T{device_no}{serial:06d}"
    deadline = scenario.filing_deadline(plus(request.period, 2))
    clear = ClearTicket(
        ticket_no=ticket_no,
        serial=serial,
        device_no=device_no,
        group=group,
        period=request.period,
        deadline=deadline,
    )
    clock = local_time(now).replace(tzinfo=None, microsecond=0)
    timed = ClockTicket(ticket_no=ticket_no, serial=serial, device_no=device_no, clock=clock)
    ticket = m.TicketAnswer(
        ticket_no=ticket_no,
        device_no=device_no,
        group=group,
        period=request.period,
        deadline=deadline,
        clear_ticket=sealed(clear),
        clock_ticket=sealed(timed) if QUIRKS[kind].clock_ticket_first else None,
        issued_ms=now,
    )
    return IssuedTicket(serial=serial, ticket=ticket)


def _must_have_ended(month: Period, now: int) -> None:
    if local_time(now).date() <= last_day(month):
        raise BureauSaysNo(
            409, Code.PERIOD_NOT_ENDED, f"所属期 {month} 未结束", missing=(Missing(period=month),)
        )
