"""window.explain: a year's filing deadlines, and which windows are open at one moment, device by device."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import msgspec

from taxagent.jobs.asks import DeskStatus, DeviceView, Role
from taxagent.model import faults
from taxagent.model.device import QUIRKS, DeviceKind, DeviceState
from taxagent.model.errors import Refusal
from taxagent.model.faults import Lang
from taxagent.model.filing import filing_deadline
from taxagent.model.job import Outcome, Problem
from taxagent.model.period import period, period_of
from taxagent.model.simtime import SHANGHAI, SimulatedTime
from taxagent.model.value import Value
from taxagent.model.windows import Act, Finding, Moment, Rules, WindowRule, findings, window
from taxagent.model.words import word
from taxagent.ports import Clock
from taxclient.protocol import messages as m

_YEARS = range(2004, 2101)
# What can be said where no device was read: by the calendar alone.
_OF_THE_CALENDAR = frozenset(
    {WindowRule.DAY_BEGUN, WindowRule.FILING_WINDOW, WindowRule.FILING_DAY_KNOWN, WindowRule.OFF_PEAK}
)


class _Found(Value, frozen=True, kw_only=True):
    """A window of a device, and for which work it counts."""

    device_no: str
    finding: Finding
    acts: tuple[Act, ...]
    now: dt.datetime  # by the clock that decides


class Explainer:
    """Answers window.explain by the configured rules. Loads the holiday tables: not for the loop's thread."""

    def __init__(self, rules: Rules, clock: Clock, simulation: SimulatedTime | None = None) -> None:
        """Use the agent's own `simulation` of time: a device's clock is read in its world."""
        self._rules = rules
        self._clock = clock
        self._simulation = simulation

    def __call__(
        self, args: m.WindowArgs, status: DeskStatus, lang: Lang, role: Role = Role.VIEWER
    ) -> m.WindowResult:
        """Return the year's rows and each window at `args.at`. Raises Refusal (BAD_REQUEST, DEVICE_UNKNOWN).

        `role` is the asker's: who may work late is told so.
        """
        devices = [d for d in status.devices if not args.device_no or d.device_no == args.device_no]
        if args.device_no and not devices:
            raise Refusal("DEVICE_UNKNOWN", device_no=args.device_no)
        return self.answer(args, devices, lang, role)

    def answer(
        self, args: m.WindowArgs, devices: Sequence[DeviceView], lang: Lang, role: Role = Role.VIEWER
    ) -> m.WindowResult:
        """Return the same of these devices; where none was read, what the calendar alone says."""
        at = self._at(args.at)
        year = args.year or at.year
        if year not in _YEARS:
            raise Refusal("BAD_REQUEST", what=f"year: {_YEARS[0]}..{_YEARS[-1]}", found=str(year))
        found = [each for device in devices for each in self._of_device(device, at)]
        may_late = role.covers(Role.TECHNICIAN)
        return m.WindowResult(
            year=year,
            deadlines=tuple(self._deadline(year, month) for month in range(1, 13)),
            findings=tuple(_finding_view(each, lang) for each in found if not each.finding.open),
            at=at.replace(tzinfo=None).isoformat(timespec="seconds"),
            windows=tuple(
                _window_view(each, lang, may_late=may_late) for each in found or self._of_calendar(at)
            ),
        )

    def _at(self, text: str) -> dt.datetime:
        """The moment that is asked about; one without an offset is a wall clock of Asia/Shanghai."""
        if not text:
            return self._clock.local()
        try:
            moment = dt.datetime.fromisoformat(text)
            moment = moment.astimezone(SHANGHAI) if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
        except (ValueError, OverflowError):
            raise Refusal("BAD_REQUEST", what="moment_unreadable", found=text) from None
        if moment.year not in _YEARS:
            raise Refusal("BAD_REQUEST", what=f"year: {_YEARS[0]}..{_YEARS[-1]}", found=text)
        return moment

    def _deadline(self, year: int, month: int) -> m.DeadlineView:
        row = filing_deadline(period(f"{year:04d}-{month:02d}"), overrides=self._rules.overrides)
        return m.DeadlineView(
            month=month,
            deadline=row.deadline.isoformat(),
            source=row.source,
            provisional=row.provisional,
        )

    def _of_device(self, device: DeviceView, at: dt.datetime) -> list[_Found]:
        if device.state is None or device.kind not in QUIRKS:
            return []
        clock = self._device_then(device.state, device.as_of_ms, at)
        periods = sorted({month for view in device.types for month, _ in view.periods})
        moment = msgspec.structs.replace(
            self._bare(at, clock),
            rows=device.state.monitor,
            periods=tuple(periods),
            quirks=QUIRKS[DeviceKind(device.kind)],
        )
        return list(_merged(device.device_no, moment))

    def _of_calendar(self, at: dt.datetime) -> list[_Found]:
        moment = self._bare(at, at.replace(tzinfo=None))
        return [each for each in _merged("", moment) if each.finding.rule in _OF_THE_CALENDAR]

    def _bare(self, at: dt.datetime, device_clock: dt.datetime) -> Moment:
        return Moment(
            host_now=at,
            device_clock=device_clock,
            rows=(),
            periods=(),
            quirks=QUIRKS[DeviceKind.CONTROL_DISK],
            filing=filing_deadline(period_of(device_clock), overrides=self._rules.overrides),
            report_until_hour=self._rules.report_until_hour,
        )

    def _device_then(self, state: DeviceState, as_of_ms: int, at: dt.datetime) -> dt.datetime:
        """The device's clock then: as far from the host's as when it was read."""
        rate = self._simulation.rate if self._simulation is not None else 1
        passed = dt.timedelta(milliseconds=(self._clock.utc_ms() - as_of_ms) * rate)
        return state.clock + passed + (at - self._clock.local())


def _merged(device_no: str, at: Moment) -> Iterator[_Found]:
    """Each window once, with all the work that it counts for."""
    acts: dict[WindowRule, tuple[Act, ...]] = {}
    found: dict[WindowRule, Finding] = {}
    for act in Act:
        for each in findings(act, at):
            if each.rule is WindowRule.BUREAU_OPEN:
                continue  # only the bureau knows, and it is not asked here
            found.setdefault(each.rule, each)
            acts[each.rule] = (*acts.get(each.rule, ()), act)
    host = at.host_now.astimezone(SHANGHAI).replace(tzinfo=None)
    for rule, finding in found.items():
        now = host if window(rule).clock == "host" else at.device_clock
        yield _Found(device_no=device_no, finding=finding, acts=acts[rule], now=now)


def _window_view(each: _Found, lang: Lang, *, may_late: bool) -> m.WindowView:
    finding, words = each.finding, _words(each.finding, lang)
    shut = not finding.open
    return m.WindowView(
        device_no=each.device_no,
        rule=finding.rule,
        name=word("window", finding.rule, lang),
        acts=tuple(each.acts),
        hard=finding.hard,
        open=finding.open,
        late=shut and may_late and window(finding.rule).late,
        opens=finding.opens_at.isoformat() if finding.opens_at else "",
        closes=finding.closes_at.isoformat() if finding.closes_at and finding.open else "",
        opens_in_s=_seconds(finding.opens_at, each.now),
        closes_in_s=_seconds(finding.closes_at, each.now) if finding.open else None,
        code=finding.fault if shut else "",
        title=words.title if shut else "",
        message=words.cause if shut else "",
        remedy=words.remedy if shut else "",
        who=faults.fault(finding.fault).who if shut else "",
        detail=finding.facts,
    )


def _finding_view(each: _Found, lang: Lang) -> m.FindingView:
    finding, words = each.finding, _words(each.finding, lang)
    return m.FindingView(
        device_no=each.device_no,
        rule=finding.rule,
        acts=tuple(each.acts),
        hard=finding.hard,
        code=finding.fault,
        title=words.title,
        message=words.cause,
        remedy=words.remedy,
        opens=finding.opens_at.isoformat() if finding.opens_at else "",
        detail=finding.facts,
    )


def _words(finding: Finding, lang: Lang) -> faults.FaultText:
    return faults.text(Problem(fault=finding.fault, outcome=Outcome.NOT_EXECUTED, detail=finding.facts), lang)


def _seconds(moment: dt.datetime | None, now: dt.datetime) -> int | None:
    return round((moment - now).total_seconds()) if moment is not None else None
