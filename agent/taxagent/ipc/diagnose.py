"""diagnose: can this shop issue invoices, and if not, why? From the newest snapshots alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec

from taxagent.jobs.asks import DeskStatus, DeviceView
from taxagent.jobs.device_views import bare_view
from taxagent.model import cases
from taxagent.model.cases import Cause
from taxagent.model.diagnosis import Answer, diagnosed
from taxagent.model.faults import Lang
from taxagent.model.filing import filing_deadline
from taxagent.model.job import Job, JobState
from taxagent.model.obstacles import Situation
from taxagent.model.period import period_of
from taxagent.model.simtime import SimulatedTime, local_time
from taxagent.model.usb import Recognised
from taxagent.model.windows import Rules
from taxagent.ports import Clock
from taxclient.protocol import messages as m


class Diagnoser:
    """Answers diagnose. Loads the holiday tables at the first question: not for the loop's thread."""

    def __init__(
        self, rules: Rules, clock: Clock, simulation: SimulatedTime | None = None, contact: str = ""
    ) -> None:
        """Use the agent's own `simulation` of time: a reading's age is of its device's world."""
        self._rules = rules
        self._clock = clock
        self._simulation = simulation
        self._contact = contact

    def __call__(self, args: m.DiagnoseArgs, status: DeskStatus, lang: Lang) -> m.DiagnoseResult:
        """Return an answer for each type of each device; where none is known, one that says why."""
        devices = [one for one in status.devices if not args.device_no or one.device_no == args.device_no]
        answers = [
            view
            for device in devices
            for answer in diagnosed(self._situation(device, status))
            for view in [_view(answer, device, lang)]
        ]
        if not devices:
            unseen = bare_view(args.device_no, None, 0)
            at = msgspec.structs.replace(self._situation(unseen, status), known=False)
            answers = [_view(one, unseen, lang) for one in diagnosed(at)]
        return m.DiagnoseResult(answers=tuple(answers), contact=self._contact)

    def _situation(self, device: DeviceView, status: DeskStatus) -> Situation:
        now = self._clock.local().replace(tzinfo=None)
        vendors = (one.name for one in status.seen if one.recognised is Recognised.VENDOR)
        read_at = self._local(device.as_of_ms) if device.state is not None else None
        return Situation(
            now=now,
            device_no=device.device_no,
            plugged=bool(device.location),
            read_at=read_at,
            state=device.state,
            held_by="" if device.held_by == "agent" else device.held_by,
            held_since=self._local(device.held_since_ms) if device.held_since_ms else None,
            problem=device.problem,
            trouble=status.trouble if not device.location else None,
            vendor_devices=tuple(vendors),
            job=_at_work(one for one in status.live_jobs if one.scope.device_no == device.device_no),
            filing_until=filing_deadline(period_of(now.date()), overrides=self._rules.overrides).deadline,
        )

    def _local(self, utc_ms: int) -> dt.datetime:
        """Return a real moment as the wall clock that the agent went by then."""
        there = self._simulation.at(utc_ms) if self._simulation is not None else utc_ms
        return local_time(there).replace(tzinfo=None)


def _at_work(jobs: Iterable[Job]) -> Job | None:
    """Return the job that runs on a device, else one that will write to it, else none."""
    live = list(jobs)
    running = [job for job in live if job.state is JobState.RUNNING]
    writing = [job for job in live if job.kind.irreversible]
    return next(iter((*running, *writing)), None)


def _view(answer: Answer, device: DeviceView, lang: Lang) -> m.AnswerView:
    return m.AnswerView(
        device_no=device.device_no,
        location=device.location,
        taxpayer_id=device.taxpayer_id,
        taxpayer_name=device.taxpayer_name,
        simulated=device.simulated,
        as_of_ms=device.as_of_ms if device.state is not None else 0,
        stale=device.stale,
        invoice_type=answer.invoice_type,
        verdict=answer.verdict,
        hours_left=answer.hours_left,
        case_code=answer.case_code,
        causes=tuple(_cause(cause, lang) for cause in answer.causes),
    )


def _cause(cause: Cause, lang: Lang) -> m.CauseView:
    entry, words = cases.cases()[cause.case], cases.text(cause, lang)
    return m.CauseView(
        case=cause.case,
        number=entry.number,
        blocks=entry.blocks,
        title=words.title,
        message=words.fact,
        who=cases.who_mends(cause),
        remedy=words.remedy,
        next=words.next,
        detail={**(cause.problem.detail if cause.problem else {}), **cause.facts},
    )
