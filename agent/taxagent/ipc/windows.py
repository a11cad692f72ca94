"""window.explain: a year's filing deadlines, and which windows are shut for the devices that were read."""

from __future__ import annotations

import datetime as dt

from taxagent.jobs.asks import DeskStatus, DeviceView
from taxagent.model import faults
from taxagent.model.device import QUIRKS, DeviceKind, DeviceState
from taxagent.model.errors import Refusal
from taxagent.model.faults import Lang
from taxagent.model.filing import filing_deadline
from taxagent.model.job import Outcome, Problem
from taxagent.model.period import period, period_of
from taxagent.model.windows import Act, Finding, Moment, Rules, findings
from taxagent.ports import Clock
from taxclient.protocol import messages as m

_YEARS = range(2004, 2101)


class Explainer:
    """Answers window.explain by the configured rules. Loads the holiday tables: not for the loop's thread."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock

    def __call__(self, args: m.WindowArgs, status: DeskStatus, lang: Lang) -> m.WindowResult:
        """Return the year's rows and what is shut. Raises Refusal (BAD_REQUEST, DEVICE_UNKNOWN)."""
        year = args.year or self._clock.local().year
        if year not in _YEARS:
            raise Refusal("BAD_REQUEST", what=f"year: {_YEARS[0]}..{_YEARS[-1]}", found=str(year))
        devices = [d for d in status.devices if not args.device_no or d.device_no == args.device_no]
        if args.device_no and not devices:
            raise Refusal("DEVICE_UNKNOWN", device_no=args.device_no)
        return m.WindowResult(
            year=year,
            deadlines=tuple(self._deadline(year, month) for month in range(1, 13)),
            findings=tuple(view for device in devices for view in self._shut(device, lang)),
        )

    def _deadline(self, year: int, month: int) -> m.DeadlineView:
        row = filing_deadline(period(f"{year:04d}-{month:02d}"), overrides=self._rules.overrides)
        return m.DeadlineView(
            month=month,
            deadline=row.deadline.isoformat(),
            source=row.source,
            provisional=row.provisional,
        )

    def _shut(self, device: DeviceView, lang: Lang) -> list[m.FindingView]:
        moment = self._moment(device)
        if moment is None:
            return []
        shut: dict[str, tuple[Finding, tuple[str, ...]]] = {}
        for act in Act:
            for found in findings(act, moment):
                if not found.open:
                    acts = shut[found.rule][1] if found.rule in shut else ()
                    shut[found.rule] = (found, (*acts, act))
        return [_view(device.device_no, found, acts, lang) for found, acts in shut.values()]

    def _moment(self, device: DeviceView) -> Moment | None:
        if device.state is None or device.kind not in QUIRKS:
            return None
        clock = self._device_now(device.state, device.as_of_ms)
        return Moment(
            host_now=self._clock.local(),
            device_clock=clock,
            rows=device.state.monitor,
            periods=tuple(sorted({month for view in device.types for month, _ in view.periods})),
            quirks=QUIRKS[DeviceKind(device.kind)],
            filing=filing_deadline(period_of(clock), overrides=self._rules.overrides),
            report_until_hour=self._rules.report_until_hour,
        )

    def _device_now(self, state: DeviceState, as_of_ms: int) -> dt.datetime:
        """The device's clock by now: as read, plus what passed since; in simulation it is the host's."""
        if self._clock.sim_ms() is not None:
            return self._clock.local().replace(tzinfo=None)
        return state.clock + dt.timedelta(milliseconds=self._clock.utc_ms() - as_of_ms)


def _view(device_no: str, found: Finding, acts: tuple[str, ...], lang: Lang) -> m.FindingView:
    problem = Problem(fault=found.fault, outcome=Outcome.NOT_EXECUTED, detail=found.facts)
    words = faults.text(problem, lang)
    return m.FindingView(
        device_no=device_no,
        rule=found.rule,
        acts=acts,
        hard=found.hard,
        code=found.fault,
        title=words.title,
        message=words.cause,
        remedy=words.remedy,
        opens=found.opens_at.isoformat() if found.opens_at else "",
        detail=found.facts,
    )
