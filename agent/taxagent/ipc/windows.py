"""window.explain: a year's filing deadlines, and what stands in the way of each device now."""

from __future__ import annotations

from collections.abc import Iterator

from taxagent.jobs.asks import DeskStatus, DeviceView
from taxagent.model.device import QUIRKS
from taxagent.model.faults import Lang, text
from taxagent.model.filing import filing_deadline
from taxagent.model.job import Outcome, Problem
from taxagent.model.period import Period, period_of
from taxagent.model.period_state import due_periods
from taxagent.model.windows import Act, Finding, Moment, Rules, findings
from taxagent.ports import Clock
from taxclient.protocol import messages as m


class Explainer:
    """ipc.operations.Explain over the configuration's rules and the devices' snapshots; asks no bureau."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock

    def __call__(self, args: m.WindowArgs, status: DeskStatus, lang: Lang) -> m.WindowResult:
        """Answer. May import the holiday calendar: not for the loop's thread."""
        year = args.year or self._clock.local().year
        devices = [each for each in status.devices if args.device_no in ("", each.device_no)]
        return m.WindowResult(
            year=year,
            deadlines=tuple(self._deadline(year, number) for number in range(1, 13)),
            findings=tuple(view for device in devices for view in self._findings(device, lang)),
        )

    def _deadline(self, year: int, number: int) -> m.DeadlineView:
        month = Period(f"{year:04d}-{number:02d}")
        row = filing_deadline(month, overrides=self._rules.overrides)
        return m.DeadlineView(
            month=number,
            deadline=row.deadline.isoformat(),
            source=row.source.value,
            provisional=row.provisional,
        )

    def _findings(self, device: DeviceView, lang: Lang) -> Iterator[m.FindingView]:
        state = device.state
        quirks = QUIRKS.get(state.hello.kind) if state is not None else None
        if state is None or quirks is None:
            return
        due = {month for row in state.monitor for month in due_periods(state.clock, row, quirks)}
        at = Moment(
            host_now=self._clock.local(),
            device_clock=state.clock,
            rows=state.monitor,
            periods=tuple(sorted(due)),
            quirks=quirks,
            filing=filing_deadline(period_of(state.clock), overrides=self._rules.overrides),
            report_until_hour=self._rules.report_until_hour,
        )
        shut = {each.rule: each for act in Act for each in findings(act, at) if not each.open}
        for finding in shut.values():
            yield _view(device.device_no, finding, lang)


def _view(device_no: str, finding: Finding, lang: Lang) -> m.FindingView:
    problem = Problem(fault=finding.fault, outcome=Outcome.NOT_EXECUTED, detail=finding.facts)
    words = text(problem, lang)
    return m.FindingView(
        device_no=device_no,
        code=finding.fault,
        hard=finding.hard,
        message=f"{words.title} {words.cause}",
        remedy=words.remedy,
        opens=finding.opens_at.isoformat() if finding.opens_at else "",
        detail=finding.facts,
    )
